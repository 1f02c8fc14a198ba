"""The rules under a policy, with those of convolutions that leave out taps on padding."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.attention import TRIANGULAR
from inspect_cost.counting.torch.aten.attention_gradients import TRIANGULAR_GRADIENTS
from inspect_cost.counting.torch.aten.contraction import in_real_operations, name_convolutions
from inspect_cost.counting.torch.aten.quantized_layers import make_convolutions
from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.counting.torch.aten.table import ATEN_RULES
from inspect_cost.formulas import backward
from inspect_cost.formulas import contraction as formula
from inspect_cost.values.cost import OpCost
from inspect_cost.values.policy import Policy

PerDimension = int | Sequence[int]


def select_rules(policy: Policy) -> Mapping[str, Rule]:
    """Return the rules of all operators under a policy."""
    rules = dict(ATEN_RULES)
    if policy.taps == "valid":
        rules |= VALID_TAPS
    if policy.attention == "triangular":
        rules |= TRIANGULAR
        rules |= TRIANGULAR_GRADIENTS
    return rules


def conv(
    out: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: PerDimension = 1,
    padding: PerDimension | str = 0,
    dilation: PerDimension = 1,
    groups: int = 1,
) -> OpCost:
    """Count a convolution without its taps on padding."""
    inside = _count_taps_inside(
        x, out, weight, stride, _leading_padding(padding, weight, dilation), dilation
    )
    return formula.valid_convolution(weight.shape, out.shape, inside, biased=bias is not None)


def conv_transpose(
    out: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: PerDimension = 1,
    padding: PerDimension = 0,
    output_padding: PerDimension = 0,
    groups: int = 1,
    dilation: PerDimension = 1,
) -> OpCost:
    """Count a transposed convolution without its cropped taps."""
    inside = _count_taps_inside(out, x, weight, stride, padding, dilation)
    return formula.valid_transposed_convolution(
        x.shape, weight.shape, out.shape, inside, biased=bias is not None
    )


def convolution(
    out: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: PerDimension,
    padding: PerDimension,
    dilation: PerDimension,
    transposed: bool,
    *_rest: Any,
) -> OpCost:
    """Count the operator that both kinds of convolution become below autograd."""
    if transposed:
        return conv_transpose(out, x, weight, bias, stride, padding, dilation=dilation)
    return conv(out, x, weight, bias, stride, padding, dilation)


def convolution_backward(
    out: Any,
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Sequence[int] | None,
    stride: PerDimension,
    padding: PerDimension,
    dilation: PerDimension,
    transposed: bool,
    output_padding: PerDimension,
    groups: int,
    output_mask: Sequence[bool],
) -> OpCost:
    """Count the gradients of either kind of convolution without the taps that the forward skips."""
    options = (stride, padding, dilation, transposed)
    of_input, of_weight, of_bias = output_mask
    return backward.convolution(
        convolution(gradient, x, weight, None, *options).macs,
        gradient.numel(),
        gradient.shape[1],
        of_input=of_input,
        of_weight=of_weight,
        of_bias=of_bias,
    )


def _count_taps_inside(
    sized: Tensor,
    placed: Tensor,
    weight: Tensor,
    stride: PerDimension,
    padding: PerDimension,
    dilation: PerDimension,
) -> list[int]:
    """Count `taps_inside` of each dimension.

    Args:
        sized: the tensor that taps fall on.
        placed: the tensor whose positions the kernel is placed at.
        weight: the kernel.
        stride: distance between positions.
        padding: number of elements before the first.
        dilation: distance between taps.
    """
    kernel = weight.shape[2:]
    n = len(kernel)
    return [
        formula.taps_inside(size, positions, k, stride=s, padding=p, dilation=d)
        for size, positions, k, s, p, d in zip(
            sized.shape[-n:],
            placed.shape[-n:],
            kernel,
            _per_dimension(stride, n),
            _per_dimension(padding, n),
            _per_dimension(dilation, n),
            strict=True,
        )
    ]


def _per_dimension(sizes: PerDimension, dimensions: int) -> Sequence[int]:
    """Return a size for each dimension; ATen lets a single one stand for all."""
    listed = [sizes] if isinstance(sizes, int) else list(sizes)
    return listed * dimensions if len(listed) == 1 else listed


def _leading_padding(
    padding: PerDimension | str, weight: Tensor, dilation: PerDimension
) -> PerDimension:
    """Return the padding before the first element; "same" puts an odd one at the end."""
    if not isinstance(padding, str):
        return padding
    kernel = weight.shape[2:]
    reach = [
        d * (k - 1) for d, k in zip(_per_dimension(dilation, len(kernel)), kernel, strict=True)
    ]
    return [r // 2 if padding == "same" else 0 for r in reach]


_VALID = name_convolutions(conv, conv_transpose, convolution)

VALID_TAPS: Mapping[str, Rule] = {
    **{name: in_real_operations(rule) for name, rule in _VALID.items()},
    **make_convolutions(conv, conv_transpose),
    "aten.convolution_backward": convolution_backward,
}
