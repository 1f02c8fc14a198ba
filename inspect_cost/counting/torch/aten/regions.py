"""Rules of torchvision's operators, by name: torchvision itself is not needed.

Boxes are rows of (image, x1, y1, x2, y2). Where the corners of a box decide how many numbers each
of its bins takes, they are read if they are known; otherwise the operator's cost is unknown.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import backward
from inspect_cost.formulas import regions as formula
from inspect_cost.formulas.contraction import convolution
from inspect_cost.formulas.reduction import extremum, mean
from inspect_cost.formulas.resampling import deformed_convolution
from inspect_cost.values.cost import OpCost, total


def roi_align(
    out: Tensor,
    x: Tensor,
    boxes: Tensor,
    scale: float,
    height: int,
    width: int,
    ratio: int,
    aligned: bool,
) -> OpCost | None:
    """Count the means of bilinear samples in the bins of boxes."""
    samples = _list_samples(boxes, scale, (height, width), ratio, aligned=aligned)
    return _count_bins(formula.aligned_bins, out, samples)


def roi_align_backward(
    out: Tensor,
    gradient: Tensor,
    boxes: Tensor,
    scale: float,
    height: int,
    width: int,
    *rest: Any,
) -> OpCost | None:
    """Count the gradient of `roi_align`."""
    *_sizes, ratio, aligned = rest
    samples = _list_samples(boxes, scale, (height, width), ratio, aligned=aligned)
    return _count_bins(backward.aligned_bins, gradient, samples)


def ps_roi_align(
    out: tuple[Tensor, Tensor],
    x: Tensor,
    boxes: Tensor,
    scale: float,
    height: int,
    width: int,
    ratio: int,
) -> OpCost | None:
    """Count the means of bilinear samples in bins that have channels of their own."""
    samples = _list_samples(boxes, scale, (height, width), ratio, aligned=True)
    return _count_bins(formula.aligned_bins, out[0], samples)


def ps_roi_align_backward(
    out: Tensor,
    gradient: Tensor,
    boxes: Tensor,
    channels: Tensor,
    scale: float,
    height: int,
    width: int,
    ratio: int,
    *_sizes: int,
) -> OpCost | None:
    """Count the gradient of `ps_roi_align`."""
    samples = _list_samples(boxes, scale, (height, width), ratio, aligned=True)
    return _count_bins(backward.aligned_bins, gradient, samples)


def _list_samples(
    boxes: Tensor, scale: float, bins: tuple[int, int], ratio: int, *, aligned: bool
) -> Counter[int] | None:
    """Return the samples of a bin -> how many boxes have as many; None if it is not known.

    Args:
        boxes: the boxes.
        scale: what their corners are multiplied by.
        bins: bins of a box, along the height and the width.
        ratio: samples of a bin in each direction; as many as it spans pixels if it is not positive.
        aligned: whether pixels are at their centres, and boxes smaller than a pixel remain so.
    """
    if ratio > 0:
        return Counter({ratio**2: len(boxes)})
    if boxes.is_meta:
        return None
    corners = boxes[:, 1:] * scale - (0.5 if aligned else 0)
    sizes = (corners[:, 2:] - corners[:, :2]).clamp(min=0 if aligned else 1)
    along = (sizes / sizes.new_tensor(bins[::-1])).ceil()
    return Counter(along.prod(1).long().tolist())


def _count_bins(
    cost: Callable[[int, int], OpCost], bins: Tensor, samples: Counter[int] | None
) -> OpCost | None:
    """Add up a cost of bins and of the samples in each, over boxes."""
    if samples is None:
        return None
    of_box = bins.numel() // max(1, bins.shape[0])
    return total(cost(boxes * of_box, n) for n, boxes in samples.items())


def roi_pool(
    out: tuple[Tensor, Tensor], x: Tensor, boxes: Tensor, scale: float, height: int, width: int
) -> OpCost | None:
    """Count the maxima of whole pixels in the bins of boxes."""
    if boxes.is_meta:
        return None
    areas = _list_areas(boxes, scale, (height, width), x.shape[2:], last=1)
    return total(extremum(n * x.shape[1], area) for area, n in areas.items())


def ps_roi_pool(
    out: tuple[Tensor, Tensor], x: Tensor, boxes: Tensor, scale: float, height: int, width: int
) -> OpCost | None:
    """Count the means of whole pixels in bins that have channels of their own."""
    if boxes.is_meta:
        return None
    within = [size - 1 for size in x.shape[2:]]  # torchvision leaves out the last row and column
    areas = _list_areas(boxes, scale, (height, width), within, last=0)
    return total(mean(n * out[0].shape[1], area) for area, n in areas.items())


def roi_pool_backward(out: Tensor, gradient: Tensor, *_rest: Any) -> OpCost:
    """Count the gradients of maxima, each added to its pixel."""
    return backward.scatter(gradient.numel())


def ps_roi_pool_backward(
    out: Tensor,
    gradient: Tensor,
    boxes: Tensor,
    channels: Tensor,
    scale: float,
    height: int,
    width: int,
    *_sizes: int,
) -> OpCost | None:
    """Count the gradients of means, each added to all pixels of its bin."""
    if boxes.is_meta:
        return None
    areas = _list_areas(boxes, scale, (height, width), out.shape[2:], last=0)
    bins = [(n * gradient.shape[1], area) for area, n in areas.items()]
    return total(backward.average_pool(n, n * area) for n, area in bins)


def _list_areas(
    boxes: Tensor, scale: float, bins: tuple[int, int], within: Sequence[int], *, last: int
) -> Counter[int]:
    """Return the pixels of a bin -> how many bins of a plane have as many, empty ones left out.

    Args:
        boxes: the boxes; their corners are scaled and rounded.
        scale: what their corners are multiplied by.
        bins: bins of a box, along the height and the width.
        within: height and width of what the bins are cropped to.
        last: 1 if the second corner is in the box, 0 if it is not.
    """
    corners = _round(boxes[:, 1:] * scale)
    spans = []
    for axis, (n, size) in enumerate(zip(reversed(bins), reversed(within), strict=True)):
        first = corners[:, axis, None]
        length = (corners[:, 2 + axis, None] - first + last).clamp(min=1) / n
        i = torch.arange(n, device=boxes.device)
        edges = (i * length).floor() + first, ((i + 1) * length).ceil() + first
        low, high = (edge.clamp(0, size) for edge in edges)
        spans.append((high - low).clamp(min=0))
    across, along = spans
    areas = Counter((along[:, :, None] * across[:, None, :]).long().flatten().tolist())
    del areas[0]
    return areas


def _round(x: Tensor) -> Tensor:
    """Round to whole numbers, halves away from 0 as C does."""
    return x.sign() * (x.abs() + 0.5).floor()


def nms(out: Tensor, boxes: Tensor, scores: Tensor, threshold: float) -> OpCost:
    """Count the comparison of each box with all better ones."""
    return formula.non_maximum_suppression(boxes.shape[0])


def deform_conv2d(
    out: Tensor, x: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, bias: Tensor, *rest: Any
) -> OpCost:
    """Count a convolution of numbers that are interpolated, and masked if the last argument says.

    A bias is always added: torchvision makes one of zeros where there is none.
    """
    points = offset.numel() // 2
    return deformed_convolution(
        x.shape[1], weight.shape, out.shape, points, masked=rest[-1], biased=True
    )


def deform_conv2d_backward(
    out: Any,
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor,
    bias: Tensor,
    *rest: Any,
) -> OpCost:
    """Count all gradients of `deform_conv2d`."""
    points = offset.numel() // 2
    macs = convolution(weight.shape, gradient.shape, biased=False).macs
    taps = gradient[:, 0].numel() * x.shape[1] * weight[0, 0].numel()
    return backward.deformed_convolution(
        macs, gradient.numel(), bias.numel(), taps, points, masked=rest[-1]
    )


REGIONS: dict[str, Rule] = {
    "torchvision.nms": nms,
    "torchvision.qnms": nms,
    "torchvision.roi_align": roi_align,
    "torchvision.ps_roi_align": ps_roi_align,
    "torchvision.roi_pool": roi_pool,
    "torchvision.ps_roi_pool": ps_roi_pool,
    "torchvision.deform_conv2d": deform_conv2d,
    "torchvision._roi_align_backward": roi_align_backward,
    "torchvision._ps_roi_align_backward": ps_roi_align_backward,
    "torchvision._roi_pool_backward": roi_pool_backward,
    "torchvision._ps_roi_pool_backward": ps_roi_pool_backward,
    "torchvision._deform_conv2d_backward": deform_conv2d_backward,
}
