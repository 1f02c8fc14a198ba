"""Gradients by their textbook derivatives, one number at a time."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

from tests.formulas.naive.contraction import dot
from tests.formulas.naive.reduction import Row, summation
from tests.formulas.naive.resampling import (
    Neighbours,
    pixels,
    read_inside,
    triangle,
    weigh_corners,
)
from tests.formulas.scalars import (
    Real,
    absolute,
    choose,
    compare,
    exp,
    mac,
    maximum,
    minimum,
    rsqrt,
    sigmoid,
    special,
    tanh,
    value,
)


def each(derivative: Callable[..., Real]) -> Callable[..., np.ndarray]:
    """Apply a function of numbers to arrays of one shape."""

    def apply(*arrays: np.ndarray) -> np.ndarray:
        out = np.empty(arrays[0].shape, dtype=object)
        for place in np.ndindex(out.shape):
            out[place] = derivative(*(array[place] for array in arrays))
        return out

    return apply


def by_row(rowwise: Callable[..., Row]) -> Callable[..., np.ndarray]:
    """Apply a function of rows to arrays of rows."""

    def apply(*arrays: np.ndarray) -> np.ndarray:
        out = np.empty(arrays[0].shape, dtype=object)
        for place in np.ndindex(out.shape[:-1]):
            out[place] = rowwise(*(array[place] for array in arrays))
        return out

    return apply


# --- activations: g arrives, x went in, y came out ---


def threshold(g: Real, x: Real) -> Real:
    return choose(value(x) > 0, g, 0.0)


def leaky_relu(g: Real, x: Real) -> Real:
    return choose(value(x) > 0, g, 0.1 * value(g))


def hard_tanh(g: Real, x: Real) -> Real:
    return choose(value(x) > -1, choose(value(x) < 1, g, 0.0), 0.0)


def sigmoid_gradient(g: Real, y: Real) -> Real:
    return g * ((1 - y) * y)


def tanh_gradient(g: Real, y: Real) -> Real:
    return g * (1 - y * y)


def silu(g: Real, x: Real) -> Real:
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


def gelu(g: Real, x: Real) -> Real:
    left = 0.5 * (1 + special(math.erf, x * math.sqrt(0.5)))
    density = exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    return g * (left + x * density)


def gelu_tanh(g: Real, x: Real) -> Real:
    a, b = math.sqrt(2 / math.pi), 0.044715
    square = x * x
    h = tanh(a * (x * (1 + b * square)))
    return g * (0.5 * (1 + h) + 0.5 * x * (1 - h * h) * (a + 3 * a * b * square))


def elu(g: Real, x: Real) -> Real:
    return choose(value(x) > 0, g, g * (exp(x) * 1.0))


def softplus(g: Real, x: Real) -> Real:
    return g * sigmoid(x)


def hard_sigmoid(g: Real, x: Real) -> Real:
    return choose(value(x) > -3, choose(value(x) < 3, g * (1 / 6), 0.0), 0.0)


def hard_swish(g: Real, x: Real) -> Real:
    between = g * (x / 3 + 0.5)
    return choose(value(x) > -3, choose(value(x) < 3, between, g), 0.0)


def prelu_of_input(g: Real, x: Real, w: Real) -> Real:
    return choose(value(x) > 0, g, w * g)


def prelu_of_weight(g: Real, x: Real) -> Real:
    return choose(value(x) > 0, 0.0, x * g)


def log_sigmoid(g: Real, x: Real) -> Real:
    return g * special(lambda v: 1 / (1 + math.exp(v)), x)


def glu(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return (2 n,) gradients of `a sigmoid(b)`, given (n,) gradients and (2 n,) inputs a and b."""
    a, b = np.split(x, 2)
    gates = [sigmoid(v) for v in b]
    first = [v * s for v, s in zip(g, gates, strict=True)]
    second = [f * u * (1 - s) for f, u, s in zip(first, a, gates, strict=True)]
    return np.array([*first, *second], dtype=object)


def mse(x: Real, target: Real, g: float, n: int) -> Real:
    """Return the gradient of the mean of n squares; `2 / n` is a constant, g one number."""
    return (x - target) * (2 / n) * g


# --- rows ---


def softmax(g: Row, y: Row) -> Row:
    products = [a * b for a, b in zip(g, y, strict=True)]
    total = summation(products)
    return [p - b * total for p, b in zip(products, y, strict=True)]


def log_softmax(g: Row, y: Row) -> Row:
    total = summation(list(g))
    return [a - exp(b) * total for a, b in zip(g, y, strict=True)]


def normalization(g: Row, x: Row, mean: Real, rstd: Real) -> Row:
    """Return the gradient of `(x - mean) / sigma`; the mean and `1 / sigma` are known."""
    z = [(v - mean) * rstd for v in x]
    level = summation(list(g)) / len(x)
    slope = summation([a * b for a, b in zip(g, z, strict=True)]) / len(x)
    return [(a - level - b * slope) * rstd for a, b in zip(g, z, strict=True)]


def affine_input(g: Row, w: Row) -> Row:
    return [a * b for a, b in zip(g, w, strict=True)]


def column_sums(rows: np.ndarray) -> np.ndarray:
    return np.array([summation(list(column)) for column in rows.T], dtype=object)


def weight_norm(g: np.ndarray, v: np.ndarray, w: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return gradients of `w v / ||v||` with respect to v, then to w, for each row of v."""
    by_v, by_w = np.empty(v.shape, dtype=object), np.empty(len(v), dtype=object)
    for i, (row, arrived) in enumerate(zip(v, g, strict=True)):
        inner = summation([a * b for a, b in zip(arrived, row, strict=True)])
        by_w[i] = inner / lengths[i]
        slope, factor = by_w[i] / lengths[i], w[i] / lengths[i]
        by_v[i] = [factor * (a - b * slope) for a, b in zip(arrived, row, strict=True)]
    return np.concatenate([by_v.reshape(-1), by_w])


# --- contractions ---


def convolution_of_input(
    g: np.ndarray, W: np.ndarray, sizes: Sequence[int], stride: int, padding: int
) -> np.ndarray:
    """Return (B, O, T) gradients to (B, C, sizes), each through every tap, even on padding."""
    _, channels, kernel = W.shape
    reach = sizes[2] + 2 * padding
    out = np.zeros((sizes[0], channels, reach), dtype=object)
    for n, o, t, c, k in np.ndindex(*g.shape[:3], channels, kernel):
        at = (n, c, t * stride + k)
        out[at] = mac(out[at], g[n, o, t], W[o, c, k])
    return out[..., padding : reach - padding]


def convolution_of_weight(
    g: np.ndarray, x: np.ndarray, shape: Sequence[int], stride: int, padding: int
) -> np.ndarray:
    """Sum, for each weight, the products of what it met, even padding."""
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding)], constant_values=0.0)
    out = np.zeros(tuple(shape), dtype=object)
    for n, o, t, c, k in np.ndindex(*g.shape, *shape[1:]):
        out[o, c, k] = mac(out[o, c, k], padded[n, c, t * stride + k], g[n, o, t])
    return out


def attention(
    g: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, P: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gradients to q, k and v of one head, (L, E), (S, E), (S, Ev), with known softmax P."""
    c = 1 / math.sqrt(q.shape[1])
    by_v = _product(P.T, g)
    by_P = _product(g, v.T)
    scores = by_row(softmax)(by_P, P) * c
    return _product(scores, k), _product(scores.T, q), by_v


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = np.empty((a.shape[0], b.shape[1]), dtype=object)
    for i, j in np.ndindex(out.shape):
        out[i, j] = dot(a[i], b[:, j])
    return out


# --- resampling ---


def scatter(g: np.ndarray, places: np.ndarray, size: int, *, scaled: bool = False) -> np.ndarray:
    """Add each gradient at its place, perhaps divided by how often that occurs."""
    out = np.zeros(size, dtype=object)
    often = np.bincount(places.flat)
    for gradient, place in zip(g.flat, places.flat, strict=True):
        out[place] = out[place] + (gradient / int(often[place]) if scaled else gradient)
    return out


def average_pool(g: np.ndarray, windows: Sequence[slice], size: int) -> np.ndarray:
    """Add each gradient, divided by the size of its window, to all of the window."""
    out = np.zeros(size, dtype=object)
    for gradient, window in zip(g.flat, windows, strict=True):
        share = gradient / (window.stop - window.start)
        for place in range(window.start, window.stop):
            out[place] = out[place] + share
    return out


def spread(g: np.ndarray, neighbours: Sequence[Neighbours], size: int) -> np.ndarray:
    """Add (T,) gradients, weighted, to the neighbours that each output was made of."""
    out = np.zeros(size, dtype=object)
    for gradient, near in zip(g, neighbours, strict=True):
        for place, weight in near:
            out[place] = out[place] + gradient * weight
    return out


# --- without padding and masked scores ---


def valid_convolution_of_input(
    g: np.ndarray, W: np.ndarray, sizes: Sequence[int], stride: int, padding: int
) -> np.ndarray:
    """Return (B, O, T) gradients to (B, C, sizes), each through the taps that met a number."""
    out = np.zeros(tuple(sizes), dtype=object)
    for n, o, t, c, k in np.ndindex(*g.shape, *W.shape[1:]):
        place = t * stride + k - padding
        if 0 <= place < sizes[2]:
            out[n, c, place] = mac(out[n, c, place], g[n, o, t], W[o, c, k])
    return out


def valid_convolution_of_weight(
    g: np.ndarray, x: np.ndarray, shape: Sequence[int], stride: int, padding: int
) -> np.ndarray:
    """Sum, for each weight, the products of the numbers that it met."""
    out = np.zeros(tuple(shape), dtype=object)
    for n, o, t, c, k in np.ndindex(*g.shape, *shape[1:]):
        place = t * stride + k - padding
        if 0 <= place < x.shape[2]:
            out[o, c, k] = mac(out[o, c, k], x[n, c, place], g[n, o, t])
    return out


def masked_attention(
    g: np.ndarray,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    P: np.ndarray,
    seen: Sequence[Sequence[int]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gradients to q, k and v of one head, for the keys that each query sees."""
    c = 1 / math.sqrt(q.shape[1])
    by_q, by_k, by_v = (np.zeros(x.shape, dtype=object) for x in (q, k, v))
    for i, keys in enumerate(seen):
        by_P = [dot(g[i], v[s]) for s in keys]
        scores = softmax(by_P, [P[i, s] for s in keys]) if keys else []
        for s, score in zip(keys, scores, strict=True):
            scaled = score * c
            for e in range(q.shape[1]):
                by_q[i, e] = mac(by_q[i, e], scaled, k[s, e])
                by_k[s, e] = mac(by_k[s, e], scaled, q[i, e])
            for e in range(v.shape[1]):
                by_v[s, e] = mac(by_v[s, e], P[i, s], g[i, e])
    return by_q, by_k, by_v


# --- of losses; c is the constant of a mean, g one number ---


def huber(x: Real, target: Real, g: float, c: float) -> Real:
    return minimum(maximum(x - target, -1.0), 1.0) * c * g


def soft_margin(x: Real, target: Real, g: float, c: float) -> Real:
    return target * -c * special(lambda v: 1 / (1 + math.exp(v)), target * x) * g


def cross_entropy(x: Real, target: Real, weight: Real | None, g: float, c: float) -> Real:
    out = (x - target) / (x * (1 - x)) * c * g
    return out if weight is None else out * weight


def multi_margin(
    x: np.ndarray, target: np.ndarray, weight: Any, g: Real, *, p: int, margin: float, c: float
) -> np.ndarray:
    """Return gradients of margins, which the test makes so large that all classes are within."""
    out = np.zeros(x.shape, dtype=object)
    for n, (row, y) in enumerate(zip(x, target, strict=True)):
        step = g * (c * p)
        step = step if weight is None else step * weight[y]
        others = [j for j in range(len(row)) if j != y]
        for j in others:
            violation = maximum(0.0, margin - row[y] + row[j])
            out[n, j] = step * violation if p > 1 else step
        if others:
            out[n, y] = -summation([out[n, j] for j in others])
    return out


def multi_label_margin(x: np.ndarray, labels: np.ndarray, g: Real, c: float) -> np.ndarray:
    """Return gradients of the margins of pairs, all of which are within it."""
    out = np.zeros(x.shape, dtype=object)
    for n, (row, own) in enumerate(zip(x, labels, strict=True)):
        step = g * c
        chosen = [int(t) for t in own if t >= 0]
        for y in chosen:
            for j in (j for j in range(len(row)) if j not in chosen):
                maximum(0.0, 1000.0 - row[y] + row[j])
                out[n, y] = out[n, y] - step if isinstance(out[n, y], Real) else -step
                out[n, j] = out[n, j] + step
    return out


def logit(g: Real, x: Real) -> Real:
    return g / (x * (1 - x))


def logit_between(g: Real, x: Real) -> Real:
    return choose(value(x) > 0.3, choose(value(x) < 0.7, logit(g, x), 0.0), 0.0)


def shrink(g: Real, x: Real) -> Real:
    return choose(value(x) > 0.5, g, choose(value(x) < -0.5, g, 0.0))


# --- of norms by stored statistics, and of distances ---


def frozen_normalization(
    g: np.ndarray, x: np.ndarray, mean: Row, var: Row, w: Row | None, *, eps: float
) -> tuple[np.ndarray, Row, Row]:
    """Return gradients of (rows, features), of w and of b; the root is evaluated once."""
    by_x = np.empty(g.shape, dtype=object)
    by_w, by_b = [], []
    for f in range(g.shape[1]):
        root = rsqrt(var[f] + eps)
        scale = root if w is None else root * w[f]
        by_x[:, f] = [a * scale for a in g[:, f]]
        centred = [a * (v - mean[f]) for a, v in zip(g[:, f], x[:, f], strict=True)]
        by_w.append(summation(centred) * root)
        by_b.append(summation(list(g[:, f])))
    return by_x, by_w, by_b


def distance(g: Real, x: Row, y: Row, length: Real, order: float) -> Row:
    """Return the gradient of one distance with respect to x."""
    differences = [a - b for a, b in zip(x, y, strict=True)]
    if order == 1:
        return [choose(value(d) > 0, g, -value(g)) for d in differences]
    if order == 2:
        share = g / length
        return [d * share for d in differences]
    if order == math.inf:
        largest = [compare(lambda a, b: a == b, absolute(d), length) for d in differences]
        signed = [choose(value(d) > 0, g, -value(g)) for d in differences]
        return [Real(s.value * m.value, s.tape) for s, m in zip(signed, largest, strict=True)]
    share = g / special(lambda v: v ** (order - 1), length)
    powers = [special(lambda v: v ** (order - 2), absolute(d)) for d in differences]
    return [d * p * share for d, p in zip(differences, powers, strict=True)]


def each_to_each(
    g: np.ndarray, x: np.ndarray, y: np.ndarray, lengths: np.ndarray, order: float
) -> np.ndarray:
    """Add the gradients of all distances from the rows of x to those of y."""
    out = np.zeros(x.shape, dtype=object)
    for i, j in np.ndindex(len(x), len(y)):
        pair: list[Any] = [g[i, j], x[i], y[j], lengths[i, j], order]
        row = distance(*pair)
        out[i] = [a + b for a, b in zip(out[i], row, strict=True)]
    return out


def within(g: Row, x: np.ndarray, lengths: Row, order: float) -> np.ndarray:
    """Add the gradients of the distances between rows to both rows of each pair."""
    out = np.zeros(x.shape, dtype=object)
    pairs = combinations(range(len(x)), 2)
    for (i, j), arrived, length in zip(pairs, g, lengths, strict=True):
        row = distance(arrived, x[i], x[j], length, order)
        out[i] = [a + b for a, b in zip(out[i], row, strict=True)]
        out[j] = [a - b if isinstance(a, Real) else -b for a, b in zip(out[j], row, strict=True)]
    return out


# --- of sampling ---


def antialiased(g: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Spread gradients along the height, then along the width."""
    for axis in (2, 3):
        rows = np.moveaxis(g, axis, -1)
        size, length = sizes[axis - 2], rows.shape[-1]
        near = [triangle(i, size, length) for i in range(length)]
        out = np.empty((*rows.shape[:-1], size), dtype=object)
        for place in np.ndindex(rows.shape[:-1]):
            out[place] = spread(rows[place], near, size)
        g = np.moveaxis(out, -1, axis)
    return g


def sample_grid_of_input(
    g: np.ndarray, grid: np.ndarray, sizes: Sequence[int], *, aligned: bool, clamped: bool
) -> np.ndarray:
    """Spread each channel's gradient to the corners, even to those outside."""
    out = np.zeros(tuple(sizes), dtype=object)
    for n, *place in np.ndindex((sizes[0], *grid.shape[1:-1])):
        point = pixels(grid[(n, *place)], sizes[2:], aligned=aligned, clamped=clamped)
        around = weigh_corners(point)
        for c in range(sizes[1]):
            for where, weight in around:
                _add_inside(out[n, c], tuple(reversed(where)), g[(n, c, *place)] * weight)
    return out


def _add_inside(plane: np.ndarray, where: tuple[int, ...], share: Real) -> None:
    inside = all(0 <= i < n for i, n in zip(where, plane.shape, strict=True))
    if inside:
        plane[where] = plane[where] + share
    else:
        share + 0.0  # counted, and cropped


def sample_grid_of_grid(
    g: np.ndarray, x: np.ndarray, grid: np.ndarray, *, aligned: bool, clamped: bool
) -> np.ndarray:
    """Return the gradients of the points."""
    out = np.empty(grid.shape, dtype=object)
    sizes, dimensions = x.shape[2:], grid.shape[-1]
    for n, *place in np.ndindex(grid.shape[:-1]):
        point = pixels(grid[(n, *place)], sizes, aligned=aligned, clamped=clamped)
        floors = [special(math.floor, p) for p in point]
        above = [p - f for p, f in zip(point, floors, strict=True)]
        below = [1 - a for a in above]
        for d in range(dimensions):
            slopes = _slopes(floors, above, below, d)
            channels = range(x.shape[1])
            total = summation([g[(n, c, *place)] * _rise(x[n, c], slopes) for c in channels])
            size = sizes[dimensions - 1 - d]
            scaled = total * ((size - 1 if aligned else size) / 2)
            if clamped:
                inside = 0 < value(point[d]) < size - 1
                choose(inside, scaled, 0.0)
                scaled = choose(inside, scaled, 0.0)
            out[(n, *place, d)] = scaled
    return out


Slopes = list[tuple[int, tuple[int, ...], Real]]


def _slopes(floors: Sequence[Real], above: Sequence[Real], below: Sequence[Real], d: int) -> Slopes:
    """Return each corner's side in dimension d, its place and its weight by the others."""
    slopes: Slopes = []
    for corner in product((0, 1), repeat=len(floors)):
        weight, *others = [(above if up else below)[i] for i, up in enumerate(corner) if i != d]
        for other in others:
            weight = weight * other
        where = tuple(int(f.value) + up for f, up in zip(floors, corner, strict=True))
        slopes.append((corner[d], tuple(reversed(where)), weight))
    return slopes


def _rise(plane: np.ndarray, slopes: Slopes) -> Real:
    """Return the sum of the corners above minus that of those below."""
    sides: dict[int, list[Real]] = {0: [], 1: []}
    for side, where, weight in slopes:
        sides[side].append(weight * read_inside(plane, where))
    return summation(sides[1]) - summation(sides[0])


def frozen_normalization_of_input(
    g: np.ndarray, var: Row, w: Row | None, *, eps: float
) -> np.ndarray:
    """Return the gradient of (rows, features) alone."""
    out = np.empty(g.shape, dtype=object)
    for f in range(g.shape[1]):
        root = rsqrt(var[f] + eps)
        scale = root if w is None else root * w[f]
        out[:, f] = [a * scale for a in g[:, f]]
    return out
