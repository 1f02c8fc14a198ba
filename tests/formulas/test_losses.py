"""Losses, element by element or sample by sample, and their reductions."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inspect_cost.formulas import losses as formula
from inspect_cost.values.cost import OpCost
from tests.formulas.naive import losses as naive
from tests.formulas.proof import EXACT, SIZE, count_cost, draw_normal, draw_uniform, prove

Loss = Callable[..., Any]

OF_TWO: dict[str, tuple[Loss, Loss, OpCost]] = {
    "mse": (F.mse_loss, naive.squared_error, formula.SQUARED_ERROR),
    "huber": (F.huber_loss, naive.huber, formula.HUBER),
    "smooth l1": (F.smooth_l1_loss, naive.huber, formula.HUBER),
    "soft margin": (F.soft_margin_loss, naive.soft_margin, formula.SOFT_MARGIN),
    "cross entropy": (F.binary_cross_entropy, naive.cross_entropy, formula.CROSS_ENTROPY),
    "logits": (
        F.binary_cross_entropy_with_logits,
        naive.cross_entropy_of_logits,
        formula.LOGITS,
    ),
}


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", OF_TWO)
@EXACT
@given(m=SIZE, n=SIZE)
def test_losses_of_two_tensors(name: str, reduction: str, m: int, n: int) -> None:
    call, loss, element = OF_TWO[name]
    x, y = draw_uniform(0.1, 0.9, (m, n), (m, n))
    expected = element * (m * n) if reduction == "none" else None
    prove(partial(call, reduction=reduction), naive.each(loss, reduction), x, y, formula=expected)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@EXACT
@given(m=SIZE, n=SIZE)
def test_weights_are_multiplied_by(weighted: bool, positive: bool, m: int, n: int) -> None:
    x, y, w, p = draw_uniform(0.1, 0.9, *[(m, n)] * 4)
    weights = (w if weighted else None, p if positive else None)

    def call(x: Tensor, y: Tensor, w: Tensor | None, p: Tensor | None) -> Tensor:
        return F.binary_cross_entropy_with_logits(x, y, w, pos_weight=p)

    prove(call, naive.each(naive.cross_entropy_of_logits, "mean"), x, y, *weights)
    if not positive:
        reference = naive.each(naive.cross_entropy, "mean")
        prove(F.binary_cross_entropy, reference, x, y, weights[0])


def test_a_weight_of_positives_is_two_products_and_two_sums() -> None:
    x, y, p = draw_uniform(0.1, 0.9, (5,), (5,), (5,))
    call = partial(F.binary_cross_entropy_with_logits, reduction="none")
    more = count_cost(lambda x, y, p: call(x, y, pos_weight=p), x, y, p)
    assert more == (formula.LOGITS + formula.POSITIVE_WEIGHT) * 5


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@EXACT
@given(samples=SIZE, classes=SIZE)
def test_negative_log_likelihood(
    weighted: bool, reduction: str, samples: int, classes: int
) -> None:
    x, (w,) = draw_normal((samples, classes))[0], draw_uniform(0.1, 0.9, (classes,))
    target = torch.arange(samples) % classes
    plain = formula.LIKELIHOOD * samples if reduction == "none" and not weighted else None
    prove(
        lambda x, t, w: F.nll_loss(x, t, w, reduction=reduction),
        partial(naive.likelihood, reduction=reduction),
        x,
        target,
        w if weighted else None,
        formula=plain,
    )


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("p", [1, 2])
@EXACT
@given(samples=SIZE, classes=st.integers(2, 4))
def test_multi_margin(p: int, weighted: bool, reduction: str, samples: int, classes: int) -> None:
    x, (w,) = draw_normal((samples, classes))[0], draw_uniform(0.1, 0.9, (classes,))
    expected = formula.multi_margin(samples, classes, squared=p == 2, weighted=weighted)
    prove(
        lambda x, t, w: F.multi_margin_loss(x, t, p, weight=w, reduction=reduction),
        partial(naive.multi_margin, p=p, reduction=reduction),
        x,
        torch.arange(samples) % classes,
        w if weighted else None,
        formula=expected if reduction == "none" else None,
    )
    assert OpCost(add=2, compare=1) == formula.MARGIN


@EXACT
@given(samples=SIZE, classes=st.integers(2, 4))
def test_multi_label_margin_takes_pairs_of_a_label_and_another(samples: int, classes: int) -> None:
    (x,) = draw_normal((samples, classes))
    target = torch.full((samples, classes), -1)
    target[:, 0] = torch.arange(samples) % classes
    prove(F.multilabel_margin_loss, naive.multi_label_margin, x, target)
    each = formula.multi_label_margin(samples * (classes - 1), samples)
    assert count_cost(partial(F.multilabel_margin_loss, reduction="none"), x, target) == each


@EXACT
@given(steps=st.integers(3, 6), labels=st.lists(st.integers(1, 3), min_size=1, max_size=2))
def test_connectionist_temporal_classification_follows_its_convention(
    steps: int, labels: list[int]
) -> None:
    """Every state after the first step counts as if three led to it, as is true of inner states."""
    log_probs = draw_normal((steps, 4))[0].log_softmax(-1)
    loss, visits = naive.connectionist_temporal(log_probs.tolist(), labels)
    lengths = torch.tensor([steps]), torch.tensor([len(labels)])

    def call(x: Tensor) -> Tensor:
        return F.ctc_loss(x[:, None], torch.tensor([labels]), *lengths, reduction="none")

    assert call(log_probs).item() == pytest.approx(loss)
    expected = formula.connectionist_temporal(steps, 2 * len(labels) + 1, 1)
    assert count_cost(call, log_probs) == expected
    state, end = OpCost(compare=2, add=7, special=4), OpCost(compare=1, add=5, special=3)
    assert expected == state * visits + end
