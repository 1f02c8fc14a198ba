"""Gradients against their derivatives, one number at a time, and against torch's own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inspect_cost.counting.torch.aten import ATEN_RULES
from inspect_cost.formulas import backward as formula
from inspect_cost.formulas.resampling import adaptive_windows
from inspect_cost.values.cost import OpCost
from tests.formulas.naive import backward as naive
from tests.formulas.naive import resampling
from tests.formulas.proof import (
    EXACT,
    SIZE,
    count_cost,
    draw_normal,
    draw_uniform,
    prove,
    run_reference,
)

aten = torch.ops.aten

#: Name: torch's operator on the gradient and what was kept, the derivative, the formula.
ACTIVATIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any], OpCost]] = {
    "relu": (lambda g, x: aten.threshold_backward(g, x, 0), naive.threshold, formula.THRESHOLD),
    "leaky_relu": (
        lambda g, x: aten.leaky_relu_backward(g, x, 0.1, False),
        naive.leaky_relu,
        formula.LEAKY_RELU,
    ),
    "hardtanh": (
        lambda g, x: aten.hardtanh_backward(g, x, -1, 1),
        naive.hard_tanh,
        formula.HARD_TANH,
    ),
    "sigmoid": (aten.sigmoid_backward, naive.sigmoid_gradient, formula.SIGMOID),
    "tanh": (aten.tanh_backward, naive.tanh_gradient, formula.TANH),
    "silu": (aten.silu_backward, naive.silu, formula.SILU),
    "gelu": (aten.gelu_backward, naive.gelu, formula.GELU_ERF),
    "gelu by tanh": (
        lambda g, x: aten.gelu_backward(g, x, approximate="tanh"),
        naive.gelu_tanh,
        formula.GELU_TANH,
    ),
    "elu": (
        lambda g, x: aten.elu_backward(g, 1, 1, 1, False, x),
        naive.elu,
        formula.ELU,
    ),
    "softplus": (
        lambda g, x: aten.softplus_backward(g, x, 1, 20),
        naive.softplus,
        formula.SOFTPLUS,
    ),
    "hardsigmoid": (aten.hardsigmoid_backward, naive.hard_sigmoid, formula.HARD_SIGMOID),
    "hardswish": (aten.hardswish_backward, naive.hard_swish, formula.HARD_SWISH),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    call, derivative, cost = ACTIVATIONS[name]
    g, x = draw_normal((3, 4), (3, 4))
    prove(call, naive.each(derivative), g, x, formula=cost * 12)


def test_log_sigmoid() -> None:
    """Torch keeps `exp(-|x|)` from the forward half, and computes `sigmoid(-x)` from it."""
    g, x = draw_normal((12,), (12,))

    def call(g: Any, x: Any, kept: Any) -> Any:
        return aten.log_sigmoid_backward(g, x, kept)

    def reference(g: Any, x: Any, _kept: Any) -> np.ndarray:
        return naive.each(naive.log_sigmoid)(g, x)

    prove(call, reference, g, x, torch.exp(-x.abs()), formula=formula.LOG_SIGMOID * 12)


def test_dropout() -> None:
    mask = torch.tensor([True, False, True])
    prove(
        lambda g: aten.native_dropout_backward(g, mask, 2.0),
        lambda g: g * np.where(mask, 2.0, 0.0),
        *draw_normal((3,)),
        formula=formula.DROPOUT * 3,
    )


def test_prelu_has_gradients_of_both() -> None:
    g, x, w = draw_normal((2, 5), (2, 5), (2, 5))
    cost = count_cost(aten._prelu_kernel_backward, g, x, w)  # noqa: SLF001
    assert cost == formula.PRELU * 10

    def both(g: Any, x: Any, w: Any) -> np.ndarray:
        of_input = naive.each(naive.prelu_of_input)(g, x, w)
        return np.stack([of_input, naive.each(naive.prelu_of_weight)(g, x)])

    def call(g: Any, x: Any, w: Any) -> Any:
        return torch.stack(aten._prelu_kernel_backward(g, x, w))  # noqa: SLF001

    prove(call, both, g, x, w, formula=formula.PRELU * 10)


def test_glu() -> None:
    g, x = draw_normal((3,), (6,))
    prove(lambda g, x: aten.glu_backward(g, x, 0), naive.glu, g, x, formula=formula.GLU * 3)


def test_mean_of_squares() -> None:
    x, target = draw_normal((7,), (7,))
    g = 0.7

    def call(x: Any, target: Any) -> Any:
        arrived = torch.tensor(g, dtype=torch.float64)
        return aten.mse_loss_backward(arrived, x, target, 1)

    prove(
        call,
        naive.each(lambda x, t: naive.mse(x, t, g, 7)),
        x,
        target,
        formula=formula.MSE_LOSS * 7,
    )


@EXACT
@given(rows=SIZE, n=SIZE)
def test_softmaxes(rows: int, n: int) -> None:
    g, x = draw_normal((rows, n), (rows, n))
    for kind, reference, cost in (
        ("softmax", naive.softmax, formula.softmax),
        ("log_softmax", naive.log_softmax, formula.log_softmax),
    ):
        backward = getattr(aten, f"_{kind}_backward_data")
        y = getattr(torch, kind)(x, -1)
        prove(
            lambda g, y, f=backward: f(g, y, -1, torch.float64),
            naive.by_row(reference),
            g,
            y,
            formula=cost(rows, n),
        )


def test_negative_log_likelihood() -> None:
    x, target = draw_normal((5, 3))[0], torch.tensor([0, 2, 1, 1, 0])
    g, weight = torch.tensor(0.7, dtype=torch.float64), torch.tensor(5.0, dtype=torch.float64)

    def call(g: Any) -> Any:
        return aten.nll_loss_backward(g, x, target, None, 1, -100, weight)

    def reference(g: Any) -> np.ndarray:
        out = np.zeros((5, 3), dtype=object)
        for row, place in enumerate(target.tolist()):
            out[row, place] = -(g.item() / 5.0)
        return out

    prove(call, reference, g, formula=formula.negative_log_likelihood(5))


@EXACT
@given(rows=SIZE, n=st.integers(2, 5))
def test_normalization(rows: int, n: int) -> None:
    g, x = draw_normal((rows, n), (rows, n))
    mean = x.mean(-1, keepdim=True)
    rstd = 1 / torch.sqrt(x.var(-1, keepdim=True, correction=0) + 1e-5)

    def call(g: Any, x: Any, mean: Any, rstd: Any) -> Any:
        mask = [True, False, False]
        return aten.native_layer_norm_backward(g, x, [n], mean, rstd, None, None, mask)[0]

    def reference(g: Any, x: Any, mean: Any, rstd: Any) -> np.ndarray:
        out = np.empty(g.shape, dtype=object)
        for i in range(rows):
            out[i] = naive.normalization(g[i], x[i], mean[i, 0], rstd[i, 0])
        return out

    prove(call, reference, g, x, mean, rstd, formula=formula.normalization(rows, n))


@EXACT
@given(rows=SIZE, features=SIZE)
def test_affine_maps(rows: int, features: int) -> None:
    """The gradients of `z w + b` are three operators of torch; their sum is the formula."""
    g, z, w = draw_normal((rows, features), (rows, features), (features,))

    def call(g: Any, z: Any, w: Any) -> Any:
        return torch.cat([(g * z).sum(0), g.sum(0), (g * w).flatten()])

    def reference(g: Any, z: Any, w: Any) -> np.ndarray:
        products = naive.each(lambda a, b: a * b)(g, z)
        by_z = np.array([naive.affine_input(row, w) for row in g], dtype=object)
        return np.concatenate([naive.column_sums(products), naive.column_sums(g), by_z.reshape(-1)])

    cost = formula.affine(rows, features, scaled=True, shifted=True)
    prove(call, reference, g, z, w, formula=cost)


def test_the_norms_of_torch_are_these() -> None:
    """Layer, group and batch norm differ only in their rows and weights."""
    x = torch.randn(2, 6, 5)
    mask = [True, True, True]
    kept = torch.zeros(2, 6, 1)
    layer = count_cost(
        lambda x: aten.native_layer_norm_backward(x, x, [5], kept, kept, x[0, 0], x[0, 0], mask), x
    )
    scaled = {"scaled": True, "shifted": True}
    assert layer == formula.normalization(12, 5) + formula.affine(12, 5, **scaled)
    groups = torch.zeros(2, 3)
    channels = torch.zeros(6)
    group = count_cost(
        lambda x: aten.native_group_norm_backward(x, x, groups, groups, channels, 2, 6, 5, 3, mask),
        x,
    )
    assert group == formula.normalization(6, 10) + formula.affine(10, 6, **scaled)
    batch = count_cost(
        lambda x: aten.native_batch_norm_backward(
            *(x, x, channels, channels, channels, channels, channels, True, 1e-5, mask)
        ),
        x,
    )
    assert batch == formula.normalization(6, 10) + formula.affine(10, 6, **scaled)


@EXACT
@given(groups=SIZE, n=SIZE)
def test_weight_norm(groups: int, n: int) -> None:
    g, v, w = draw_normal((groups, n), (groups, n), (groups, 1))
    lengths = torch.linalg.vector_norm(v, dim=1, keepdim=True)

    def call(g: Any, v: Any, w: Any, lengths: Any) -> Any:
        by_v, by_w = aten._weight_norm_interface_backward(g, v, w, lengths, 0)  # noqa: SLF001
        return torch.cat([by_v.flatten(), by_w.flatten()])

    def reference(g: Any, v: Any, w: Any, lengths: Any) -> np.ndarray:
        return naive.weight_norm(g, v, w[:, 0], lengths[:, 0])

    prove(call, reference, g, v, w, lengths, formula=formula.weight_norm(groups, n))


@EXACT
@given(
    batch=st.integers(1, 2),
    channels=SIZE,
    features=SIZE,
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    padding=st.integers(0, 2),
)
def test_convolutions(
    batch: int, channels: int, features: int, kernel: int, stride: int, padding: int
) -> None:
    x, W = draw_normal((batch, channels, 5), (features, channels, kernel))
    out = torch.conv1d(x, W, stride=stride, padding=padding)
    (g,) = draw_normal(out.shape)
    sizes = (out.numel() * channels * kernel, out.numel(), features)

    def call(part: int) -> Callable[..., Any]:
        mask = [part == i for i in range(3)]
        options = ([features], [stride], [padding], [1], False, [0], 1, mask)
        return lambda g, x, W: aten.convolution_backward(g, x, W, *options)[part]

    references = {
        "of_input": lambda g, _, W: naive.convolution_of_input(g, W, x.shape, stride, padding),
        "of_weight": lambda g, x, _: naive.convolution_of_weight(g, x, W.shape, stride, padding),
        "of_bias": lambda g, *_: naive.column_sums(np.moveaxis(g, 1, 2).reshape(-1, features)),
    }
    for part, (name, reference) in enumerate(references.items()):
        chosen = {kind: kind == name for kind in references}
        prove(call(part), reference, g, x, W, formula=formula.convolution(*sizes, **chosen))


def test_a_transposed_convolution_takes_input_positions_times_taps() -> None:
    x, W = draw_normal((1, 3, 5), (3, 2, 4))
    g = torch.conv_transpose1d(x, W, stride=2)
    mask = [True, True, False]
    cost = count_cost(
        lambda g: aten.convolution_backward(g, x, W, None, [2], [0], [1], True, [0], 1, mask), g
    )
    assert cost == OpCost(macs=2 * x.numel() * 2 * 4)


@EXACT
@given(L=SIZE, S=SIZE, E=SIZE, Ev=SIZE)
def test_attention(L: int, S: int, E: int, Ev: int) -> None:
    q, k, v, g = draw_normal((L, E), (S, E), (S, Ev), (L, Ev))

    def probabilities(q: Any, k: Any) -> Any:
        return torch.softmax(q @ k.T / E**0.5, -1)

    def call(q: Any, k: Any, v: Any, _P: Any, g: Any) -> Any:
        leaves = [t.detach().requires_grad_() for t in (q, k, v)]
        with torch.enable_grad():
            out = probabilities(*leaves[:2]) @ leaves[2]
        return torch.cat([t.flatten() for t in torch.autograd.grad(out, leaves, g)])

    def reference(q: Any, k: Any, v: Any, P: Any, g: Any) -> np.ndarray:
        return np.concatenate([t.reshape(-1) for t in naive.attention(g, q, k, v, P)])

    operands = (q, k, v, probabilities(q, k), g)
    spent = run_reference(reference, *operands, expected=call(*operands))
    assert spent == formula.attention(1, L, S, E, Ev)
    rule = ATEN_RULES["aten._scaled_dot_product_flash_attention_for_cpu_backward"]
    heads = [t.expand(2, 3, *t.shape) for t in (g, q, k, v)]
    assert rule(None, *heads, None, None, 0.0, False) == spent * 6


@pytest.mark.parametrize("scaled", [False, True])
def test_scattered_gradients_are_added(*, scaled: bool) -> None:
    (g,) = draw_normal((2, 1, 3, 1))
    places = torch.tensor([0, 4, 4, 1, 1, 5]).view(2, 1, 3, 1)
    rows = torch.stack([g[0], g[1]]).flatten()

    def call(g: Any) -> Any:
        return aten.embedding_dense_backward(g.view(6, 1), places.flatten(), 6, -1, scaled)

    prove(
        call,
        lambda g: naive.scatter(g, places.flatten().numpy(), 6, scaled=scaled),
        rows,
        formula=formula.scatter_by_frequency(6) if scaled else formula.scatter(6),
    )


def test_average_pooling() -> None:
    (g,) = draw_normal((3,))
    windows = [slice(0, 2), slice(1, 4), slice(3, 5)]  # of 5 numbers, cut into 3
    assert [w.stop - w.start for w in windows] == adaptive_windows(5, 3)

    def call(g: Any) -> Any:
        x = torch.zeros(1, 1, 5, 1, dtype=torch.float64)
        return aten._adaptive_avg_pool2d_backward(g.view(1, 1, 3, 1), x).flatten()  # noqa: SLF001

    cost = formula.average_pool(3, 7)
    prove(call, lambda g: naive.average_pool(g, windows, 5), g, formula=cost)
    x = torch.zeros(1, 2, 6, 4)
    pooled = torch.zeros(1, 2, 3, 2)
    fixed = count_cost(
        lambda g: aten.avg_pool2d_backward(g, x, [2, 2], [2, 2], [0, 0], False, True, None), pooled
    )
    assert fixed == formula.average_pool(12, 48)


def test_interpolation_spreads_gradients() -> None:
    (g,) = draw_normal((7,))
    near = [resampling.linear(i, 4, 7) for i in range(7)]

    def call(g: Any) -> Any:
        return aten.upsample_linear1d_backward(g.view(1, 1, 7), [7], [1, 1, 4], False).flatten()

    prove(call, lambda g: naive.spread(g, near, 4), g, formula=formula.spread(7, 2))


def test_gradients_of_small_numbers() -> None:
    """The inputs cover both sides of each activation's corner."""
    (x,) = draw_uniform(-4, 4, (200,))
    assert (x < -3).any()
    assert (x > 3).any()
    prove(
        aten.hardswish_backward,
        naive.each(naive.hard_swish),
        torch.ones_like(x),
        x,
        formula=formula.HARD_SWISH * 200,
    )
