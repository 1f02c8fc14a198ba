"""How sure a ranking is, by Monte Carlo: each value a Gaussian, its 95 % interval +- 1.96 sd."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspect_cost.pareto import sorting

Array = NDArray[np.float64]

#: Half of a Gaussian's 95 % interval, in standard deviations.
SD_PER_HALF_WIDTH = 1.959963984540054


@dataclass(frozen=True)
class Chances:
    """What random draws of all points say of each.

    Attributes:
        optimal: (n,), the share of draws in which a point is in the first front.
        expected_rank: (n,), its mean rank.
    """

    optimal: Array
    expected_rank: Array


def chances(costs: Array, half_widths: Array, draws: int, seed: int) -> Chances:
    """Rank points again and again, with values drawn independently from their intervals."""
    random = np.random.default_rng(seed)
    deviations = half_widths / SD_PER_HALF_WIDTH
    optimal = np.zeros(len(costs))
    total = np.zeros(len(costs))
    for _ in range(draws):
        ranks = sorting.ranks(costs + deviations * random.standard_normal(costs.shape))
        optimal += ranks == 0
        total += ranks
    return Chances(optimal / draws, total / draws)


def certain(ranks: NDArray[np.intp]) -> Chances:
    """Of values without uncertainty."""
    return Chances((ranks == 0).astype(float), ranks.astype(float))
