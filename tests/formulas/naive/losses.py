"""Losses, sample by sample."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.formulas.naive.pointwise import log_sigmoid
from tests.formulas.naive.reduction import Row, mean, summation
from tests.formulas.scalars import Real, absolute, compare, exp, log, maximum

REDUCTIONS: dict[str, Callable[[Row], Any]] = {
    "mean": mean,
    "sum": summation,
    "none": lambda losses: np.array(losses, dtype=object),
}


def each(loss: Callable[..., Real], reduction: str) -> Callable[..., Any]:
    """Apply a loss of elements to arrays; a missing operand is None for every element."""

    def of_arrays(x: np.ndarray, *others: np.ndarray | None) -> Any:
        flat = [[None] * x.size if a is None else list(np.ravel(a)) for a in (x, *others)]
        return REDUCTIONS[reduction]([loss(*xs) for xs in zip(*flat, strict=True)])

    return of_arrays


def squared_error(x: Real, y: Real) -> Real:
    difference = x - y
    return difference * difference


def huber(x: Real, y: Real, *, delta: float = 1.0) -> Real:
    """Return the loss below delta; beyond, `delta (|d| - delta / 2)` takes as many operations."""
    difference = x - y
    compare(lambda d: d < delta, absolute(difference))
    return 0.5 * difference * difference


def soft_margin(x: Real, y: Real) -> Real:
    return log(1 + exp(-(y * x)))


def cross_entropy(x: Real, t: Real, weight: Real | None = None) -> Real:
    loss = -(t * log(x) + (1 - t) * log(1 - x))
    return loss if weight is None else weight * loss


def cross_entropy_of_logits(
    x: Real, t: Real, weight: Real | None = None, pos_weight: Real | None = None
) -> Real:
    likelihood = log_sigmoid(x)
    if pos_weight is not None:
        likelihood = ((pos_weight - 1) * t + 1) * likelihood
    loss = (1 - t) * x - likelihood
    return loss if weight is None else weight * loss


def likelihood(x: np.ndarray, target: np.ndarray, weight: Any, *, reduction: str) -> Any:
    """Return the mean likelihood; a weighted mean divides by the sum of the weights."""
    losses = [-row[t] for row, t in zip(x, target, strict=True)]
    if weight is None:
        return REDUCTIONS[reduction](losses)
    weights = [weight[t] for t in target]
    losses = [w * loss for w, loss in zip(weights, losses, strict=True)]
    if reduction == "mean":
        return summation(losses) / summation(weights)
    return REDUCTIONS[reduction](losses)


def multi_margin(x: np.ndarray, target: np.ndarray, weight: Any, *, p: int, reduction: str) -> Any:
    losses = []
    for row, y in zip(x, target, strict=True):
        margins = [maximum(0.0, 1 - row[y] + other) for j, other in enumerate(row) if j != y]
        margins = [m * m for m in margins] if p > 1 else margins
        margins = [m * weight[y] for m in margins] if weight is not None else margins
        losses.append(summation(margins) / len(row))
    return REDUCTIONS[reduction](losses)


def multi_label_margin(x: np.ndarray, target: np.ndarray) -> Any:
    losses = []
    for row, labels in zip(x, target, strict=True):
        chosen = [int(t) for t in labels[: list(labels).index(-1)]]
        others = [j for j in range(len(row)) if j not in chosen]
        pairs = [maximum(0.0, 1 - row[y] + row[j]) for y in chosen for j in others]
        losses.append(summation(pairs) / len(row))
    return mean(losses)


def connectionist_temporal(
    log_probs: Sequence[Sequence[float]], labels: Sequence[int]
) -> tuple[float, int]:
    """Return the loss of one signal, and the number of states reached after the first step."""
    states = [0, *(s for label in labels for s in (label, 0))]
    alpha = [log_probs[0][s] if i < 2 else -math.inf for i, s in enumerate(states)]
    visits = 0
    for frame in log_probs[1:]:
        before, alpha = alpha, []
        for i, s in enumerate(states):
            skips = i > 1 and s not in {0, states[i - 2]}
            terms = [
                before[i],
                *([before[i - 1]] if i else []),
                *([before[i - 2]] if skips else []),
            ]
            alpha.append(_log_sum_exp(terms) + frame[s])
            visits += 1
    return -_log_sum_exp(alpha[-2:]), visits


def connectionist_temporal_gradient(
    log_probs: Sequence[Sequence[float]], labels: Sequence[int]
) -> tuple[list[list[float]], int, int]:
    """Return the gradient of one signal, the states of beta after its first step, and all pairs."""
    states = [0, *(s for label in labels for s in (label, 0))]
    alpha = _list_variables(log_probs, states)
    mirrored = _list_variables(log_probs[::-1], states[::-1])
    beta = [row[::-1] for row in mirrored[::-1]]
    loss = -_log_sum_exp(alpha[-1][-2:])
    gradient, pairs = [], 0
    for frame, before, after in zip(log_probs, alpha, beta, strict=True):
        sums = [-math.inf] * len(frame)
        for s, a, b in zip(states, before, after, strict=True):
            sums[s] = _log_sum_exp([sums[s], a + b])
            pairs += 1
        row = zip(sums, frame, strict=True)
        gradient.append([math.exp(p) - math.exp(s + loss - p) for s, p in row])
    return gradient, sum(map(len, beta[:-1])), pairs


def _list_variables(
    log_probs: Sequence[Sequence[float]], states: Sequence[int]
) -> list[list[float]]:
    """Return the forward variables of each step; of what is mirrored, the backward variables."""
    rows = [[log_probs[0][s] if i < 2 else -math.inf for i, s in enumerate(states)]]
    for frame in log_probs[1:]:
        before, row = rows[-1], []
        for i, s in enumerate(states):
            skips = i > 1 and s not in {0, states[i - 2]}
            terms = before[max(0, i - 1) : i + 1] + ([before[i - 2]] if skips else [])
            row.append(_log_sum_exp(terms) + frame[s])
        rows.append(row)
    return rows


def _log_sum_exp(terms: Sequence[float]) -> float:
    top = max(terms)
    return top if top == -math.inf else top + math.log(sum(math.exp(t - top) for t in terms))
