"""The rules under a policy; those of convolutions that leave out what falls on padding."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.attention import TRIANGULAR
from inspect_cost.counting.torch.aten.contraction import in_real_operations
from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.counting.torch.aten.table import ATEN_RULES
from inspect_cost.formulas import contraction as formula
from inspect_cost.values.cost import OpCost
from inspect_cost.values.policy import Policy

Sizes = int | Sequence[int]


def rules_under(policy: Policy) -> Mapping[str, Rule]:
    """The rules of all operators under a policy."""
    chosen = dict(ATEN_RULES)
    if policy.taps == "valid":
        chosen |= VALID_TAPS
    if policy.attention == "triangular":
        chosen |= TRIANGULAR
    return chosen


def conv(
    out: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> OpCost:
    """Convolution whose taps on padding do not count."""
    inside = _inside(x, out, weight, stride, _before(padding, weight, dilation), dilation)
    return formula.valid_convolution(weight.shape, out.shape, inside, biased=bias is not None)


def conv_transpose(
    out: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> OpCost:
    """Transposed convolution whose cropped taps do not count."""
    inside = _inside(out, x, weight, stride, padding, dilation)
    return formula.valid_transposed_convolution(
        x.shape, weight.shape, out.shape, inside, biased=bias is not None
    )


def convolution(
    out: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    *_rest: Any,
) -> OpCost:
    """The operator that both kinds of convolution become below autograd."""
    if transposed:
        return conv_transpose(out, x, weight, bias, stride, padding, dilation=dilation)
    return conv(out, x, weight, bias, stride, padding, dilation)


def _inside(
    sized: Tensor, placed: Tensor, weight: Tensor, stride: Sizes, padding: Sizes, dilation: Sizes
) -> list[int]:
    """`taps_inside` of each dimension, the kernel being placed at positions of ``placed``."""
    kernel = weight.shape[2:]
    n = len(kernel)
    return [
        formula.taps_inside(size, positions, k, stride=s, padding=p, dilation=d)
        for size, positions, k, s, p, d in zip(
            sized.shape[-n:],
            placed.shape[-n:],
            kernel,
            _each(stride, n),
            _each(padding, n),
            _each(dilation, n),
            strict=True,
        )
    ]


def _each(sizes: Sizes, dimensions: int) -> Sequence[int]:
    """One for each dimension, where ATen lets one stand for all."""
    listed = [sizes] if isinstance(sizes, int) else list(sizes)
    return listed * dimensions if len(listed) == 1 else listed


def _before(padding: Sizes | str, weight: Tensor, dilation: Sizes) -> Sizes:
    """How much is padded before the first element; "same" pads the odd one behind the last."""
    if not isinstance(padding, str):
        return padding
    kernel = weight.shape[2:]
    reach = [d * (k - 1) for d, k in zip(_each(dilation, len(kernel)), kernel, strict=True)]
    return [r // 2 if padding == "same" else 0 for r in reach]


_VALID: dict[str, Callable[..., OpCost]] = {
    "aten.conv1d": conv,
    "aten.conv2d": conv,
    "aten.conv3d": conv,
    "aten.conv_transpose1d": conv_transpose,
    "aten.conv_transpose2d": conv_transpose,
    "aten.conv_transpose3d": conv_transpose,
    "aten.convolution": convolution,
    "aten._convolution": convolution,
}

VALID_TAPS: Mapping[str, Rule] = {name: in_real_operations(rule) for name, rule in _VALID.items()}
