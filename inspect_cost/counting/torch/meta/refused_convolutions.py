"""Convolutions that torch refuses: channels, groups, biases and options that do not fit."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.meta.faults import Fault, expect, show


def find_convolution_fault(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *options: Any, **_named: Any
) -> Fault:
    """Say that the weight takes other channels, or which bias or option torch refuses."""
    groups = options[3] if len(options) > 3 else 1  # noqa: PLR2004
    fault = _find_kernel_fault(x, weight) or _find_option_fault(
        stride=options[:1], padding=options[1:2], dilation=options[2:3]
    )
    if fault:
        return fault
    channels, taken = x.shape[1 - weight.dim()], weight.shape[1] * groups
    if channels != taken:
        return f"{channels} channels, but its weight takes {taken}"
    if groups < 1 or weight.shape[0] % groups:
        return f"{weight.shape[0]} channels do not make {groups} groups"
    return _find_bias_fault(x, bias, weight.shape[0])


def find_transposed_fault(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *options: Any, **_named: Any
) -> Fault:
    """Say that the weight takes other channels, or which bias or option torch refuses."""
    groups = options[3] if len(options) > 3 else 1  # noqa: PLR2004
    fault = (
        _find_kernel_fault(x, weight)
        or _find_option_fault(
            stride=options[:1],
            padding=options[1:2],
            output_padding=options[2:3],
            dilation=options[4:],
        )
        or find_output_fault(*options)
    )
    if fault:
        return fault
    channels = x.shape[1 - weight.dim()]
    if channels != weight.shape[0]:
        return f"{channels} channels, but its weight takes {weight.shape[0]}"
    if groups < 1 or channels % groups:
        return f"{channels} channels do not make {groups} groups"
    return _find_bias_fault(x, bias, weight.shape[1] * groups)


def find_any_convolution_fault(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Fault:
    """Say what is wrong with a convolution of a training step, transposed or not."""
    find = find_transposed_fault if transposed else find_convolution_fault
    last = (output_padding, groups, dilation) if transposed else (dilation, groups)
    return find(x, weight, bias, stride, padding, *last)


def with_weight_of(rank: int, find: Callable[..., Fault]) -> Callable[..., Fault]:
    """Say also that a convolution's weight has not so many dimensions."""

    def find_fault(x: Tensor, weight: Tensor, *rest: Any, **named: Any) -> Fault:
        if weight.dim() != rank:
            return f"its weight {show(weight)} has not {rank} dimensions"
        return find(x, weight, *rest, **named)

    return find_fault


def _find_kernel_fault(x: Tensor, weight: Tensor) -> Fault:
    """Say that a kernel has other dimensions than its input, or is empty."""
    if x.dim() not in {weight.dim(), weight.dim() - 1} or weight.dim() < 3:  # noqa: PLR2004
        return f"its input has {x.dim()} dimensions, its weight {weight.dim()}"
    if not all(weight.shape[2:]):
        return f"its kernel {show(weight)} is empty"
    return None


def _find_option_fault(**options: Sequence[Any]) -> Fault:
    """Say which option of a convolution is too small; each is a list of none or one, or a word."""
    for name, given in options.items():
        least = 1 if name in {"stride", "dilation"} else 0
        sizes = given[0] if given and not isinstance(given[0], str) else ()
        if any(size < least for size in sizes):
            return f"its {name} is {list(sizes)}"
    return None


def find_output_fault(
    stride: Sequence[int] = (1,),
    _padding: Sequence[int] = (0,),
    output_padding: Sequence[int] = (0,),
    _groups: int = 1,
    dilation: Sequence[int] = (1,),
) -> Fault:
    """Say that a transposed convolution's result is padded by as much as a stride."""
    n = max(len(stride), len(output_padding), len(dilation))
    steps = zip(*(list(o) * n if len(o) == 1 else o for o in (stride, dilation)), strict=True)
    padded = list(output_padding) * n if len(output_padding) == 1 else output_padding
    fits = all(more < max(step) for more, step in zip(padded, steps, strict=True))
    return None if fits else f"its output padding {list(output_padding)} is no less than its stride"


def _find_bias_fault(x: Tensor, bias: Tensor | None, channels: int) -> Fault:
    """Say that a bias has another size or, whatever torch takes in some sizes, another type."""
    if bias is not None and bias.dtype is not x.dtype:
        return f"its bias is of {bias.dtype}, its input of {x.dtype}"
    return expect([("its bias", bias, (channels,))])
