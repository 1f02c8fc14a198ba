"""Gradients by their textbook derivatives, one number at a time."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from tests.formulas.naive.contraction import dot
from tests.formulas.naive.reduction import Row, summation
from tests.formulas.naive.resampling import Neighbours
from tests.formulas.scalars import Real, choose, exp, mac, sigmoid, special, tanh, value


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


def scatter(g: np.ndarray, places: np.ndarray, size: int) -> np.ndarray:
    """Add each gradient at its place."""
    out = np.zeros(size, dtype=object)
    for gradient, place in zip(g.flat, places.flat, strict=True):
        out[place] = out[place] + gradient
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
