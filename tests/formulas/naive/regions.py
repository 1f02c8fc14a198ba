"""Torchvision's operators on boxes and on moved positions, one number at a time.

Boxes that are pooled are constants: finding their bins, samples and weights is free.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from tests.formulas.naive.contraction import dot
from tests.formulas.naive.reduction import Row, largest, mean, summation
from tests.formulas.naive.resampling import read_inside, weigh_corners
from tests.formulas.scalars import Real, Tape, compare, maximum, minimum, special, value

Box = Sequence[float]
Corner = tuple[int, int, float]


class Bins(NamedTuple):
    """How boxes (image, x1, y1, x2, y2) are divided.

    Attributes:
        boxes: the boxes.
        counts: bins along the height and the width.
        scale: what corners are multiplied by.
        ratio: samples of a bin in each direction; 0 for one a pixel.
        aligned: whether pixels are at their centres.
    """

    boxes: Sequence[Box]
    counts: tuple[int, int]
    scale: float
    ratio: int = 0
    aligned: bool = True


def _spans(box: Box, bins: Bins) -> list[tuple[float, float]]:
    """Return where a box begins and how long its bins are, along the height and the width."""
    offset = 0.5 if bins.aligned else 0.0
    spans = []
    for low, high, n in ((box[2], box[4], bins.counts[0]), (box[1], box[3], bins.counts[1])):
        start = low * bins.scale - offset
        length = high * bins.scale - offset - start
        spans.append((start, (length if bins.aligned else max(length, 1.0)) / n))
    return spans


def _sample_points(box: Box, bins: Bins, place: Sequence[int]) -> Iterator[tuple[float, float]]:
    axes = []
    for i, (start, length) in zip(place, _spans(box, bins), strict=True):
        n = bins.ratio or math.ceil(length)
        axes.append([start + i * length + (k + 0.5) * length / n for k in range(n)])
    yield from product(*axes)


def _corners(point: tuple[float, float], sizes: Sequence[int]) -> list[Corner]:
    """Return the four neighbours of a point and their weights, which are 0 well outside."""
    if any(p < -1 or p > size for p, size in zip(point, sizes, strict=True)):
        return [(0, 0, 0.0)] * 4
    pairs = []
    for p, size in zip(point, sizes, strict=True):
        low = min(int(max(p, 0)), size - 1)
        above = 0.0 if low == size - 1 else max(p, 0) - low
        pairs.append([(low, 1 - above), (min(low + 1, size - 1), above)])
    return [(i, j, v * u) for (i, v), (j, u) in product(*pairs)]


def align(x: np.ndarray, bins: Bins) -> np.ndarray:
    """Average bilinear samples of (B, C, H, W) in each bin of each box."""
    out = np.empty((len(bins.boxes), x.shape[1], *bins.counts), dtype=object)
    for k, c, *place in np.ndindex(out.shape):
        out[(k, c, *place)] = _sample(x[int(bins.boxes[k][0]), c], bins, k, place)
    return out


def align_by_position(x: np.ndarray, bins: Bins) -> np.ndarray:
    """Do the same where each bin has channels of its own."""
    height, width = bins.counts
    out = np.empty((len(bins.boxes), x.shape[1] // (height * width), *bins.counts), dtype=object)
    for k, c, i, j in np.ndindex(out.shape):
        plane = x[int(bins.boxes[k][0]), (c * height + i) * width + j]
        out[k, c, i, j] = _sample(plane, bins, k, (i, j))
    return out


def _sample(plane: np.ndarray, bins: Bins, box: int, place: Sequence[int]) -> Real:
    points = _sample_points(bins.boxes[box], bins, place)
    samples = []
    for point in points:
        corners = _corners(point, plane.shape)
        samples.append(summation([w * plane[i, j] for i, j, w in corners]))
    return mean(samples)


def align_gradient(g: np.ndarray, bins: Bins, sizes: Sequence[int]) -> np.ndarray:
    """Spread the gradients of means of samples to (B, C, H, W)."""
    out = np.zeros(tuple(sizes), dtype=object)
    for k, c, *place in np.ndindex(g.shape):
        points = list(_sample_points(bins.boxes[k], bins, place))
        share = g[(k, c, *place)] / len(points)
        plane = out[int(bins.boxes[k][0]), c]
        for point in points:
            for i, j, w in _corners(point, sizes[2:]):
                plane[i, j] = plane[i, j] + w * share
    return out


# --- whole pixels ---


def _round(x: float) -> int:
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


def _window(box: Box, bins: Bins, place: Sequence[int], within: Sequence[int], last: int) -> Any:
    """Return the rows and columns of a bin, cropped to the image."""
    window = []
    for axis, (i, n, size) in enumerate(zip(place, bins.counts, within, strict=True)):
        start, end = _round(box[2 - axis] * bins.scale), _round(box[4 - axis] * bins.scale)
        length = max(end - start + last, 1) / n
        edges = math.floor(i * length) + start, math.ceil((i + 1) * length) + start
        low, high = (min(max(edge, 0), size) for edge in edges)
        window.append(slice(low, high))
    return tuple(window)


def pool(x: np.ndarray, bins: Bins) -> np.ndarray:
    """Return the largest pixel of each bin, or 0 for an empty one."""
    out = np.empty((len(bins.boxes), x.shape[1], *bins.counts), dtype=object)
    for k, c, *place in np.ndindex(out.shape):
        window = _window(bins.boxes[k], bins, place, x.shape[2:], last=1)
        out[(k, c, *place)] = _reduce(largest, x[int(bins.boxes[k][0]), c][window])
    return out


def pool_by_position(x: np.ndarray, bins: Bins) -> np.ndarray:
    """Return the mean pixel of each bin in channels of its own; the last row and column are out."""
    height, width = bins.counts
    out = np.empty((len(bins.boxes), x.shape[1] // (height * width), *bins.counts), dtype=object)
    within = [size - 1 for size in x.shape[2:]]
    for k, c, i, j in np.ndindex(out.shape):
        plane = x[int(bins.boxes[k][0]), (c * height + i) * width + j]
        window = _window(bins.boxes[k], bins, (i, j), within, last=0)
        out[k, c, i, j] = _reduce(mean, plane[window])
    return out


def _reduce(reduce: Callable[[Row], Real], pixels: np.ndarray) -> Real | float:
    return reduce(list(pixels.flat)) if pixels.size else 0.0


def pool_by_position_gradient(g: np.ndarray, bins: Bins, sizes: Sequence[int]) -> np.ndarray:
    """Divide each gradient by its bin's pixels, and add it to all of them."""
    out = np.zeros(tuple(sizes), dtype=object)
    height, width = bins.counts
    for k, c, i, j in np.ndindex(g.shape):
        plane = out[int(bins.boxes[k][0]), (c * height + i) * width + j]
        window = _window(bins.boxes[k], bins, (i, j), sizes[2:], last=0)
        if plane[window].size:
            plane[window] = plane[window] + g[k, c, i, j] / plane[window].size
    return out


# --- the best boxes ---


def suppress(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Return the numbers of the boxes that overlap no better one; sorting is not counted."""
    ranks: list[Real] = list(scores)
    order = sorted(range(len(ranks)), key=lambda i: -ranks[i].value)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in boxes]
    kept: list[int] = []
    out: set[int] = set()
    for rank, i in enumerate(order):
        if i in out:
            continue
        kept.append(i)
        for j in order[rank + 1 :]:
            if j not in out and _overlap(boxes[i], boxes[j], areas[i], areas[j], threshold):
                out.add(j)
    return np.array([float(i) for i in kept], dtype=object)


def _overlap(a: Row, b: Row, area_a: Real, area_b: Real, threshold: float) -> bool:
    width = maximum(0.0, minimum(a[2], b[2]) - maximum(a[0], b[0]))
    height = maximum(0.0, minimum(a[3], b[3]) - maximum(a[1], b[1]))
    shared = width * height
    return bool(compare(lambda v: v > threshold, shared / (area_a + area_b - shared)).value)


# --- convolution at moved positions ---


class Sizes(NamedTuple):
    """Of a deformable convolution."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    offset_groups: int

    def place(self, kernel: Sequence[int], tap: int, where: Sequence[int]) -> list[int]:
        """Return the position of a tap before it is moved."""
        steps = divmod(tap, kernel[1])
        sizes = zip(where, self.stride, self.padding, steps, self.dilation, strict=True)
        return [p * s - pad + k * d for p, s, pad, k, d in sizes]


Moved = tuple[int, int, int, list[Real], tuple[int, int]]


def _moved(weight: np.ndarray, offset: np.ndarray, sizes: Sizes) -> Iterator[Moved]:
    """Yield, for each image, group and tap: its position at each output, and that output."""
    kernel = weight.shape[2:]
    for b, group, tap in product(
        range(len(offset)), range(sizes.offset_groups), range(math.prod(kernel))
    ):
        first = 2 * (group * math.prod(kernel) + tap)
        for where in np.ndindex(offset.shape[2:]):
            place = sizes.place(kernel, tap, where)
            moved = [offset[(b, first + d, *where)] + place[d] for d in (0, 1)]
            yield b, group, tap, moved, (where[0], where[1])


def _channels(group: int, x: np.ndarray, sizes: Sizes) -> range:
    n = x.shape[1] // sizes.offset_groups
    return range(group * n, (group + 1) * n)


def _interpolate_taps(
    x: np.ndarray, weight: np.ndarray, offset: np.ndarray, sizes: Sizes
) -> np.ndarray:
    """Interpolate all taps: (B, C, taps, H, W)."""
    out = np.empty((*x.shape[:2], math.prod(weight.shape[2:]), *offset.shape[2:]), dtype=object)
    for b, group, tap, point, where in _moved(weight, offset, sizes):
        around = weigh_corners(point)
        for c in _channels(group, x, sizes):
            read = [w * read_inside(x[b, c], place) for place, w in around]
            out[(b, c, tap, *where)] = summation(read)
    return out


def _mask_taps(taps: np.ndarray, mask: np.ndarray | None, sizes: Sizes) -> np.ndarray:
    if mask is None:
        return taps
    B, C, K, *places = taps.shape
    each = mask.reshape(B, sizes.offset_groups, 1, K, *places)
    grouped = taps.reshape(B, sizes.offset_groups, C // sizes.offset_groups, K, *places)
    return (grouped * each).reshape(taps.shape)


def _read_by(taps: np.ndarray, weight: np.ndarray, o: int, sizes: Sizes) -> np.ndarray:
    """Return the taps that the o-th output channel reads."""
    n, outputs = taps.shape[1] // sizes.groups, len(weight) // sizes.groups
    return taps[:, o // outputs * n : (o // outputs + 1) * n]


def deform_conv(
    x: np.ndarray,
    weight: np.ndarray,
    offset: np.ndarray,
    mask: np.ndarray | None,
    bias: np.ndarray,
    sizes: Sizes,
) -> np.ndarray:
    """Convolve interpolated numbers, masked if there is a mask."""
    taps = _mask_taps(_interpolate_taps(x, weight, offset, sizes), mask, sizes)
    out = np.empty((len(x), len(weight), *offset.shape[2:]), dtype=object)
    for b, o, *where in np.ndindex(out.shape):
        read = _read_by(taps, weight, o, sizes)[(b, slice(None), slice(None), *where)]
        out[(b, o, *where)] = dot(read.flat, weight[o].flat) + bias[o]
    return out


def _keep(taps: np.ndarray, tape: Tape) -> np.ndarray:
    """Return numbers that were computed in the forward half, and cost nothing now."""
    kept = np.empty(taps.size, dtype=object)
    for i, number in enumerate(taps.flat):
        kept[i] = Real(value(number), tape)
    return kept.reshape(taps.shape)


def _forget_cost(array: np.ndarray) -> np.ndarray:
    return _keep(array, Tape())


def deform_conv_gradients(
    g: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    offset: np.ndarray,
    mask: np.ndarray | None,
    sizes: Sizes,
) -> np.ndarray:
    """Return the gradients of input, weight, offset, mask and bias, one after the other."""
    tape = g.flat[0].tape
    taps = _interpolate_taps(_forget_cost(x), weight, _forget_cost(offset), sizes)
    values = _keep(taps, tape)
    masked = values
    if mask is not None:
        masked = _keep(_mask_taps(_forget_cost(values), _forget_cost(mask), sizes), tape)
    of_weight = np.empty(weight.shape, dtype=object)
    for o, c, i, j in np.ndindex(weight.shape):
        tap = _read_by(masked, weight, o, sizes)[:, c, i * weight.shape[3] + j]
        of_weight[o, c, i, j] = dot(g[:, o].flat, tap.flat)
    of_taps = _gradients_of_taps(g, values, weight, sizes)
    of_mask = np.zeros(0, dtype=object)
    if mask is not None:
        B, C, K, *places = values.shape
        grouped = (B, sizes.offset_groups, C // sizes.offset_groups, K, *places)
        shares = np.moveaxis((of_taps * values).reshape(grouped), 2, -1)
        of_mask = np.array([summation(list(row)) for row in shares.reshape(-1, grouped[2])])
        of_taps = _mask_taps(of_taps, mask, sizes)
    of_x, of_offset = _gradients_of_samples(of_taps, x, weight, offset, sizes)
    of_bias = np.array([summation(list(g[:, o].flat)) for o in range(len(weight))])
    parts = (of_x, of_weight, of_offset, of_mask, of_bias)
    return np.concatenate([part.ravel() for part in parts])


def _gradients_of_taps(
    g: np.ndarray, taps: np.ndarray, weight: np.ndarray, sizes: Sizes
) -> np.ndarray:
    """Multiply gradients by the weights that the taps were multiplied by."""
    out = np.empty(taps.shape, dtype=object)
    n, outputs = taps.shape[1] // sizes.groups, len(weight) // sizes.groups
    for b, c, tap, *where in np.ndindex(taps.shape):
        own = slice(c // n * outputs, (c // n + 1) * outputs)
        i, j = divmod(tap, weight.shape[3])
        out[(b, c, tap, *where)] = dot(g[(b, own, *where)], weight[own, c % n, i, j])
    return out


def _gradients_of_samples(
    of_taps: np.ndarray, x: np.ndarray, weight: np.ndarray, offset: np.ndarray, sizes: Sizes
) -> tuple[np.ndarray, np.ndarray]:
    """Pass the gradients of interpolated numbers on to the input and to the positions."""
    of_x, of_offset = np.zeros(x.shape, dtype=object), np.empty(offset.shape, dtype=object)
    for b, group, tap, point, where in _moved(weight, offset, sizes):
        floors = [special(math.floor, p) for p in point]
        above = [p - f for p, f in zip(point, floors, strict=True)]
        sides = list(zip([1 - a for a in above], above, strict=True))
        corners = [
            ((i, j), (int(floors[0].value) + i, int(floors[1].value) + j))
            for i, j in product((0, 1), repeat=2)
        ]
        weights = [sides[0][i] * sides[1][j] for (i, j), _place in corners]
        channels = _channels(group, x, sizes)
        for c in channels:
            for (_side, place), w in zip(corners, weights, strict=True):
                _add_inside(of_x[b, c], place, w * of_taps[(b, c, tap, *where)])
        for d in (0, 1):
            shares = [
                of_taps[(b, c, tap, *where)] * _rise(x[b, c], corners, sides[1 - d], d)
                for c in channels
            ]
            place = 2 * (group * of_taps.shape[2] + tap) + d
            of_offset[(b, place, *where)] = summation(shares)
    return of_x, of_offset


def _rise(plane: np.ndarray, corners: Any, other: Sequence[Real], d: int) -> Real:
    """Return the neighbours above in one dimension minus those below, by the other's weights."""
    rows: dict[int, list[Real]] = {0: [], 1: []}
    for side, place in corners:
        rows[side[d]].append(other[side[1 - d]] * read_inside(plane, place))
    return summation(rows[1]) - summation(rows[0])


def _add_inside(plane: np.ndarray, where: tuple[int, int], share: Real) -> None:
    if all(0 <= i < n for i, n in zip(where, plane.shape, strict=True)):
        plane[where] = plane[where] + share
    else:
        share + 0.0  # counted, and cropped
