"""Rules of the operators that autograd calls for gradients that are not plain arithmetic."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.free import free
from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import backward as formula
from inspect_cost.formulas.resampling import adaptive_windows
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


def nll_loss(out: Tensor, gradient: Tensor, x: Tensor, target: Tensor, *_rest: Any) -> OpCost:
    """Count one division for each target."""
    return formula.negative_log_likelihood(target.numel())


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
    rows = x.numel() // n
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
    core = formula.normalization(N * group, C // group * HxW) if output_mask[0] else FREE
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
) -> OpCost | None:
    """Count the gradients of a batch norm; unknown if it used stored statistics."""
    if not train:
        return None
    C = x.shape[1]
    rows = x.numel() // C
    core = formula.normalization(C, rows) if output_mask[0] else FREE
    return core + formula.affine(rows, C, scaled=output_mask[1], shifted=output_mask[2])


def weight_norm(out: Any, gradient: Tensor, v: Tensor, g: Tensor, *_rest: Any) -> OpCost:
    """Count the gradients of weight norm; each length belongs to one group of weights."""
    return formula.weight_norm(g.numel(), v.numel() // g.numel())


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


def average_pool(
    out: Tensor, gradient: Tensor, x: Tensor, kernel_size: Sequence[int], *_rest: Any
) -> OpCost:
    """Count the gradient of an average over windows of one size."""
    return formula.average_pool(gradient.numel(), gradient.numel() * prod(kernel_size))


def adaptive_average_pool(out: Tensor, gradient: Tensor, x: Tensor) -> OpCost:
    """Count the gradient of an average over windows that the sizes determine."""
    dimensions = 3 if x.dim() == 5 else 2  # noqa: PLR2004 - with batch and channels
    sizes = zip(x.shape[-dimensions:], gradient.shape[-dimensions:], strict=True)
    taken = prod(sum(adaptive_windows(size, length)) for size, length in sizes)
    return formula.average_pool(gradient.numel(), prod(x.shape[:-dimensions]) * taken)


def interpolation(taps: int) -> Rule:
    """Make the rule of the gradient of outputs that were interpolated between ``taps`` inputs."""

    def rule(out: Tensor, gradient: Tensor, *_rest: Any, **_kwargs: Any) -> OpCost:
        return formula.spread(gradient.numel(), taps)

    return rule


SCATTERED = each(formula.scatter(1))

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
    "aten.glu_backward": each(formula.GLU),
    "aten.native_dropout_backward": each(formula.DROPOUT),
    "aten.mse_loss_backward": lambda out, *_args: formula.MSE_LOSS * out.numel(),
    "aten.nll_loss_backward": nll_loss,
    "aten.nll_loss2d_backward": nll_loss,
    "aten._softmax_backward_data": by_row(formula.softmax),
    "aten._log_softmax_backward_data": by_row(formula.log_softmax),
    "aten.native_layer_norm_backward": layer_norm,
    "aten.native_group_norm_backward": group_norm,
    "aten.native_batch_norm_backward": batch_norm,
    "aten._weight_norm_interface_backward": weight_norm,
    "aten.convolution_backward": convolution,
    "aten.embedding_dense_backward": SCATTERED,
    "aten.max_pool2d_with_indices_backward": SCATTERED,
    "aten.max_pool3d_with_indices_backward": SCATTERED,
    "aten.adaptive_max_pool2d_backward": SCATTERED,
    "aten.adaptive_max_pool3d_backward": SCATTERED,
    "aten.avg_pool2d_backward": average_pool,
    "aten.avg_pool3d_backward": average_pool,
    "aten._adaptive_avg_pool2d_backward": adaptive_average_pool,
    "aten._adaptive_avg_pool3d_backward": adaptive_average_pool,
    "aten.select_backward": free,
    "aten.slice_backward": free,
    "aten.diagonal_backward": free,
    "aten.upsample_nearest1d_backward": SCATTERED,
    "aten.upsample_nearest2d_backward": SCATTERED,
    "aten.upsample_nearest3d_backward": SCATTERED,
    "aten.upsample_linear1d_backward": interpolation(2),
    "aten.upsample_bilinear2d_backward": interpolation(4),
    "aten.upsample_trilinear3d_backward": interpolation(8),
    "aten.upsample_bicubic2d_backward": interpolation(16),
}
