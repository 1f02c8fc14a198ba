"""Matrix products and convolutions against loops of multiply-accumulates."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from inspect_cost.formulas import contraction as formula
from inspect_cost.formulas.pointwise import COMPLEX_MUL
from tests.formulas.naive import contraction as naive
from tests.formulas.proof import EXACT, SIZE, count_cost, draw_normal, prove

BIASED = st.booleans()


@EXACT
@given(m=SIZE, k=SIZE, n=SIZE)
def test_matrix_product(m: int, k: int, n: int) -> None:
    a, b = draw_normal((m, k), (k, n))
    prove(torch.mm, naive.matmul, a, b, formula=formula.matmul(m, k, n))
    prove(torch.matmul, naive.matmul, a, b, formula=formula.matmul(m, k, n))


@EXACT
@given(batch=SIZE, m=SIZE, k=SIZE, n=SIZE)
def test_batched_matrix_product(batch: int, m: int, k: int, n: int) -> None:
    a, b = draw_normal((batch, m, k), (batch, k, n))
    prove(torch.bmm, naive.batch_matmul, a, b, formula=formula.matmul(m, k, n, batch))
    prove(torch.matmul, naive.batch_matmul, a, b, formula=formula.matmul(m, k, n, batch))


@EXACT
@given(A=SIZE, B=SIZE, m=SIZE, k=SIZE, n=SIZE)
def test_broadcast_matrix_product(A: int, B: int, m: int, k: int, n: int) -> None:
    a, b = draw_normal((A, 1, m, k), (B, k, n))
    prove(torch.matmul, naive.broadcast, a, b, formula=formula.matmul(m, k, n, A * B))


@EXACT
@given(m=SIZE, k=SIZE)
def test_products_with_vectors(m: int, k: int) -> None:
    matrix, x, y = draw_normal((m, k), (k,), (k,))
    prove(torch.mv, naive.matrix_vector, matrix, x, formula=formula.matmul(m, k, 1))
    prove(torch.matmul, naive.matrix_vector, matrix, x, formula=formula.matmul(m, k, 1))
    prove(torch.dot, naive.dot, x, y, formula=formula.dot_products(1, k))
    prove(torch.vdot, naive.dot, x, y, formula=formula.matmul(1, k, 1))


ONE_TAP: dict[str, Any] = {"stride": [1], "padding": [1], "dilation": [1], "groups": 1}
COMPLEX: dict[str, tuple[Any, Any, tuple[tuple[int, ...], ...]]] = {
    "mm": (torch.mm, naive.matmul, ((2, 3), (3, 4))),
    "bmm": (torch.bmm, naive.batch_matmul, ((2, 2, 3), (2, 3, 1))),
    "linear": (F.linear, naive.linear, ((2, 1, 3), (4, 3))),
    "conv1d": (
        lambda x, W: F.conv1d(x, W, padding=1),
        lambda x, W: naive.convolution(x, W, None, **ONE_TAP),
        ((1, 2, 4), (3, 2, 3)),
    ),
    "conv_transpose1d": (
        lambda x, W: F.conv_transpose1d(x, W, padding=1),
        lambda x, W: naive.transposed_convolution(x, W, None, output_padding=[0], **ONE_TAP),
        ((1, 2, 4), (2, 3, 3)),
    ),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_products_take_four_real_macs_each(name: str) -> None:
    call, reference, shapes = COMPLEX[name]
    prove(call, reference, *draw_normal(*shapes, dtype=torch.complex128))


def test_complex_outer_product_is_made_of_complex_products() -> None:
    a, b = draw_normal((2,), (3,), dtype=torch.complex128)
    assert count_cost(torch.outer, a, b) == COMPLEX_MUL * 6


def test_macs_of_integers_are_macs() -> None:
    """Integer arithmetic is free outside contractions only."""
    a, b = torch.ones(2, 3, dtype=torch.long), torch.ones(3, 4, dtype=torch.long)
    assert count_cost(torch.mm, a, b) == formula.matmul(2, 3, 4)


@EXACT
@given(rows=SIZE, more=SIZE, inputs=SIZE, outputs=SIZE, biased=BIASED)
def test_linear(rows: int, more: int, inputs: int, outputs: int, biased: bool) -> None:
    x, W, b = draw_normal((rows, more, inputs), (outputs, inputs), (outputs,))
    expected = formula.linear(rows * more, inputs, outputs, biased=biased)
    prove(F.linear, naive.linear, x, W, b if biased else None, formula=expected)


@EXACT
@given(rows=SIZE, outputs=SIZE)
def test_bias_is_one_addition_an_output(rows: int, outputs: int) -> None:
    x, b = draw_normal((rows, outputs), (outputs,))
    prove(torch.add, lambda x, b: x + b, x, b, formula=formula.bias(rows * outputs))


@EXACT
@given(rows=SIZE, i=SIZE, j=SIZE, outputs=SIZE)
def test_bilinear(rows: int, i: int, j: int, outputs: int) -> None:
    operands = draw_normal((rows, i), (rows, j), (outputs, i, j), (outputs,))
    prove(F.bilinear, naive.bilinear, *operands)


FACTORS: dict[str, Any] = {"beta": st.sampled_from([0, 1, 0.5]), "alpha": st.sampled_from([1, 3])}


@pytest.mark.parametrize("added_rows", [1, 3], ids=["added row", "added matrix"])
@EXACT
@given(k=SIZE, n=SIZE, **FACTORS)
def test_addmm_multiplies_only_by_factors_other_than_1(
    added_rows: int, k: int, n: int, beta: float, alpha: float
) -> None:
    prove(
        lambda M, a, b: torch.addmm(M, a, b, beta=beta, alpha=alpha),
        lambda M, a, b: naive.add_scaled(M, naive.matmul(a, b), beta, alpha),
        *draw_normal((added_rows, n), (3, k), (k, n)),
    )


@EXACT
@given(m=SIZE, k=SIZE, **FACTORS)
def test_addmv(m: int, k: int, beta: float, alpha: float) -> None:
    prove(
        lambda y, a, x: torch.addmv(y, a, x, beta=beta, alpha=alpha),
        lambda y, a, x: naive.add_scaled(y, naive.matrix_vector(a, x), beta, alpha),
        *draw_normal((m,), (m, k), (k,)),
    )


@EXACT
@given(batch=SIZE, m=SIZE, k=SIZE, **FACTORS)
def test_baddbmm(batch: int, m: int, k: int, beta: float, alpha: float) -> None:
    prove(
        lambda M, a, b: torch.baddbmm(M, a, b, beta=beta, alpha=alpha),
        lambda M, a, b: naive.add_scaled(M, naive.batch_matmul(a, b), beta, alpha),
        *draw_normal((batch, m, 2), (batch, m, k), (batch, k, 2)),
    )


@EXACT
@given(batch=SIZE, m=SIZE, k=SIZE, **FACTORS)
def test_addbmm_accumulates_over_the_batch(
    batch: int, m: int, k: int, beta: float, alpha: float
) -> None:
    prove(
        lambda M, a, b: torch.addbmm(M, a, b, beta=beta, alpha=alpha),
        lambda M, a, b: naive.add_scaled(M, naive.batch_sum(a, b), beta, alpha),
        *draw_normal((m, 2), (batch, m, k), (batch, k, 2)),
    )


@EXACT
@given(m=SIZE, n=SIZE)
def test_outer_product_accumulates_nothing(m: int, n: int) -> None:
    prove(torch.outer, naive.outer, *draw_normal((m,), (n,)))
    prove(
        torch.addr,
        lambda M, a, b: naive.add_scaled(M, naive.outer(a, b)),
        *draw_normal((m, n), (m,), (n,)),
    )


@EXACT
@given(m=SIZE, n=SIZE, **FACTORS)
def test_addr_multiplies_by_its_factors(m: int, n: int, beta: float, alpha: float) -> None:
    prove(
        lambda M, a, b: torch.addr(M, a, b, beta=beta, alpha=alpha),
        lambda M, a, b: naive.add_scaled(M, naive.outer(a, b), beta, alpha),
        *draw_normal((m, n), (m,), (n,)),
    )


@EXACT
@given(rows=SIZE, n=SIZE)
def test_cosine_similarity(rows: int, n: int) -> None:
    prove(F.cosine_similarity, naive.cosine_similarity, *draw_normal((rows, n), (rows, n)))


@EXACT
@given(rows=SIZE, n=SIZE)
def test_cosine_similarity_broadcasts_and_takes_an_epsilon(rows: int, n: int) -> None:
    """Pairs are formed after broadcasting, also along the compared dimension."""

    def reference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return naive.cosine_similarity(*np.broadcast_arrays(a, b))

    for a, b in (((n,), (rows, n)), ((rows, 1), (rows, n)), ((rows, n), (1, 1))):
        prove(lambda x, y: F.cosine_similarity(x, y, 1, 1e-12), reference, *draw_normal(a, b))


@dataclass(frozen=True)
class Convolution:
    """Sizes of a (transposed) convolution in any number of dimensions."""

    x: tuple[int, ...]
    W: tuple[int, ...]
    biased: bool
    options: dict[str, Any]

    @property
    def features(self) -> int:
        """Output channels of a transposed convolution."""
        groups: int = self.options["groups"]
        return self.W[1] * groups


@st.composite
def convolutions(draw: st.DrawFn, dimensions: int, *, transposed: bool) -> Convolution:
    """Draw any stride, padding, dilation and groups with at least one output."""
    longest = (6, 4, 3)[dimensions - 1]

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(dimensions))

    groups, per_group, features = (draw(st.integers(1, 2)) for _ in range(3))
    kernel = each(1, 3 if dimensions < 3 else 2)
    dilation, stride = each(1, 2), each(1, 3)
    span = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    options = {"stride": stride, "dilation": dilation, "groups": groups}
    if transposed:
        # Nothing is cropped but what the taps of the first and the last inputs reach.
        options["padding"] = tuple(draw(st.integers(0, (s - 1) // 2)) for s in span)
        options["output_padding"] = tuple(
            draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
        )
        sizes, weight = each(1, longest), (groups * per_group, features, *kernel)
    else:
        options["padding"] = each(0, 2)
        sizes = tuple(s + draw(st.integers(0, longest - 2)) for s in span)
        weight = (groups * features, per_group, *kernel)
    batch = draw(st.integers(1, 2))
    return Convolution((batch, groups * per_group, *sizes), weight, draw(st.booleans()), options)


CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@EXACT
@given(data=st.data())
def test_convolution_takes_every_tap_on_padding_or_not(
    dimensions: int, data: st.DataObject
) -> None:
    case = data.draw(convolutions(dimensions, transposed=False))
    x, W, b = draw_normal(case.x, case.W, case.W[:1])
    bias = b if case.biased else None
    out = CONVOLUTIONS[dimensions](x, W, bias, **case.options)
    prove(
        lambda x, W, b: CONVOLUTIONS[dimensions](x, W, b, **case.options),
        lambda x, W, b: naive.convolution(x, W, b, **case.options),
        x,
        W,
        bias,
        formula=formula.convolution(case.W, out.shape, biased=case.biased),
    )


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@EXACT
@given(data=st.data())
def test_transposed_convolution_takes_input_positions_times_taps(
    dimensions: int, data: st.DataObject
) -> None:
    case = data.draw(convolutions(dimensions, transposed=True))
    x, W, b = draw_normal(case.x, case.W, (case.features,))
    bias = b if case.biased else None
    out = TRANSPOSED[dimensions](x, W, bias, **case.options)
    prove(
        lambda x, W, b: TRANSPOSED[dimensions](x, W, b, **case.options),
        lambda x, W, b: naive.transposed_convolution(x, W, b, **case.options),
        x,
        W,
        bias,
        formula=formula.transposed_convolution(case.x, case.W, out.shape, biased=case.biased),
    )


@EXACT
@given(data=st.data(), transposed=st.booleans())
def test_convolution_below_autograd(data: st.DataObject, transposed: bool) -> None:
    case = data.draw(convolutions(2, transposed=transposed))
    options = {"output_padding": (0, 0), **case.options}
    reference = naive.transposed_convolution if transposed else naive.convolution
    names = ("stride", "padding", "dilation", "output_padding", "groups")
    stride, padding, dilation, output_padding, groups = (options[name] for name in names)
    prove(
        lambda x, W: torch.convolution(
            x, W, None, stride, padding, dilation, transposed, output_padding, groups
        ),
        lambda x, W: reference(x, W, None, **case.options),
        *draw_normal(case.x, case.W),
    )


@EXACT
@given(length=st.integers(3, 6), kernel=st.sampled_from([1, 3]))
def test_convolution_with_named_padding_and_without_a_batch(length: int, kernel: int) -> None:
    options: dict[str, Any] = {
        "stride": [1],
        "padding": [kernel // 2],
        "dilation": [1],
        "groups": 1,
    }
    prove(
        lambda x, W: F.conv1d(x, W, padding="same"),
        lambda x, W: naive.convolution(x[None], W, None, **options)[0],
        *draw_normal((2, length), (3, 2, kernel)),
    )
