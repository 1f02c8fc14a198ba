"""Pooling and interpolation; which inputs an output is made of, and their weights, are free."""

import math
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from tests.formulas.naive.reduction import Row, summation
from tests.formulas.scalars import Real

Neighbours = list[tuple[int, float]]


def pool(
    x: np.ndarray,
    pooled: Callable[[Row], Real],
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    fill: float = 0.0,
) -> np.ndarray:
    """Windows of (B, C, T...), which is padded with ``fill``."""
    widths = [(0, 0), (0, 0), *((p, p) for p in padding)]
    padded = np.pad(x, widths, constant_values=Real(fill, x.flat[0].tape))
    sizes = padded.shape[2:]
    length = [(t - k) // s + 1 for t, k, s in zip(sizes, kernel, stride, strict=True)]
    out = np.empty((*x.shape[:2], *length), dtype=object)
    for n, c, *place in np.ndindex(out.shape):
        window = [slice(i * s, i * s + k) for i, s, k in zip(place, stride, kernel, strict=True)]
        out[(n, c, *place)] = pooled(list(padded[(n, c, *window)].flat))
    return out


def adaptive_pool(x: np.ndarray, pooled: Callable[[Row], Real], outs: Sequence[int]) -> np.ndarray:
    """Window i of o, over s numbers: from floor(i s / o) up to ceil((i + 1) s / o)."""
    out = np.empty((*x.shape[:2], *outs), dtype=object)
    for n, c, *place in np.ndindex(out.shape):
        window = [
            slice(math.floor(i * s / o), math.ceil((i + 1) * s / o))
            for i, s, o in zip(place, x.shape[2:], outs, strict=True)
        ]
        out[(n, c, *place)] = pooled(list(x[(n, c, *window)].flat))
    return out


def interpolate(
    x: np.ndarray, outs: Sequence[int], neighbours: Callable[[int, int, int], Neighbours]
) -> np.ndarray:
    """Each output of (B, C, T...) is the weighted sum of its neighbours in all dimensions."""
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
    """Two neighbours; output i lies at (i + 1/2) size / out - 1/2, but never before the first."""
    position = max((i + 0.5) * size / out - 0.5, 0.0)
    return _between(position, size)


def linear_with_corners(i: int, size: int, out: int) -> Neighbours:
    """Two neighbours; the first and the last outputs lie on the first and the last inputs."""
    return _between(i * (size - 1) / (out - 1) if out > 1 else 0.0, size)


def _between(position: float, size: int) -> Neighbours:
    first = min(math.floor(position), size - 1)
    share = position - first
    return [(first, 1 - share), (min(first + 1, size - 1), share)]


def cubic(i: int, size: int, out: int) -> Neighbours:
    """Four neighbours with the weights of Keys 1981, a = -3/4; edges are repeated."""
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
