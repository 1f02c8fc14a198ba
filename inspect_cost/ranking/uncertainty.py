"""Certainty of a ranking, by Monte Carlo: each value is Gaussian, its 95 % interval +- 1.96 sd."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspect_cost.ranking import sorting

Array = NDArray[np.float64]

#: Half of a Gaussian's 95 % interval, in standard deviations.
SD_PER_HALF_WIDTH = 1.959963984540054
#: Most points of sets that are ranked all at once, and most pairs of points held in memory.
LARGEST_SET = 64
LARGEST_TABLE = 2**21


@dataclass(frozen=True)
class Chances:
    """Probabilities of each point, from random draws of all points.

    Attributes:
        optimal: (n,), the share of draws in which the point is in the first front.
        expected_rank: (n,), the point's mean rank.
    """

    optimal: Array
    expected_rank: Array


def simulate_ranks(costs: Array, half_widths: Array, draws: int, seed: int) -> Chances:
    """Rank points again and again, with values drawn independently from their intervals."""
    random = np.random.default_rng(seed)
    deviations = half_widths / SD_PER_HALF_WIDTH
    optimal = np.zeros(len(costs))
    total = np.zeros(len(costs))
    at_once = max(1, LARGEST_TABLE // len(costs) ** 2)
    for start in range(0, draws, at_once):
        shape = (min(at_once, draws - start), *costs.shape)
        ranks = rank_each(costs + deviations * random.standard_normal(shape))
        optimal += (ranks == 0).sum(axis=0)
        total += ranks.sum(axis=0)
    return Chances(optimal / draws, total / draws)


def rank_each(costs: Array) -> NDArray[np.intp]:
    """Rank the points of each of many sets: (sets, n, k) costs to (sets, n) ranks.

    Small sets are ranked all at once, from all pairs of points, since calling moocore for each
    would take most of the time. Large sets are left to moocore.
    """
    if costs.shape[1] > LARGEST_SET:
        return np.stack([sorting.assign_ranks(points) for points in costs])
    no_worse: NDArray[np.bool_] = np.all(costs[:, :, None, :] <= costs[:, None, :, :], axis=-1)
    dominates = no_worse & ~no_worse.swapaxes(1, 2)
    ranks = np.zeros(costs.shape[:2], dtype=np.intp)
    # Peel front after front: what somebody left dominates stays for the next round.
    left: NDArray[np.bool_] = np.ones(ranks.shape, dtype=np.bool_)
    while left.any():
        ranks += left
        left &= (dominates & left[:, :, None]).any(axis=1)
    return ranks - 1


def certain_ranks(ranks: NDArray[np.intp]) -> Chances:
    """Return the chances of values without uncertainty."""
    return Chances((ranks == 0).astype(float), ranks.astype(float))
