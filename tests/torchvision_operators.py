"""Torchvision's operators: the real ones where they load, else some of the same schemas.

The stand-ins compute what torchvision documents, slowly, out of torch's own operators. Their
gradients are autograd's.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from typing import Any

import torch
from torch import Tensor

NAMESPACE = "torchvision"

_POOLING = "float spatial_scale, SymInt pooled_height, SymInt pooled_width"
_SIZES = "SymInt batch_size, SymInt channels, SymInt height, SymInt width"
_CONVOLUTION = """
    Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h,
    SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w,
    SymInt groups, SymInt offset_groups, bool use_mask
"""
SCHEMAS = f"""
nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor
qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor
roi_align(Tensor input, Tensor rois, {_POOLING}, int sampling_ratio, bool aligned) -> Tensor
ps_roi_align(Tensor input, Tensor rois, {_POOLING}, int sampling_ratio) -> (Tensor, Tensor)
roi_pool(Tensor input, Tensor rois, {_POOLING}) -> (Tensor, Tensor)
ps_roi_pool(Tensor input, Tensor rois, {_POOLING}) -> (Tensor, Tensor)
deform_conv2d({" ".join(_CONVOLUTION.split())}) -> Tensor
_roi_align_backward(Tensor grad, Tensor rois, {_POOLING}, {_SIZES}, int sampling_ratio, bool aligned) -> Tensor
_ps_roi_align_backward(Tensor grad, Tensor rois, Tensor channel_mapping, {_POOLING}, int sampling_ratio, {_SIZES}) -> Tensor
_roi_pool_backward(Tensor grad, Tensor rois, Tensor argmax, {_POOLING}, {_SIZES}) -> Tensor
_ps_roi_pool_backward(Tensor grad, Tensor rois, Tensor channel_mapping, {_POOLING}, {_SIZES}) -> Tensor
_deform_conv2d_backward(Tensor grad, {" ".join(_CONVOLUTION.split())}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)
"""  # noqa: E501 - a schema is a line


@contextmanager
def provide_operators() -> Iterator[bool]:
    """Provide the operators within this context; yield whether they are torchvision's own."""
    if _load_real():
        yield True
        return
    library = torch.library.Library(NAMESPACE, "FRAGMENT")
    for schema in filter(None, SCHEMAS.splitlines()):
        name = schema.partition("(")[0]
        if not hasattr(getattr(torch.ops, NAMESPACE), name):
            library.define(schema)
        library.impl(name, KERNELS[name], "CPU")
    yield False
    library._destroy()  # noqa: SLF001 - it has no public form


def _load_real() -> bool:
    try:
        from torchvision.extension import _has_ops  # noqa: PLC0415 - it may be absent
    except Exception:  # noqa: BLE001 - built for another torch, it fails in many ways
        return False
    return bool(_has_ops())


Point = tuple[Tensor, Tensor]


def _sample(planes: Tensor, y: Any, x: Any) -> Tensor:
    """Interpolate (C, H, W) at a point; as far as a pixel outside, the edge is repeated."""
    sizes = planes.shape[1:]
    if any(p < -1 or p > size for p, size in zip((y, x), sizes, strict=True)):
        return planes[:, 0, 0] * 0
    sides = []
    for p, size in zip((max(y, 0), max(x, 0)), sizes, strict=True):
        low = min(int(p), size - 1)
        above = 0 if low == size - 1 else p - low
        sides.append(((low, 1 - above), (min(low + 1, size - 1), above)))
    return sum(planes[:, i, j] * (v * u) for (i, v), (j, u) in product(*sides))  # type: ignore[return-value]


def _average_samples(
    planes: Tensor, box: list[float], counts: tuple[int, int], ratio: int, *, aligned: bool
) -> Tensor:
    """Return (C, height, width) of one box (x1, y1, x2, y2)."""
    axes = []
    for low, high, n in ((box[1], box[3], counts[0]), (box[0], box[2], counts[1])):
        length = (high - low if aligned else max(high - low, 1.0)) / n
        k = ratio if ratio > 0 else math.ceil(length)
        axes.append([[low + (i + (j + 0.5) / k) * length for j in range(k)] for i in range(n)])
    rows = [
        torch.stack([_sample(planes, y, x) for y, x in product(ys, xs)]).mean(0)
        for ys, xs in product(*axes)
    ]
    return torch.stack(rows, 1).reshape(-1, *counts)


def _own_channels(pooled: Tensor) -> Tensor:
    """Take (C / bins, height, width) of (C, height, width): of each bin its own channels."""
    height, width = pooled.shape[1:]
    split = pooled.reshape(-1, height, width, height, width)
    return split.diagonal(0, 1, 3).diagonal(0, 1, 2).contiguous()


def roi_align(
    x: Tensor, boxes: Tensor, scale: float, height: int, width: int, ratio: int, aligned: bool
) -> Tensor:
    offset = 0.5 if aligned else 0.0
    return torch.stack(
        [
            _average_samples(
                x[int(image)],
                [c * scale - offset for c in box],
                (height, width),
                ratio,
                aligned=aligned,
            )
            for image, *box in boxes.tolist()
        ]
    )


def ps_roi_align(
    x: Tensor, boxes: Tensor, scale: float, height: int, width: int, ratio: int
) -> tuple[Tensor, Tensor]:
    whole = roi_align(x, boxes, scale, height, width, ratio, aligned=True)
    return _with_places(torch.stack([_own_channels(pooled) for pooled in whole]))


def _with_places(out: Tensor) -> tuple[Tensor, Tensor]:
    return out, torch.zeros(out.shape, dtype=torch.int32)


def _pool_pixels(
    x: Tensor,
    boxes: Tensor,
    scale: float,
    counts: tuple[int, int],
    within: list[int],
    last: int,
    reduce: Callable[[Tensor], Tensor],
) -> Tensor:
    """Reduce the whole pixels of each bin, (C, pixels) to (C)."""
    pooled = []
    for image, *box in boxes.tolist():
        corners = [math.copysign(math.floor(abs(c * scale) + 0.5), c) for c in box]
        axes = []
        for axis in (1, 0):
            start, n, size = corners[axis], counts[1 - axis], within[1 - axis]
            length = max(corners[2 + axis] - start + last, 1) / n
            edges = [(math.floor(i * length), math.ceil((i + 1) * length)) for i in range(n)]
            axes.append([tuple(int(min(max(e + start, 0), size)) for e in pair) for pair in edges])
        for (top, bottom), (left, right) in product(*axes):
            window = x[int(image), :, top:bottom, left:right].flatten(1)
            pooled.append(reduce(window) if window.shape[1] else x[0, :, 0, 0] * 0)
    bins = torch.stack(pooled).reshape(len(boxes), *counts, x.shape[1])
    return bins.permute(0, 3, 1, 2).contiguous()


def roi_pool(
    x: Tensor, boxes: Tensor, scale: float, height: int, width: int
) -> tuple[Tensor, Tensor]:
    sizes = list(x.shape[2:])
    return _with_places(
        _pool_pixels(x, boxes, scale, (height, width), sizes, 1, lambda w: w.amax(1))
    )


def ps_roi_pool(
    x: Tensor, boxes: Tensor, scale: float, height: int, width: int, crop: int = 1
) -> tuple[Tensor, Tensor]:
    within = [size - crop for size in x.shape[2:]]
    whole = _pool_pixels(x, boxes, scale, (height, width), within, 0, lambda w: w.mean(1))
    return _with_places(torch.stack([_own_channels(pooled) for pooled in whole]))


def nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    kept: list[int] = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        if all(_share_of_union(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


def _share_of_union(a: Tensor, b: Tensor) -> float:
    sides = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0)
    areas = [(box[2:] - box[:2]).prod() for box in (a, b)]
    return float(sides.prod() / (sum(areas) - sides.prod()))


def _interpolate(planes: Tensor, points: Tensor) -> Tensor:
    """Interpolate (C, H, W) at the points (2, ...); what is outside is 0."""
    padded = torch.nn.functional.pad(planes, (1, 1, 1, 1))
    floors = points.detach().floor()
    above = points - floors
    (v, u), (b, a) = 1 - above, above
    total = torch.zeros(())
    for (i, j), weight in zip(product((0, 1), repeat=2), (v * u, v * a, b * u, b * a), strict=True):
        y, x = floors[0].long() + i + 1, floors[1].long() + j + 1
        y, x = y.clamp(0, padded.shape[1] - 1), x.clamp(0, padded.shape[2] - 1)
        total = total + padded[:, y, x] * weight
    return total


def deform_conv2d(
    x: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, bias: Tensor, *options: Any
) -> Tensor:
    stride, pad, dilation = options[:2], options[2:4], options[4:6]
    groups, offset_groups, use_mask = options[6:]
    (B, C), (O, _, *kernel), places = x.shape[:2], weight.shape, offset.shape[2:]
    steps = [torch.arange(n) * s - p for n, s, p in zip(places, stride, pad, strict=True)]
    ranges = [torch.arange(k) * d for k, d in zip(kernel, dilation, strict=True)]
    taps = torch.stack(torch.meshgrid(*ranges, indexing="ij")).reshape(2, -1, 1, 1)
    points = torch.stack(torch.meshgrid(*steps, indexing="ij"))[:, None] + taps
    K = points.shape[1]
    moved = offset.reshape(B, offset_groups, K, 2, *places).transpose(2, 3) + points
    planes = x.reshape(B, offset_groups, C // offset_groups, *x.shape[2:])
    sampled = torch.stack(
        [
            _interpolate(planes[b, g], moved[b, g])
            for b, g in product(range(B), range(offset_groups))
        ]
    ).reshape(B, offset_groups, -1, K, *places)
    if use_mask:
        sampled = sampled * mask.reshape(B, offset_groups, 1, K, *places)
    columns = sampled.reshape(B, groups, C // groups * K, -1)
    kernels = weight.reshape(groups, O // groups, -1)
    out = torch.einsum("gok,bgkp->bgop", kernels, columns).reshape(B, O, *places)
    return out + bias[:, None, None]


def _differentiate(function: Callable[..., Tensor], gradient: Tensor, *at: Tensor) -> Any:
    """Return the gradients; on a thread of its own, for an operator runs below autograd."""

    def run() -> Any:
        leaves = [tensor.clone().requires_grad_() for tensor in at]
        out = function(*leaves)
        return torch.autograd.grad(out, leaves, gradient.clone(), allow_unused=True)

    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(run).result()
    pairs = zip(found, at, strict=True)
    return tuple(torch.zeros_like(t) if g is None else g.clone() for g, t in pairs)


def _roi_align_backward(g: Tensor, boxes: Tensor, *rest: Any) -> Tensor:
    scale, height, width, *sizes, ratio, aligned = rest
    x = g.new_zeros(sizes)
    return _differentiate(
        lambda x: roi_align(x, boxes, scale, height, width, ratio, aligned), g, x
    )[0]


def _ps_roi_align_backward(g: Tensor, boxes: Tensor, _places: Tensor, *rest: Any) -> Tensor:
    scale, height, width, ratio, *sizes = rest
    x = g.new_zeros(sizes)
    return _differentiate(lambda x: ps_roi_align(x, boxes, scale, height, width, ratio)[0], g, x)[0]


def _roi_pool_backward(g: Tensor, boxes: Tensor, _places: Tensor, *rest: Any) -> Tensor:
    del g, boxes
    return torch.zeros(rest[3:])  # its values depend on places that the stand-in does not keep


def _ps_roi_pool_backward(g: Tensor, boxes: Tensor, _places: Tensor, *rest: Any) -> Tensor:
    scale, height, width, *sizes = rest
    x = g.new_zeros(sizes)
    return _differentiate(lambda x: ps_roi_pool(x, boxes, scale, height, width, crop=0)[0], g, x)[0]


def _deform_conv2d_backward(g: Tensor, *args: Any) -> Any:
    return _differentiate(lambda *at: deform_conv2d(*at, *args[5:]), g, *args[:5])


KERNELS: dict[str, Callable[..., Any]] = {
    "nms": nms,
    "qnms": nms,
    "roi_align": roi_align,
    "ps_roi_align": ps_roi_align,
    "roi_pool": roi_pool,
    "ps_roi_pool": ps_roi_pool,
    "deform_conv2d": deform_conv2d,
    "_roi_align_backward": _roi_align_backward,
    "_ps_roi_align_backward": _ps_roi_align_backward,
    "_roi_pool_backward": _roi_pool_backward,
    "_ps_roi_pool_backward": _ps_roi_pool_backward,
    "_deform_conv2d_backward": _deform_conv2d_backward,
}
