"""Matrix products and convolutions, one multiply-accumulate at a time."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np

from tests.formulas.scalars import Real, mac, sqrt


def dot(a: Iterable[Real], b: Iterable[Real]) -> Real:
    """Return `a . b`."""
    total: Any = 0.0
    for x, y in zip(a, b, strict=True):
        total = mac(total, x, y)
    result: Real = total
    return result


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply (m, k) by (k, n)."""
    out = np.empty((a.shape[0], b.shape[1]), dtype=object)
    for i, j in np.ndindex(out.shape):
        out[i, j] = dot(a[i, :], b[:, j])
    return out


def batch_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply (B, m, k) by (B, k, n)."""
    return np.stack([matmul(x, y) for x, y in zip(a, b, strict=True)])


def broadcast(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply (A, 1, m, k) by (B, k, n): each of the first by each of the second."""
    return np.stack([[matmul(x[0], y) for y in b] for x in a])


def matrix_vector(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Multiply (m, k) by (k)."""
    return matmul(a, x[:, None])[:, 0]


def linear(x: np.ndarray, W: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Return `W x + b` for each vector of x."""
    out = np.empty((*x.shape[:-1], W.shape[0]), dtype=object)
    for *place, o in np.ndindex(out.shape):
        y = dot(x[tuple(place)], W[o])
        out[(*place, o)] = y if b is None else y + b[o]
    return out


def bilinear(a: np.ndarray, b: np.ndarray, W: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return `a^T W b + c` for each pair of vectors."""
    out = np.empty((len(a), len(W)), dtype=object)
    for i, o in np.ndindex(out.shape):
        out[i, o] = dot([dot(a[i], column) for column in W[o].T], b[i]) + c[o]
    return out


def cosine_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return `a . b / (||a|| ||b||)` for each pair of rows."""
    return np.array(
        [dot(x, y) / (sqrt(dot(x, x)) * sqrt(dot(y, y))) for x, y in zip(a, b, strict=True)],
        dtype=object,
    )


def scale(factor: float, x: np.ndarray) -> np.ndarray:
    """Return `factor * x`; a factor of 1 is not multiplied by."""
    return x if factor == 1 else factor * x


def add_scaled(
    added: np.ndarray, products: np.ndarray, beta: float = 1, alpha: float = 1
) -> np.ndarray:
    """Return `beta * added + alpha * products`; with a beta of 0 nothing is added."""
    products = scale(alpha, products)
    return scale(beta, added) + products if beta else products


def outer(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return `a b^T`: products without accumulation."""
    out = np.empty((len(a), len(b)), dtype=object)
    for i, j in np.ndindex(out.shape):
        out[i, j] = a[i] * b[j]
    return out


def batch_sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the sum of `a b` over the batch, accumulated."""
    out = np.empty((a.shape[1], b.shape[2]), dtype=object)
    for i, j in np.ndindex(out.shape):
        out[i, j] = dot(a[:, i, :].flat, b[:, :, j].flat)
    return out


def convolution(
    x: np.ndarray,
    W: np.ndarray,
    b: np.ndarray | None,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> np.ndarray:
    """Sum, for each output, over its group's channels and all taps; padding is a zero like others.

    x: (B, C, T...), W: (O, C / groups, K...).
    """
    batch, _, *sizes = x.shape
    features, channels, *kernel = W.shape
    length = [
        (t + 2 * p - d * (k - 1) - 1) // s + 1
        for t, p, d, k, s in zip(sizes, padding, dilation, kernel, stride, strict=True)
    ]
    out = np.empty((batch, features, *length), dtype=object)
    for n, o, *place in np.ndindex(out.shape):
        group = o // (features // groups)
        total = 0.0
        for c, *tap in np.ndindex(channels, *kernel):
            source = [
                s * i + d * k - p
                for i, k, s, d, p in zip(place, tap, stride, dilation, padding, strict=True)
            ]
            inside = all(0 <= i < t for i, t in zip(source, sizes, strict=True))
            padded = x[(n, group * channels + c, *source)] if inside else 0.0
            total = mac(total, padded, W[(o, c, *tap)])
        out[(n, o, *place)] = total if b is None else total + b[o]
    return out


def transposed_convolution(
    x: np.ndarray,
    W: np.ndarray,
    b: np.ndarray | None,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> np.ndarray:
    """Spread each input over the taps, in the outputs of its group; padding crops the result.

    x: (B, C, T...), W: (C, O / groups, K...).
    """
    batch, inputs, *sizes = x.shape
    features, kernel = W.shape[1], W.shape[2:]
    length = [
        (t - 1) * s + d * (k - 1) + 1 + extra
        for t, s, d, k, extra in zip(sizes, stride, dilation, kernel, output_padding, strict=True)
    ]
    canvas = np.zeros((batch, features * groups, *length), dtype=object)
    for n, c, *place in np.ndindex(x.shape):
        group = c // (inputs // groups)
        for o, *tap in np.ndindex(features, *kernel):
            target = [
                s * i + d * k for i, k, s, d in zip(place, tap, stride, dilation, strict=True)
            ]
            at = (n, group * features + o, *target)
            canvas[at] = mac(canvas[at], x[(n, c, *place)], W[(c, o, *tap)])
    cropped = tuple(slice(p, t - p) for p, t in zip(padding, length, strict=True))
    out = canvas[(slice(None), slice(None), *cropped)]
    if b is not None:
        for n, o, *place in product(*map(range, out.shape)):
            out[(n, o, *place)] = b[o] + out[(n, o, *place)]
    return out
