"""Normalisations against loops over their groups."""

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from inspect_cost.formulas import normalization as formula
from inspect_cost.values.cost import OpCost
from tests.formulas.naive import normalization as naive
from tests.formulas.naive.contraction import linear as naive_linear
from tests.formulas.proof import EXACT, SIZE, count_cost, draw_normal, draw_uniform, prove

EPS = 0.01
GIVEN: dict[str, Any] = {"scaled": st.booleans(), "shifted": st.booleans()}


@EXACT
@given(rows=SIZE, m=SIZE, n=SIZE, trailing=st.integers(1, 3), **GIVEN)
def test_layer_norm(rows: int, m: int, n: int, trailing: int, scaled: bool, shifted: bool) -> None:
    shape = (rows, m, n)[3 - trailing :]
    x, gain, offset = draw_normal((rows, m, n), shape, shape)
    size = gain.numel()
    prove(
        lambda x, gain, offset: F.layer_norm(x, shape, gain, offset, EPS),
        lambda x, gain, offset: naive.layer_norm(x, gain, offset, EPS, trailing),
        x,
        gain if scaled else None,
        offset if shifted else None,
        formula=formula.layer_norm(x.numel() // size, size, scaled=scaled, shifted=shifted),
    )


def test_layer_norm_is_7n_plus_2_and_without_affine_map_5n_plus_2() -> None:
    assert formula.layer_norm(3, 10, scaled=True, shifted=True).flops == 3 * 72
    assert formula.layer_norm(3, 10, scaled=False, shifted=False).flops == 3 * 52
    assert formula.standardised(3, 10).flops == 3 * 52


@EXACT
@given(m=SIZE, n=SIZE, **GIVEN)
def test_affine_map(m: int, n: int, scaled: bool, shifted: bool) -> None:
    x, gain, offset = draw_normal((1, m, n), (m, 1), (m, 1))

    def call(x: Any, gain: Any, offset: Any) -> Any:
        y = x if gain is None else gain * x
        return y if offset is None else y + offset

    prove(
        call,
        lambda x, gain, offset: naive.by_channel(
            x, None if gain is None else gain[:, 0], None if offset is None else offset[:, 0]
        ),
        x,
        gain if scaled else None,
        offset if shifted else None,
        formula=formula.affine_map(m * n, scaled=scaled, shifted=shifted),
    )


@EXACT
@given(m=SIZE, rows=SIZE, n=SIZE, scaled=st.booleans())
def test_rms_norm(m: int, rows: int, n: int, scaled: bool) -> None:
    x, gain = draw_normal((m, rows, n), (n,))
    prove(
        lambda x, gain: F.rms_norm(x, (n,), gain, EPS),
        lambda x, gain: naive.rms_norm(x, gain, EPS),
        x,
        gain if scaled else None,
        formula=formula.rms_norm(m * rows, n, scaled=scaled),
    )


@EXACT
@given(batch=SIZE, groups=SIZE, per_group=SIZE, length=st.integers(2, 4), scaled=st.booleans())
def test_group_norm(batch: int, groups: int, per_group: int, length: int, scaled: bool) -> None:
    channels = groups * per_group
    x, gain, offset = draw_normal((batch, channels, length), (channels,), (channels,))
    prove(
        lambda x, gain, offset: F.group_norm(x, groups, gain, offset, EPS),
        lambda x, gain, offset: naive.group_norm(x, groups, gain, offset, EPS),
        x,
        gain if scaled else None,
        offset if scaled else None,
        formula=formula.layer_norm(
            batch * groups, per_group * length, scaled=scaled, shifted=scaled
        ),
    )


@EXACT
@given(batch=SIZE, channels=SIZE, height=SIZE, width=st.integers(2, 4), scaled=st.booleans())
def test_instance_norm(batch: int, channels: int, height: int, width: int, scaled: bool) -> None:
    x, gain, offset = draw_normal((batch, channels, height, width), (channels,), (channels,))
    prove(
        lambda x, gain, offset: F.instance_norm(x, None, None, gain, offset, eps=EPS),
        lambda x, gain, offset: naive.group_norm(x, channels, gain, offset, EPS),
        x,
        gain if scaled else None,
        offset if scaled else None,
        formula=formula.layer_norm(batch * channels, height * width, scaled=scaled, shifted=scaled),
    )


@pytest.mark.parametrize("kind", ["batch", "instance"])
@EXACT
@given(batch=SIZE, channels=SIZE, length=SIZE, **GIVEN)
def test_stored_statistics_at_inference(
    kind: str, batch: int, channels: int, length: int, scaled: bool, shifted: bool
) -> None:
    x, centre, gain, offset = draw_normal((batch, channels, length), *[(channels,)] * 3)
    (variance,) = draw_uniform(0.5, 2, (channels,))

    def call(x: Any, centre: Any, variance: Any, gain: Any, offset: Any) -> Any:
        if kind == "batch":
            return F.batch_norm(x, centre, variance, gain, offset, eps=EPS)
        return F.instance_norm(x, centre, variance, gain, offset, use_input_stats=False, eps=EPS)

    prove(
        call,
        partial(naive.batch_norm_with_stored_statistics, eps=EPS),
        x,
        centre,
        variance,
        gain if scaled else None,
        offset if shifted else None,
        formula=formula.batch_norm_inference(x.numel(), channels, scaled=scaled, shifted=shifted),
    )


@EXACT
@given(batch=st.integers(2, 4), channels=SIZE, length=SIZE, **GIVEN)
def test_batch_norm_with_the_statistics_of_the_batch(
    batch: int, channels: int, length: int, scaled: bool, shifted: bool
) -> None:
    x, gain, offset = draw_normal((batch, channels, length), (channels,), (channels,))
    prove(
        lambda x, gain, offset: F.batch_norm(x, None, None, gain, offset, training=True, eps=EPS),
        lambda x, gain, offset: naive.batch_norm_with_own_statistics(x, gain, offset, EPS),
        x,
        gain if scaled else None,
        offset if shifted else None,
        formula=formula.batch_norm_training(x.numel(), channels, scaled=scaled, shifted=shifted),
    )


@EXACT
@given(groups=SIZE, m=SIZE, n=SIZE)
def test_weight_norm_is_3w_plus_r(groups: int, m: int, n: int) -> None:
    v, g = draw_normal((groups, m, n), (groups, 1, 1))
    weights = groups * m * n
    expected = formula.weight_norm(weights, groups)
    prove(torch._weight_norm, naive.weight_norm, v, g, formula=expected)  # noqa: SLF001
    assert expected.flops == 3 * weights + groups


@EXACT
@given(m=SIZE, n=SIZE, groups=SIZE)
def test_weight_norm_of_the_last_dimension(m: int, n: int, groups: int) -> None:
    v, g = draw_normal((m, n, groups), (1, 1, groups))
    prove(
        lambda v, g: torch._weight_norm(v, g, 2),  # noqa: SLF001
        naive.weight_norm_of_last,
        v,
        g,
        formula=formula.weight_norm(m * n * groups, groups),
    )


@EXACT
@given(inputs=SIZE, outputs=SIZE)
def test_a_weight_normed_layer_makes_its_kernel_at_each_call(inputs: int, outputs: int) -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(inputs, outputs, bias=False).double())
    g, v = (p.detach() for p in layer.parametrizations.weight.parameters())
    (x,) = draw_normal((1, inputs))
    prove(
        lambda x, v, g: F.linear(x, torch._weight_norm(v, g)),  # noqa: SLF001
        lambda x, v, g: naive_linear(x, naive.weight_norm(v, g)),
        x,
        v,
        g,
        formula=count_cost(layer, x),
    )


@EXACT
@given(batch=st.integers(2, 3), channels=SIZE, length=st.integers(2, 4))
def test_the_operators_below_autograd_cost_the_same(batch: int, channels: int, length: int) -> None:
    aten = torch.ops.aten
    x, gain, offset, centre = draw_normal((batch, channels, length), *[(channels,)] * 3)
    (variance,) = draw_uniform(0.5, 2, (channels,))
    n = (length,)
    prove(
        lambda x: aten.native_layer_norm(x, n, None, None, EPS)[0],
        lambda x: naive.layer_norm(x, None, None, EPS, 1),
        x,
    )
    prove(
        lambda x, gain, offset: aten.native_group_norm(
            x, gain, offset, batch, channels, length, channels, EPS
        )[0],
        lambda x, gain, offset: naive.group_norm(x, channels, gain, offset, EPS),
        x,
        gain,
        offset,
    )
    prove(
        lambda x, gain, offset: aten._native_batch_norm_legit.no_stats(  # noqa: SLF001
            x, gain, offset, True, 0.1, EPS
        )[0],
        lambda x, gain, offset: naive.batch_norm_with_own_statistics(x, gain, offset, EPS),
        x,
        gain,
        offset,
    )
    for call in (
        lambda x, mean, var, *affine: aten.native_batch_norm(
            x, *affine, mean, var, False, 0.1, EPS
        )[0],
        lambda x, mean, var, *affine: aten._native_batch_norm_legit(  # noqa: SLF001
            x, *affine, mean, var, False, 0.1, EPS
        )[0],
        lambda x, mean, var, *affine: aten._native_batch_norm_legit_no_training(  # noqa: SLF001
            x, *affine, mean, var, 0.1, EPS
        )[0],
    ):
        prove(
            call,
            partial(naive.batch_norm_with_stored_statistics, eps=EPS),
            x,
            centre,
            variance,
            gain,
            offset,
        )
    v, g = draw_normal((channels, length), (channels, 1))
    prove(
        lambda v, g: aten._weight_norm_interface(v, g)[0],  # noqa: SLF001
        naive.weight_norm,
        v,
        g,
    )


@EXACT
@given(channels=SIZE, n=SIZE, size=st.sampled_from([1, 3]), beta=st.sampled_from([0.5, 0.75, 1]))
def test_local_response_norm(channels: int, n: int, size: int, beta: float) -> None:
    """`alpha / n` is one constant, as in ONNX; torch divides by n."""
    (x,) = draw_normal((1, channels, n))

    def call(x: torch.Tensor) -> torch.Tensor:
        squares = F.pad(x * x, (0, 0, size // 2, size // 2)).unfold(1, size, 1).sum(-1)
        return x / (1.5 + 0.1 * squares) ** beta

    prove(
        call,
        lambda x: naive.local_response(x, size, 1.5, 0.1, beta),
        x,
        formula=formula.local_response_norm(channels * n, size, beta),
    )


def test_norms_of_an_empty_batch_are_free() -> None:
    x = torch.empty(0, 4, 3)
    assert count_cost(lambda x: F.group_norm(x, 2), x) == OpCost()
    assert count_cost(F.instance_norm, x) == OpCost()
    assert count_cost(lambda x: F.layer_norm(x, (3,)), x) == OpCost()
