"""Gradients of losses, frozen norms, distances and sampling against loops and torch's own."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inspect_cost.formulas import backward as formula
from inspect_cost.formulas.contraction import dot_products
from inspect_cost.formulas.pointwise import DIV, MUL
from inspect_cost.formulas.resampling import grid_positions, nearest_grid
from inspect_cost.values.cost import OpCost
from tests.formulas.naive import backward as naive
from tests.formulas.naive import losses
from tests.formulas.proof import EXACT, SIZE, count_cost, draw_normal, draw_uniform, prove

aten = torch.ops.aten
MEAN, SUM = 1, 2
G = 0.7
ARRIVED = torch.tensor(G, dtype=torch.float64)

LOSSES: dict[str, tuple[Callable[..., Any], Callable[..., Any], OpCost]] = {
    "huber": (lambda *a: aten.huber_loss_backward(*a, 1.0), naive.huber, formula.HUBER),
    "smooth l1": (lambda *a: aten.smooth_l1_loss_backward(*a, 1.0), naive.huber, formula.HUBER),
    "soft margin": (aten.soft_margin_loss_backward, naive.soft_margin, formula.SOFT_MARGIN),
    "cross entropy": (
        lambda g, x, t, reduction: aten.binary_cross_entropy_backward(g, x, t, None, reduction),
        lambda x, t, g, c: naive.cross_entropy(x, t, None, g, c),
        formula.CROSS_ENTROPY,
    ),
}


@pytest.mark.parametrize("reduction", [MEAN, SUM])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_two_tensors(name: str, reduction: int) -> None:
    call, derivative, cost = LOSSES[name]
    low, high = (0.1, 0.9) if name == "cross entropy" else (-3, 3)
    x, target = draw_uniform(low, high, (12,), (12,))
    c = 1 / 12 if reduction == MEAN else 1.0
    prove(
        lambda x, target: call(ARRIVED, x, target, reduction),
        naive.each(lambda x, t: derivative(x, t, G, c)),
        x,
        target,
        formula=cost * 12,
    )


def test_a_weighted_cross_entropy_takes_one_product_more() -> None:
    x, target, weight = draw_uniform(0.1, 0.9, (5,), (5,), (5,))
    prove(
        lambda x, t, w: aten.binary_cross_entropy_backward(ARRIVED, x, t, w, MEAN),
        naive.each(lambda x, t, w: naive.cross_entropy(x, t, w, G, 1 / 5)),
        x,
        target,
        weight,
        formula=(formula.CROSS_ENTROPY + MUL) * 5,
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("p", [1, 2])
@EXACT
@given(samples=SIZE, classes=SIZE)
def test_multi_margin(p: int, weighted: bool, samples: int, classes: int) -> None:
    x, (w,) = draw_normal((samples, classes))[0], draw_uniform(0.1, 0.9, (classes,))
    margin = 1000.0
    prove(
        lambda x, t, w, g: aten.multi_margin_loss_backward(g, x, t, p, margin, w, MEAN),
        partial(naive.multi_margin, p=p, margin=margin, c=1 / (samples * classes)),
        x,
        torch.arange(samples) % classes,
        w if weighted else None,
        ARRIVED,
        formula=formula.multi_margin(samples, classes, squared=p == 2, weighted=weighted),
    )


@EXACT
@given(samples=SIZE, labels=st.integers(1, 3))
def test_multi_label_margin(samples: int, labels: int) -> None:
    (x,) = draw_uniform(-0.1, 0.1, (samples, 5))  # so that all pairs are within the margin
    target = torch.full((samples, 5), -1)
    target[:, :labels] = torch.arange(labels)
    is_target = torch.zeros(samples, 5, dtype=torch.float64)
    is_target[:, :labels] = 1

    def call(x: Any, target: Any, g: Any) -> Any:
        return aten.multilabel_margin_loss_backward(g, x, target, MEAN, is_target)

    prove(
        call,
        lambda x, t, g: naive.multi_label_margin(x, t, g, 1 / (samples * 5)),
        x,
        target,
        ARRIVED,
        formula=formula.multi_label_margin(samples * labels * (5 - labels), samples),
    )


@EXACT
@given(steps=st.integers(4, 6), labels=st.lists(st.integers(1, 3), min_size=1, max_size=2))
def test_connectionist_temporal_classification(steps: int, labels: list[int]) -> None:
    """Every state counts as if three led to it and its class had another, as in the forward."""
    log_probs = draw_normal((steps, 4))[0].log_softmax(-1)
    lengths = torch.tensor([steps]), torch.tensor([len(labels)])
    x = log_probs[:, None].requires_grad_()
    F.ctc_loss(x, torch.tensor([labels]), *lengths, reduction="sum").backward()
    gradient, visits, pairs = losses.connectionist_temporal_gradient(log_probs.tolist(), labels)
    assert x.grad is not None
    torch.testing.assert_close(x.grad[:, 0], torch.tensor(gradient, dtype=torch.float64))
    state, pair = OpCost(compare=2, add=7, special=4), OpCost(compare=1, add=5, special=3)
    spent = state * visits + pair * pairs + OpCost(special=2, add=3, mul=1) * (steps * 4)
    assert formula.connectionist_temporal(steps, 2 * len(labels) + 1, 1, 4) == spent

    def backward(g: Any, x: Any) -> Any:
        kept = aten._ctc_loss(x, torch.tensor([labels]), [steps], [len(labels)])  # noqa: SLF001
        targets = (torch.tensor([labels]), [steps], [len(labels)])
        return aten._ctc_loss_backward(g, x, *targets, *kept, 0)  # noqa: SLF001

    both = count_cost(backward, torch.ones(1, dtype=torch.float64), x.detach())
    forward = count_cost(
        lambda x: aten._ctc_loss(x, torch.tensor([labels]), [steps], [len(labels)])[0],  # noqa: SLF001
        x.detach(),
    )
    assert both == forward + spent


ELEMENTWISE: dict[str, tuple[Callable[..., Any], Callable[..., Any], OpCost]] = {
    "hardshrink": (
        lambda g, x: aten.hardshrink_backward(g, x, 0.5),
        naive.shrink,
        formula.HARD_SHRINK,
    ),
    "softshrink": (
        lambda g, x: aten.softshrink_backward(g, x, 0.5),
        naive.shrink,
        formula.SOFT_SHRINK,
    ),
    "rrelu": (
        lambda g, x: aten.rrelu_with_noise_backward(g, x, x, 0.1, 0.3, True, False),
        lambda g, noise: g * noise,
        formula.RANDOM_LEAKY_RELU,
    ),
    "rrelu at inference": (
        lambda g, x: aten.rrelu_with_noise_backward(g, x, x, 0.1, 0.1, False, False),
        naive.leaky_relu,
        formula.LEAKY_RELU,
    ),
    "logit": (aten.logit_backward, naive.logit, formula.LOGIT),
    "logit between": (
        lambda g, x: aten.logit_backward(g, x, 0.3),
        naive.logit_between,
        formula.LOGIT_BETWEEN,
    ),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name: str) -> None:
    call, derivative, cost = ELEMENTWISE[name]
    low, high = (0.1, 0.9) if "logit" in name else (-2, 2)
    g, x = draw_normal((12,))[0], draw_uniform(low, high, (12,))[0]
    prove(call, naive.each(derivative), g, x, formula=cost * 12)


@pytest.mark.parametrize("scaled", [False, True])
@EXACT
@given(rows=SIZE, features=SIZE)
def test_norms_by_stored_statistics(scaled: bool, rows: int, features: int) -> None:
    g, x, mean, w = draw_normal((rows, features), (rows, features), (features,), (features,))
    (var,) = draw_uniform(0.5, 2, (features,))
    weight = w if scaled else None

    def call(g: Any, x: Any, mean: Any, var: Any, w: Any) -> Any:
        mask = [True, scaled, scaled]
        parts = aten.native_batch_norm_backward(
            *(g, x, w, mean, var, mean[:0], mean[:0], False, 1e-5, mask)
        )
        return torch.cat([part.flatten() for part in parts[: 3 if scaled else 1]])

    def reference(g: Any, x: Any, mean: Any, var: Any, w: Any) -> Any:
        if not scaled:
            return naive.frozen_normalization_of_input(g, var, None, eps=1e-5)
        by_x, by_w, by_b = naive.frozen_normalization(g, x, mean, var, w, eps=1e-5)
        return np.array([*by_x.flat, *by_w, *by_b], dtype=object)

    cost = formula.frozen_normalization(
        rows, features, scaled=scaled, of_input=True, of_weight=scaled, of_bias=scaled
    )
    prove(call, reference, g, x, mean, var, weight, formula=cost)


ORDERS = [0.0, 1.0, 2.0, 3.0, float("inf")]


@pytest.mark.parametrize("order", ORDERS[1:])
@EXACT
@given(m=SIZE, k=SIZE, n=SIZE)
def test_distances_of_all_pairs(order: float, m: int, k: int, n: int) -> None:
    g, x, y = draw_normal((m, k), (m, n), (k, n))
    lengths = torch.cdist(x, y, order, compute_mode="donot_use_mm_for_euclid_dist")
    prove(
        lambda g, x, y, d: aten._cdist_backward(g, x, y, order, d),  # noqa: SLF001
        partial(naive.each_to_each, order=order),
        g,
        x,
        y,
        lengths,
        formula=formula.distance(m * k, n, order, ends=1),
    )


@pytest.mark.parametrize("order", ORDERS[1:])
@EXACT
@given(m=st.integers(2, 4), n=SIZE)
def test_distances_between_rows(order: float, m: int, n: int) -> None:
    x, g = draw_normal((m, n), (m * (m - 1) // 2,))
    prove(
        lambda g, x, d: aten._pdist_backward(g, x, order, d),  # noqa: SLF001
        partial(naive.within, order=order),
        g,
        x,
        F.pdist(x, order),
        formula=formula.distance(len(g), n, order, ends=2),
    )


def test_steps_have_no_slope() -> None:
    assert formula.distance(3, 4, 0.0, ends=1) == OpCost()
    x, grid = draw_normal((1, 2, 3, 4), (1, 2, 2, 2))
    g = draw_normal((1, 2, 2, 2))[0]
    nearest = [
        count_cost(
            lambda g, x, p, m=mask: aten.grid_sampler_2d_backward(g, x, p, 1, 0, False, m),
            g,
            x,
            grid,
        )
        for mask in ([False, True], [True, False], [True, True])
    ]
    taken = grid_positions(4, 2, aligned=False, clamped=False) + nearest_grid(4, 2)
    assert nearest == [OpCost(), taken + formula.scatter(8), taken + formula.scatter(8)]


@EXACT
@given(h=st.integers(1, 6), w=st.integers(2, 6), outs=st.tuples(SIZE, st.integers(2, 4)))
def test_antialiased_interpolation(h: int, w: int, outs: tuple[int, int]) -> None:
    (g,) = draw_normal((1, 2, *outs))
    prove(
        lambda g: aten._upsample_bilinear2d_aa_backward(  # noqa: SLF001
            g, outs, [1, 2, h, w], False
        ),
        lambda g: naive.antialiased(g, (h, w)),
        g,
        formula=formula.antialiased_interpolation(2, (h, w), outs, 2),
    )


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("clamped", [False, True])
@EXACT
@given(channels=SIZE, sizes=st.tuples(*[st.integers(2, 4)] * 3), n=st.integers(1, 2))
def test_sampling_at_points_of_a_grid(
    dimensions: int, aligned: bool, clamped: bool, channels: int, sizes: Any, n: int
) -> None:
    points = [2] * (dimensions - 1) + [n]
    x, grid = draw_normal((2, channels, *sizes[:dimensions]), (2, *points, dimensions))
    (g,) = draw_normal((2, channels, *points))
    backward = getattr(aten, f"grid_sampler_{dimensions}d_backward")
    options = {"aligned": aligned, "clamped": clamped}
    places = grid_positions(grid.numel() // dimensions, dimensions, **options)
    cost = partial(
        formula.linear_grid, grid.numel() // dimensions, channels, dimensions, clamped=clamped
    )

    def call(part: int) -> Callable[..., Any]:
        mask = [part == 0, part == 1]
        return lambda g, x, p: backward(g, x, p, 0, int(clamped), aligned, mask)[part]

    prove(
        call(0),
        lambda g, _x, p: naive.sample_grid_of_input(g, p, x.shape, **options),
        g,
        x,
        grid,
        formula=places + cost(of_input=True, of_grid=False),
    )
    prove(
        call(1),
        lambda g, x, p: naive.sample_grid_of_grid(g, x, p, **options),
        g,
        x,
        grid,
        formula=places + cost(of_input=False, of_grid=True),
    )


PADS = {"reflection": [2, 1, 0, 1, 2, 1, 0], "replication": [0, 0, 0, 1, 2, 2, 2]}


@pytest.mark.parametrize("kind", PADS)
def test_padding_adds_gradients_to_what_was_repeated(kind: str) -> None:
    (g,) = draw_normal((1, 7))
    pad = getattr(aten, f"{kind}_pad1d_backward")
    x = torch.zeros(1, 3, dtype=torch.float64)
    places = np.array(PADS[kind])
    cost = formula.scatter(7)
    prove(lambda g: pad(g, x, [2, 2]), lambda g: naive.scatter(g, places, 3), g, formula=cost)


def test_bags_of_rows_are_contractions() -> None:
    indices, offsets = torch.tensor([1, 2, 4, 1]), torch.tensor([0, 3])

    def gradient(mode: str, *, scaled: bool = False) -> OpCost:
        def call(weight: Tensor, g: Tensor) -> Any:
            leaf = weight.detach().requires_grad_()
            code = {"sum": 0, "mean": 1, "max": 2}[mode]
            _, of, size, largest = aten._embedding_bag(  # noqa: SLF001
                leaf.detach(), indices, offsets, scaled, code
            )
            kept = (indices, offsets, of, size, largest, 5, scaled, code, False, None)
            return aten._embedding_bag_backward(g, *kept)  # noqa: SLF001

        weight, g = draw_normal((5, 3), (2, 3))
        both = count_cost(call, weight, g)
        forward = count_cost(lambda w: F.embedding_bag(indices, w, offsets, mode=mode), weight)
        return OpCost(
            macs=both.macs - forward.macs,
            add=both.add - forward.add,
            div=both.div - forward.div,
            compare=both.compare - forward.compare,
        )

    assert gradient("sum") == dot_products(3, 4)
    assert gradient("mean") == dot_products(3, 4) + DIV * 6
    assert gradient("max") == formula.scatter(6)
    assert gradient("sum", scaled=True) == dot_products(3, 4) + DIV * 12
    assert gradient("mean", scaled=True) == dot_products(3, 4) + DIV * (6 + 12)
