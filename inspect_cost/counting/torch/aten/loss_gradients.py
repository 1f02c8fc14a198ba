"""Rules of the gradients of losses, and of embedding bags.

The constant of a mean is multiplied by, whatever the reduction.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.losses import count_pairs, size_signals
from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import backward as formula
from inspect_cost.formulas.contraction import dot_products
from inspect_cost.formulas.pointwise import DIV, MUL
from inspect_cost.values.cost import FREE, OpCost


def each(cost: OpCost) -> Rule:
    """Make the rule of a cost for each element of the input."""

    def rule(out: Tensor, gradient: Tensor, x: Tensor, *_rest: Any) -> OpCost:
        return cost * x.numel()

    return rule


def nll_loss(out: Tensor, gradient: Tensor, x: Tensor, target: Tensor, *_rest: Any) -> OpCost:
    """Count one division for each target."""
    return formula.negative_log_likelihood(target.numel())


def cross_entropy(
    out: Tensor,
    gradient: Tensor,
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *_reduction: int,
) -> OpCost:
    """Count the gradient of the cross-entropy of probabilities, weighted or not."""
    return (formula.CROSS_ENTROPY + (FREE if weight is None else MUL)) * x.numel()


def multi_margin(
    out: Tensor,
    gradient: Tensor,
    x: Tensor,
    target: Tensor,
    p: float,
    margin: float,
    weight: Tensor | None = None,
    *_reduction: int,
) -> OpCost:
    """Count the gradient of the margins of (samples, classes), or of one sample."""
    samples, classes = x.numel() // x.shape[-1], x.shape[-1]
    return formula.multi_margin(samples, classes, squared=p != 1, weighted=weight is not None)


def multi_label_margin(
    out: Tensor, gradient: Tensor, x: Tensor, target: Tensor, *_rest: Any
) -> OpCost | None:
    """Count the gradient of the margins of all pairs; their number depends on the targets."""
    if target.is_meta:
        return None
    return formula.multi_label_margin(count_pairs(target), x.numel() // x.shape[-1])


def connectionist_temporal(
    out: Tensor,
    gradient: Tensor,
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    *_rest: Any,
) -> OpCost | None:
    """Count (T, B, C) or (T, C), with all signals as long as the longest and labels as given."""
    sizes = size_signals(log_probs, target_lengths)
    return None if sizes is None else formula.connectionist_temporal(*sizes, log_probs.shape[-1])


def embedding_bag(
    out: Tensor,
    gradient: Tensor,
    indices: Tensor,
    offsets: Tensor,
    offset2bag: Tensor,
    bag_size: Tensor,
    maximum_indices: Tensor,
    num_weights: int,
    scale_grad_by_freq: bool,
    mode: int,
    *_rest: Any,
) -> OpCost | None:
    """Count the rows' gradients: the forward's contraction, transposed; a maximum is scattered.

    If they are scaled, each is first divided by how often its row was looked up.
    """
    if mode == _MAX_OF_BAG:
        return formula.scatter(gradient.numel())
    rows = indices.numel() * gradient.shape[-1]
    divided = (gradient.numel() if mode == _MEAN_OF_BAG else 0) + (
        rows if scale_grad_by_freq else 0
    )
    return dot_products(gradient.shape[-1], indices.numel()) + DIV * divided


def weights_of_bag(
    out: Tensor, gradient: Tensor, weight: Tensor, indices: Tensor, *_rest: Any
) -> OpCost:
    """Count the gradient of each sample's weight: a product of its row and its bag's gradient."""
    return dot_products(indices.numel(), weight.shape[-1])


_MEAN_OF_BAG, _MAX_OF_BAG = 1, 2

LOSS_GRADIENTS: dict[str, Rule] = {
    "aten.mse_loss_backward": lambda out, *_args: formula.MSE_LOSS * out.numel(),
    "aten.nll_loss_backward": nll_loss,
    "aten.nll_loss2d_backward": nll_loss,
    "aten.huber_loss_backward": each(formula.HUBER),
    "aten.smooth_l1_loss_backward": each(formula.HUBER),
    "aten.soft_margin_loss_backward": each(formula.SOFT_MARGIN),
    "aten.binary_cross_entropy_backward": cross_entropy,
    "aten.multi_margin_loss_backward": multi_margin,
    "aten.multilabel_margin_loss_backward": multi_label_margin,
    "aten._ctc_loss_backward": connectionist_temporal,
    "aten._embedding_bag_backward": embedding_bag,
    "aten._embedding_bag_per_sample_weights_backward": weights_of_bag,
}
