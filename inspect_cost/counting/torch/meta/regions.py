"""Meta kernels of torchvision's operators, whose own are missing where it was built without."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.meta.plain import Result, are_of_one_kind, empty, is_plain

#: A box is an image's number and two corners.
BOX = 5


def pooled_boxes(
    x: Tensor, boxes: Tensor, scale: float, height: int, width: int, *_options: Any
) -> Tensor | None:
    """Return (K, C, height, width) of K boxes in (B, C, H, W)."""
    del scale
    if not _are_boxes(x, boxes):
        return None
    return empty((boxes.shape[0], x.shape[1], height, width), x)


def pooled_boxes_and_places(*args: Any) -> tuple[Tensor, ...] | None:
    """Return `pooled_boxes`, and the place that each number came from."""
    return _with_places(pooled_boxes(*args))


def pooled_boxes_by_position(
    x: Tensor, boxes: Tensor, scale: float, height: int, width: int, *_options: Any
) -> tuple[Tensor, ...] | None:
    """Return (K, C / (height width), height, width) and the channel of each: a bin has its own."""
    del scale
    if not _are_boxes(x, boxes) or x.shape[1] % (height * width):
        return None
    channels = x.shape[1] // (height * width)
    return _with_places(empty((boxes.shape[0], channels, height, width), x))


def _are_boxes(x: Tensor, boxes: Tensor) -> bool:
    shaped = x.dim() == 4 and boxes.dim() == 2 and boxes.shape[1] == BOX  # noqa: PLR2004
    return shaped and are_of_one_kind([x, boxes])


def _with_places(out: Tensor | None) -> tuple[Tensor, ...] | None:
    return None if out is None else (out, torch.empty_like(out, dtype=torch.int32))


def gradient_of_boxes(place: int, gradient: Tensor, boxes: Tensor, *rest: Any) -> Tensor | None:
    """Return (B, C, H, W), which are four of the arguments, from a place on."""
    plain = are_of_one_kind([gradient, boxes])
    return empty(rest[place : place + 4], gradient) if plain else None


def deformed_convolution(
    x: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, bias: Tensor, *options: Any
) -> Tensor | None:
    """Return (B, O, H, W), as many places as there are offsets."""
    groups, offset_groups, masked = options[-3:]
    operands = [x, weight, offset, bias, *([mask] if masked else [])]
    if not is_plain(operands) or x.shape[1] != weight.shape[1] * groups:
        return None
    if offset.shape[1] != 2 * offset_groups * weight[0, 0].numel():
        return None
    return empty((x.shape[0], weight.shape[0], *offset.shape[2:]), x)


def gradients_of_deformed_convolution(*args: Any) -> tuple[Tensor, ...]:
    """Return the gradients of the five tensors after the first, each of its shape."""
    return tuple(torch.empty_like(tensor, device="meta") for tensor in args[1:6])


REGIONS: dict[str, Callable[..., Result]] = {
    "torchvision.roi_align": pooled_boxes,
    "torchvision.roi_pool": pooled_boxes_and_places,
    "torchvision.ps_roi_align": pooled_boxes_by_position,
    "torchvision.ps_roi_pool": pooled_boxes_by_position,
    "torchvision.deform_conv2d": deformed_convolution,
    "torchvision._roi_align_backward": partial(gradient_of_boxes, 3),
    "torchvision._roi_pool_backward": partial(gradient_of_boxes, 4),
    "torchvision._ps_roi_align_backward": partial(gradient_of_boxes, 5),
    "torchvision._ps_roi_pool_backward": partial(gradient_of_boxes, 4),
    "torchvision._deform_conv2d_backward": gradients_of_deformed_convolution,
}
