"""Normalisations: rows of numbers by their own statistics, or by stored ones."""

import numpy as np

from tests.formulas.naive.reduction import Row, mean, norm2, summation
from tests.formulas.scalars import Real, rsqrt, special, sqrt


def affine(x: Real, gain: Real | None, offset: Real | None) -> Real:
    """Return `gain x + offset`."""
    scaled = x if gain is None else gain * x
    return scaled if offset is None else scaled + offset


def standardise(xs: Row, eps: float) -> Row:
    """Return `(x - mean) / sqrt(variance + eps)`."""
    centre = mean(xs)
    deviations = [x - centre for x in xs]
    factor = rsqrt(mean([d * d for d in deviations]) + eps)
    return [d * factor for d in deviations]


def layer_norm(
    x: np.ndarray, gain: np.ndarray | None, offset: np.ndarray | None, eps: float, trailing: int
) -> np.ndarray:
    """Normalise over the trailing dimensions; each position in them has a gain and an offset."""
    rows = x.reshape(*x.shape[: x.ndim - trailing], -1)
    out = np.empty(rows.shape, dtype=object)
    for place in np.ndindex(rows.shape[:-1]):
        for i, y in enumerate(standardise(list(rows[place]), eps)):
            out[(*place, i)] = affine(
                y,
                None if gain is None else gain.flat[i],
                None if offset is None else offset.flat[i],
            )
    return out


def rms_norm(x: np.ndarray, gain: np.ndarray | None, eps: float) -> np.ndarray:
    """Return `x / sqrt(mean(x^2) + eps)` over the last dimension."""
    out = np.empty(x.shape, dtype=object)
    for place in np.ndindex(x.shape[:-1]):
        xs = x[place]
        factor = rsqrt(mean([v * v for v in xs]) + eps)
        for i, v in enumerate(xs):
            out[(*place, i)] = affine(v * factor, None if gain is None else gain[i], None)
    return out


def group_norm(
    x: np.ndarray, groups: int, gain: np.ndarray | None, offset: np.ndarray | None, eps: float
) -> np.ndarray:
    """Normalise over each group of channels; each channel has a gain and an offset."""
    batch, channels = x.shape[:2]
    out = np.empty((batch, channels, x[0, 0].size), dtype=object)
    size = channels // groups
    for n, g in np.ndindex(batch, groups):
        members = slice(g * size, (g + 1) * size)
        standard = np.array(standardise(list(x[n, members].flat), eps), dtype=object)
        out[n, members] = standard.reshape(size, -1)
    return by_channel(out, gain, offset)


def by_channel(x: np.ndarray, gain: np.ndarray | None, offset: np.ndarray | None) -> np.ndarray:
    """Apply the affine map of each channel of (B, C, T...)."""
    out = np.empty(x.shape, dtype=object)
    gains = [None] * x.shape[1] if gain is None else list(gain)
    offsets = [None] * x.shape[1] if offset is None else list(offset)
    for n, c, *place in np.ndindex(x.shape):
        out[(n, c, *place)] = affine(x[(n, c, *place)], gains[c], offsets[c])
    return out


def batch_norm_with_stored_statistics(
    x: np.ndarray,
    centre: np.ndarray,
    variance: np.ndarray,
    gain: np.ndarray | None,
    offset: np.ndarray | None,
    eps: float,
) -> np.ndarray:
    """Return `(x - mean) / sqrt(variance + eps)` by channel, with one root for each."""
    factor = [rsqrt(v + eps) for v in variance]
    out = np.empty(x.shape, dtype=object)
    for n, c, *place in np.ndindex(x.shape):
        out[(n, c, *place)] = (x[(n, c, *place)] - centre[c]) * factor[c]
    return by_channel(out, gain, offset)


def batch_norm_with_own_statistics(
    x: np.ndarray, gain: np.ndarray | None, offset: np.ndarray | None, eps: float
) -> np.ndarray:
    """Normalise by the mean and the variance of each channel over the batch."""
    out = np.empty(x.shape, dtype=object)
    for c in range(x.shape[1]):
        standard = np.array(standardise(list(x[:, c].flat), eps), dtype=object)
        out[:, c] = standard.reshape(x[:, c].shape)
    return by_channel(out, gain, offset)


def weight_norm(v: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Return `v (g / ||v||)` for each entry of the first dimension."""
    out = np.empty(v.shape, dtype=object)
    for i, row in enumerate(v):
        factor = g.flat[i] / norm2(list(row.flat))
        out[i] = row * factor
    return out


def weight_norm_of_last(v: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Return `v (g / ||v||)` for each entry of the last dimension."""
    return np.moveaxis(weight_norm(np.moveaxis(v, -1, 0), g), 0, -1)


def local_response(x: np.ndarray, size: int, k: float, alpha: float, beta: float) -> np.ndarray:
    """Return `x / (k + alpha sum(x^2))^beta` over neighbouring channels, with 0 at the edges."""
    B, C, T = x.shape
    squares = np.array([[[v * v for v in row] for row in plane] for plane in x], dtype=object)
    padded = np.pad(squares, ((0, 0), (size // 2,) * 2, (0, 0)), constant_values=0.0)
    out = np.empty(x.shape, dtype=object)
    for n, c, t in np.ndindex(B, C, T):
        summed = summation(list(padded[n, c : c + size, t]))
        out[n, c, t] = x[n, c, t] / _power(k + alpha * summed, beta)
    return out


def _power(x: Real, beta: float) -> Real:
    if beta == 1:
        return x
    return sqrt(x) if beta == 0.5 else special(lambda v: v**beta, x)
