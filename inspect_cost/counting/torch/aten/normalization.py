"""Rules of normalisation layers."""

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import normalization as formula
from inspect_cost.values.cost import FREE, OpCost


def layer_norm(
    out: Any,
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *_rest: Any,
) -> OpCost:
    """Count a layer norm, with statistics over the trailing dimensions."""
    n = prod(normalized_shape)
    groups = x.numel() // max(1, n)
    return formula.layer_norm(groups, n, scaled=weight is not None, shifted=bias is not None)


def rms_norm(
    out: Any,
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    *_rest: Any,
) -> OpCost:
    """Count a root mean square norm over the trailing dimensions."""
    n = prod(normalized_shape)
    return formula.rms_norm(x.numel() // max(1, n), n, scaled=weight is not None)


def group_norm(
    out: Any,
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *_rest: Any,
) -> OpCost:
    """Count a group norm, with statistics over each group of channels of each batch entry."""
    groups = x.shape[0] * num_groups
    if not groups:
        return FREE
    n = x.numel() // groups
    return formula.layer_norm(groups, n, scaled=weight is not None, shifted=bias is not None)


def native_group_norm(
    out: Any,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: int,
    channels: int,
    positions: int,
    num_groups: int,
    eps: float,
) -> OpCost:
    """Count the operator that group norm becomes below autograd."""
    return group_norm(out, x, num_groups, weight, bias)


def instance_norm(
    out: Any,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    *_rest: Any,
) -> OpCost:
    """Count an instance norm, with statistics of each channel and batch entry, or stored ones."""
    if use_input_stats:
        return group_norm(out, x, x.shape[1], weight, bias)
    return batch_norm(out, x, weight, bias, running_mean, running_var, training=False)


def batch_norm(
    out: Any,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    *_rest: Any,
) -> OpCost:
    """Count a batch norm, with the batch's statistics in training and stored ones at inference."""
    kind = formula.batch_norm_training if training else formula.batch_norm_inference
    channels = x.shape[1]
    return kind(x.numel(), channels, scaled=weight is not None, shifted=bias is not None)


def batch_norm_without_training(
    out: Any,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    *_rest: Any,
) -> OpCost:
    """Count the overloads that always use stored statistics."""
    return batch_norm(out, x, weight, bias, mean, var, training=False)


def batch_norm_without_statistics(
    out: Any,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    *_rest: Any,
) -> OpCost:
    """Count the overload without stored statistics, which uses the batch's."""
    return batch_norm(out, x, weight, bias, None, None, training)


def weight_norm(out: Any, v: Tensor, g: Tensor, dim: int = 0) -> OpCost:
    """Count a weight norm with one group for each entry of g."""
    return formula.weight_norm(v.numel(), g.numel())


NORMALIZATIONS: dict[str, Rule] = {
    "aten.layer_norm": layer_norm,
    "aten.native_layer_norm": layer_norm,
    "aten.rms_norm": rms_norm,
    "aten._fused_rms_norm": rms_norm,
    "aten.group_norm": group_norm,
    "aten.native_group_norm": native_group_norm,
    "aten.instance_norm": instance_norm,
    "aten.batch_norm": batch_norm,
    "aten.native_batch_norm": batch_norm,
    "aten.cudnn_batch_norm": batch_norm,
    "aten.miopen_batch_norm": batch_norm,
    "aten._native_batch_norm_legit": batch_norm,
    "aten._native_batch_norm_legit.no_stats": batch_norm_without_statistics,
    "aten._native_batch_norm_legit_no_training": batch_norm_without_training,
    "aten._weight_norm": weight_norm,
    "aten._weight_norm_interface": weight_norm,
}
