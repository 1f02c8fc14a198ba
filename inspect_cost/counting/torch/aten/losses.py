"""Rules of losses, which a forward may compute; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import losses as formula
from inspect_cost.formulas.pointwise import MUL
from inspect_cost.formulas.reduction import mean, summation
from inspect_cost.values.cost import FREE, OpCost

MEAN, SUM = 1, 2


def reduce_losses(losses: int, reduction: int) -> OpCost:
    """Count the reduction of a number of losses."""
    if not losses:
        return FREE
    return {MEAN: mean(1, losses), SUM: summation(1, losses)}.get(reduction, FREE)


def pointwise_loss(element: OpCost) -> Rule:
    """Make the rule of a loss that compares two tensors element by element."""

    def rule(out: Tensor, x: Tensor, target: Tensor, reduction: int = MEAN, *_rest: Any) -> OpCost:
        return element * x.numel() + reduce_losses(x.numel(), reduction)

    return rule


def cross_entropy(
    out: Tensor, x: Tensor, target: Tensor, weight: Tensor | None = None, reduction: int = MEAN
) -> OpCost:
    """Count the cross-entropy of probabilities, weighted or not."""
    element = formula.CROSS_ENTROPY + (FREE if weight is None else MUL)
    return element * x.numel() + reduce_losses(x.numel(), reduction)


def cross_entropy_of_logits(
    out: Tensor,
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: int = MEAN,
) -> OpCost:
    """Count the cross-entropy of logits, with or without a weight for positives."""
    positive = FREE if pos_weight is None else formula.POSITIVE_WEIGHT
    element = formula.LOGITS + positive + (FREE if weight is None else MUL)
    return element * x.numel() + reduce_losses(x.numel(), reduction)


def negative_log_likelihood(
    out: Any,
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: int = MEAN,
    ignore_index: int = -100,
) -> OpCost:
    """Count the targets' likelihoods; a weighted mean is divided by the sum of the weights."""
    samples = target.numel()
    spent = formula.LIKELIHOOD * samples + reduce_losses(samples, reduction)
    if weight is None:
        return spent
    weights_summed = summation(1, samples) if reduction == MEAN and samples else FREE
    return spent + MUL * samples + weights_summed


def multi_margin(
    out: Tensor,
    x: Tensor,
    target: Tensor,
    p: float = 1,
    margin: float = 1,
    weight: Tensor | None = None,
    reduction: int = MEAN,
) -> OpCost:
    """Count the margins of (samples, classes), or of one sample."""
    samples, classes = x.numel() // max(1, x.shape[-1]), x.shape[-1]
    margins = formula.multi_margin(samples, classes, squared=p != 1, weighted=weight is not None)
    return margins + reduce_losses(samples, reduction)


def multi_label_margin(out: Any, x: Tensor, target: Tensor, reduction: int) -> OpCost | None:
    """Count the margins of all pairs; their number depends on the targets' values."""
    if target.is_meta:
        return None
    samples = target.numel() // x.shape[-1]
    margins = formula.multi_label_margin(count_pairs(target), samples)
    return margins + reduce_losses(samples, reduction)


def count_pairs(target: Tensor) -> int:
    """Count the pairs of a label and a class that is none, of all samples."""
    classes = target.shape[-1]
    rows = target.reshape(-1, classes).tolist()
    labels = [len(set(row[: row.index(-1)] if -1 in row else row)) for row in rows]
    return sum(n * (classes - n) for n in labels)


def connectionist_temporal(
    out: Any,
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    *_rest: Any,
) -> OpCost | None:
    """Count (T, B, C) or (T, C), with all signals as long as the longest and labels as given."""
    sizes = size_signals(log_probs, target_lengths)
    return None if sizes is None else formula.connectionist_temporal(*sizes)


def size_signals(
    log_probs: Tensor, target_lengths: Tensor | Sequence[int]
) -> tuple[int, int, int] | None:
    """Return steps, states of all signals, and signals; None if the labels' number is unknown."""
    samples = log_probs.shape[1] if log_probs.dim() > 2 else 1  # noqa: PLR2004
    labels = sum_lengths(target_lengths)
    return None if labels is None else (log_probs.shape[0], 2 * labels + samples, samples)


def sum_lengths(lengths: Tensor | Sequence[int]) -> int | None:
    """Add up lengths; None if their values are unknown."""
    if not isinstance(lengths, Tensor):
        return sum(lengths)
    return None if lengths.is_meta else int(lengths.sum())


LOSSES: dict[str, Rule] = {
    "aten.mse_loss": pointwise_loss(formula.SQUARED_ERROR),
    "aten.huber_loss": pointwise_loss(formula.HUBER),
    "aten.smooth_l1_loss": pointwise_loss(formula.HUBER),
    "aten.soft_margin_loss": pointwise_loss(formula.SOFT_MARGIN),
    "aten.binary_cross_entropy": cross_entropy,
    "aten.binary_cross_entropy_with_logits": cross_entropy_of_logits,
    "aten.nll_loss_forward": negative_log_likelihood,
    "aten.nll_loss2d_forward": negative_log_likelihood,
    "aten.multi_margin_loss": multi_margin,
    "aten.multilabel_margin_loss_forward": multi_label_margin,
    "aten._ctc_loss": connectionist_temporal,
}
