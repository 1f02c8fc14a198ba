"""Rules of the operators that autograd calls for gradients that are not plain arithmetic."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.free import free
from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import backward as formula
from inspect_cost.values.cost import FREE, OpCost


def each(cost: OpCost) -> Rule:
    """Make the rule of a cost for each element of the incoming gradient."""

    def rule(out: Any, gradient: Tensor, *_rest: Any, **_kwargs: Any) -> OpCost:
        return cost * gradient.numel()

    return rule


def gelu(out: Tensor, gradient: Tensor, x: Tensor, *, approximate: str = "none") -> OpCost:
    """Count the gradient of GELU, exact by erf or approximate by tanh."""
    cost = formula.GELU_TANH if approximate == "tanh" else formula.GELU_ERF
    return cost * gradient.numel()


def by_row(cost: Callable[[int, int], OpCost]) -> Rule:
    """Make the rule of a softmax's gradient over one dimension."""

    def rule(out: Tensor, gradient: Tensor, y: Tensor, dim: int, *_rest: Any) -> OpCost:
        n = y.shape[dim] if y.dim() else 1
        return cost(y.numel() // n, n) if n else FREE

    return rule


def layer_norm(
    out: Any,
    gradient: Tensor,
    x: Tensor,
    normalized_shape: Sequence[int],
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    output_mask: Sequence[bool],
) -> OpCost:
    """Count the gradients of a layer norm, whose groups span the last dimensions."""
    n = prod(normalized_shape)
    rows = x.numel() // max(1, n)
    core = formula.normalization(rows, n) if output_mask[0] else FREE
    return core + formula.affine(rows, n, scaled=output_mask[1], shifted=output_mask[2])


def group_norm(
    out: Any,
    gradient: Tensor,
    x: Tensor,
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor | None,
    N: int,
    C: int,
    HxW: int,
    group: int,
    output_mask: Sequence[bool],
) -> OpCost:
    """Count the gradients of a group norm, whose groups span some channels and all positions."""
    core = formula.normalization(N * group, C // max(1, group) * HxW) if output_mask[0] else FREE
    return core + formula.affine(N * HxW, C, scaled=output_mask[1], shifted=output_mask[2])


def batch_norm(
    out: Any,
    gradient: Tensor,
    x: Tensor,
    weight: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    save_mean: Tensor | None,
    save_invstd: Tensor | None,
    train: bool,
    eps: float,
    output_mask: Sequence[bool],
) -> OpCost:
    """Count the gradients of a batch norm by the batch's statistics, or by stored ones."""
    C = x.shape[1]
    rows = x.numel() // max(1, C)
    of_input, of_weight, of_bias = output_mask
    if not train:
        return formula.frozen_normalization(
            rows,
            C,
            scaled=weight is not None,
            of_input=of_input,
            of_weight=of_weight,
            of_bias=of_bias,
        )
    core = formula.normalization(C, rows) if of_input else FREE
    return core + formula.affine(rows, C, scaled=of_weight, shifted=of_bias)


def random_leaky_relu(
    out: Any, gradient: Tensor, x: Tensor, noise: Tensor, lower: float, upper: float, training: bool
) -> OpCost:
    """Count the gradient of a leaky ReLU whose slopes were drawn, or are fixed."""
    cost = formula.RANDOM_LEAKY_RELU if training else formula.LEAKY_RELU
    return cost * gradient.numel()


def logit(out: Any, gradient: Tensor, x: Tensor, eps: float | None = None) -> OpCost:
    """Count the gradient of a logit, of all numbers or of those between two thresholds."""
    return (formula.LOGIT if eps is None else formula.LOGIT_BETWEEN) * gradient.numel()


def distance(out: Any, gradient: Tensor, x: Tensor, y: Tensor, p: float, *_rest: Any) -> OpCost:
    """Count the gradients of one operand of the distances of all pairs."""
    return formula.distance(gradient.numel(), x.shape[-1], p, ends=1)


def distance_within(out: Any, gradient: Tensor, x: Tensor, p: float, *_rest: Any) -> OpCost:
    """Count the gradients of the distances between rows, each pair once."""
    return formula.distance(gradient.numel(), x.shape[-1], p, ends=2)


def embedding(
    out: Tensor,
    gradient: Tensor,
    indices: Tensor,
    rows: int,
    padding: int,
    scale_grad_by_freq: bool,
) -> OpCost | None:
    """Count the rows' gradients, which are added up, and scaled by their frequency if asked for."""
    added = formula.scatter_by_frequency if scale_grad_by_freq else formula.scatter
    return each(added(1))(out, gradient)


def weight_norm(out: Any, gradient: Tensor, v: Tensor, g: Tensor, *_rest: Any) -> OpCost:
    """Count the gradients of weight norm; each length belongs to one group of weights."""
    return formula.weight_norm(g.numel(), v.numel() // max(1, g.numel()))


def convolution(
    out: Any,
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    output_mask: Sequence[bool],
) -> OpCost:
    """Count the gradients of a convolution or a transposed convolution."""
    positions = x if transposed else gradient
    of_input, of_weight, of_bias = output_mask
    return formula.convolution(
        positions.numel() * prod(weight.shape[1:]),
        gradient.numel(),
        gradient.shape[1],
        of_input=of_input,
        of_weight=of_weight,
        of_bias=of_bias,
    )


BACKWARD: dict[str, Rule] = {
    "aten.threshold_backward": each(formula.THRESHOLD),
    "aten.leaky_relu_backward": each(formula.LEAKY_RELU),
    "aten.hardtanh_backward": each(formula.HARD_TANH),
    "aten.sigmoid_backward": each(formula.SIGMOID),
    "aten.tanh_backward": each(formula.TANH),
    "aten.silu_backward": each(formula.SILU),
    "aten.gelu_backward": gelu,
    "aten.elu_backward": each(formula.ELU),
    "aten.softplus_backward": each(formula.SOFTPLUS),
    "aten.hardsigmoid_backward": each(formula.HARD_SIGMOID),
    "aten.hardswish_backward": each(formula.HARD_SWISH),
    "aten._prelu_kernel_backward": each(formula.PRELU),
    "aten.log_sigmoid_backward": each(formula.LOG_SIGMOID),
    "aten.hardshrink_backward": each(formula.HARD_SHRINK),
    "aten.softshrink_backward": each(formula.SOFT_SHRINK),
    "aten.rrelu_with_noise_backward": lambda *args: random_leaky_relu(*args[:7]),
    "aten.logit_backward": logit,
    "aten._cdist_backward": distance,
    "aten._pdist_backward": distance_within,
    "aten.glu_backward": each(formula.GLU),
    "aten.native_dropout_backward": each(formula.DROPOUT),
    "aten._softmax_backward_data": by_row(formula.softmax),
    "aten._log_softmax_backward_data": by_row(formula.log_softmax),
    "aten.native_layer_norm_backward": layer_norm,
    "aten.native_group_norm_backward": group_norm,
    "aten.native_batch_norm_backward": batch_norm,
    "aten._weight_norm_interface_backward": weight_norm,
    "aten.convolution_backward": convolution,
    "aten.embedding_dense_backward": embedding,
    "aten.select_backward": free,
    "aten.slice_backward": free,
    "aten.diagonal_backward": free,
}
