"""Pooling and interpolation; finding an output's inputs and their weights is free."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from tests.formulas.naive.pointwise import clamp
from tests.formulas.naive.reduction import Row, summation
from tests.formulas.scalars import Real, special

Neighbours = list[tuple[int, float]]


def pool(
    x: np.ndarray,
    reduce: Callable[[Row], Real],
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    fill: float = 0.0,
) -> np.ndarray:
    """Reduce windows of (B, C, T...), which is padded with ``fill``."""
    widths = [(0, 0), (0, 0), *((p, p) for p in padding)]
    number: Any = Real(fill, x.flat[0].tape)
    padded = np.pad(x, widths, constant_values=number)
    sizes = padded.shape[2:]
    length = [(t - k) // s + 1 for t, k, s in zip(sizes, kernel, stride, strict=True)]
    out = np.empty((*x.shape[:2], *length), dtype=object)
    for n, c, *place in np.ndindex(out.shape):
        window = [slice(i * s, i * s + k) for i, s, k in zip(place, stride, kernel, strict=True)]
        out[(n, c, *place)] = reduce(list(padded[(n, c, *window)].flat))
    return out


def adaptive_pool(x: np.ndarray, reduce: Callable[[Row], Real], outs: Sequence[int]) -> np.ndarray:
    """Reduce windows `floor(i s / o) ... ceil((i + 1) s / o)` of s numbers to o."""
    out = np.empty((*x.shape[:2], *outs), dtype=object)
    for n, c, *place in np.ndindex(out.shape):
        window = [
            slice(math.floor(i * s / o), math.ceil((i + 1) * s / o))
            for i, s, o in zip(place, x.shape[2:], outs, strict=True)
        ]
        out[(n, c, *place)] = reduce(list(x[(n, c, *window)].flat))
    return out


def interpolate(
    x: np.ndarray, outs: Sequence[int], neighbours: Callable[[int, int, int], Neighbours]
) -> np.ndarray:
    """Sum, for each output of (B, C, T...), its weighted neighbours in all dimensions."""
    out = np.empty((*x.shape[:2], *outs), dtype=object)
    for n, c, *place in np.ndindex(out.shape):
        near = [neighbours(*sizes) for sizes in zip(place, x.shape[2:], outs, strict=True)]
        out[(n, c, *place)] = summation(
            [
                math.prod(weight for _, weight in corner) * x[(n, c, *(i for i, _ in corner))]
                for corner in product(*near)
            ]
        )
    return out


def linear(i: int, size: int, out: int) -> Neighbours:
    """Return two neighbours of `(i + 1/2) size / out - 1/2`, clamped to the first input."""
    position = max((i + 0.5) * size / out - 0.5, 0.0)
    return _between(position, size)


def linear_with_corners(i: int, size: int, out: int) -> Neighbours:
    """Return two neighbours; the outer outputs coincide with the outer inputs."""
    return _between(i * (size - 1) / (out - 1) if out > 1 else 0.0, size)


def _between(position: float, size: int) -> Neighbours:
    first = min(math.floor(position), size - 1)
    share = position - first
    return [(first, 1 - share), (min(first + 1, size - 1), share)]


def cubic(i: int, size: int, out: int) -> Neighbours:
    """Return four neighbours with the weights of Keys 1981, `a = -3/4`; edges are repeated."""
    position = (i + 0.5) * size / out - 0.5
    first = math.floor(position)
    return [
        (min(max(j, 0), size - 1), _cubic_weight(abs(position - j)))
        for j in range(first - 1, first + 3)
    ]


def _cubic_weight(distance: float, a: float = -0.75) -> float:
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * (distance**3 - 5 * distance**2 + 8 * distance - 4)


# --- at given places ---


def interpolate_deformed(
    x: np.ndarray, places: np.ndarray, offsets: np.ndarray, mask: np.ndarray | None
) -> np.ndarray:
    """Interpolate (C, H, W) at (P, 2) places, moved by offsets, to (C, P)."""
    out = np.empty((len(x), len(places)), dtype=object)
    for p in range(len(places)):
        around = weigh_corners([offsets[p, d] + int(places[p, d]) for d in (0, 1)])
        for c in range(len(x)):
            tap = summation([w * x[(c, *where)] for where, w in around])
            out[c, p] = tap if mask is None else tap * mask[p]
    return out


def sample_grid(
    x: np.ndarray, grid: np.ndarray, *, aligned: bool, clamped: bool, nearest: bool
) -> np.ndarray:
    """Sample (B, C, H, W) at the points (x, y) of (B, P, Q, 2); outside is 0."""
    B, C, *sizes = x.shape
    out = np.empty((B, C, *grid.shape[1:-1]), dtype=object)
    for n, *place in np.ndindex((B, *grid.shape[1:-1])):
        point = [
            _pixel(grid[(n, *place, d)], size, aligned=aligned, clamped=clamped)
            for d, size in enumerate(reversed(sizes))
        ]
        around = _nearest(point) if nearest else weigh_corners(point)
        for c in range(C):
            read = [(w, read_inside(x[n, c], tuple(reversed(where)))) for where, w in around]
            taps: list[Real] = [v if w is None else w * v for w, v in read]
            out[(n, c, *place)] = summation(taps)
    return out


def pixels(
    coordinates: Sequence[Real], sizes: Sequence[int], *, aligned: bool, clamped: bool
) -> list[Real]:
    """Return the pixel coordinates (x, y, ...) of a point in a plane or volume."""
    pairs = zip(coordinates, reversed(sizes), strict=True)
    return [_pixel(c, size, aligned=aligned, clamped=clamped) for c, size in pairs]


def _pixel(coordinate: Real, size: int, *, aligned: bool, clamped: bool) -> Real:
    scaled = (coordinate + 1) * ((size - 1 if aligned else size) / 2)
    place = scaled if aligned else scaled - 0.5
    return clamp(place, 0, size - 1) if clamped else place


def _nearest(point: Sequence[Real]) -> list[tuple[tuple[int, ...], None]]:
    return [(tuple(int(special(round, p).value) for p in point), None)]


def weigh_corners(point: Sequence[Real]) -> list[tuple[tuple[int, ...], Real]]:
    """Return the neighbours of a point and their weights."""
    floors = [special(math.floor, p) for p in point]
    above = [p - f for p, f in zip(point, floors, strict=True)]
    below = [1 - a for a in above]
    corners = []
    for corner in product((0, 1), repeat=len(point)):
        weights = [(above if up else below)[d] for d, up in enumerate(corner)]
        weight = weights[0]
        for w in weights[1:]:
            weight = weight * w
        places = (int(f.value) + up for f, up in zip(floors, corner, strict=True))
        corners.append((tuple(places), weight))
    return corners


def read_inside(plane: np.ndarray, place: tuple[int, ...]) -> Real:
    inside = all(0 <= i < n for i, n in zip(place, plane.shape, strict=True))
    number: Real = plane[place] if inside else Real(0.0, plane.flat[0].tape)
    return number


def interpolate_antialiased(x: np.ndarray, outs: Sequence[int]) -> np.ndarray:
    """Filter by triangles as wide as two outputs, along the width, then along the height."""
    for axis, size in ((3, outs[1]), (2, outs[0])):
        rows = np.moveaxis(x, axis, -1)
        x = np.empty((*rows.shape[:-1], size), dtype=object)
        for *place, i in np.ndindex(x.shape):
            taps = triangle(i, rows.shape[-1], size)
            x[(*place, i)] = summation([w * rows[(*place, j)] for j, w in taps])
        x = np.moveaxis(x, -1, axis)
    return x


def triangle(i: int, size: int, out: int) -> Neighbours:
    scale = size / out
    half = max(scale, 1.0)
    centre = scale * (i + 0.5)
    first, last = max(int(centre - half + 0.5), 0), min(int(centre + half + 0.5), size)
    weights = [max(0.0, 1 - abs((j - centre + 0.5) / half)) for j in range(first, last)]
    return [(first + k, w / sum(weights)) for k, w in enumerate(weights)]
