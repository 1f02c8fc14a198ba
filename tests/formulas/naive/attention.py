"""Attention, one score at a time; no score is left out, even if it is masked."""

import math

import numpy as np

from tests.formulas.naive.contraction import dot
from tests.formulas.naive.reduction import softmax


def attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Return `softmax(q k^T / sqrt(E) + mask) v` for (B, heads, L, E), (B, kv heads, S, E and Ev).

    The mask is (L, S). Consecutive heads share the keys and values where these have fewer heads.
    """
    batch, heads, L, E = q.shape
    out = np.empty((batch, heads, L, v.shape[-1]), dtype=object)
    for n, head, i in np.ndindex(batch, heads, L):
        at = (n, head // (heads // k.shape[1]))
        scores = [dot(q[n, head, i], key) * (1 / math.sqrt(E)) for key in k[at]]
        if mask is not None:
            scores = [score + m for score, m in zip(scores, mask[i], strict=True)]
        weights = softmax(scores)
        for e in range(v.shape[-1]):
            out[n, head, i, e] = dot(weights, v[at][:, e])
    return out


def causal_mask(L: int, S: int) -> np.ndarray:
    """Make the mask under which each query sees the keys up to its own position."""
    return np.array([[0.0 if s <= i else -math.inf for s in range(S)] for i in range(L)])
