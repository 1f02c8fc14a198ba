"""Pareto sorting through moocore, where less is better and nothing is NaN.

moocore (pymoo and paretoset too) takes a row with a NaN for the only optimal one, so such rows must
have been removed. With infinities it gives wrong fronts, or crashes (0.3.2): it never sees any.
"""

import moocore  # type: ignore[import-untyped]  # it has no annotations
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def find_first_front(costs: Array) -> NDArray[np.bool_]:
    """Return (n,), whether no point dominates each one; equal points are all kept."""
    if not len(costs):
        return np.zeros(0, dtype=bool)
    optimal: NDArray[np.bool_] = moocore.is_nondominated(
        _replace_infinities(costs), keep_weakly=True
    )
    return optimal


def assign_ranks(costs: Array) -> NDArray[np.intp]:
    """Return (n,), the front that each point is in, 0 for the first."""
    if not len(costs):
        return np.zeros(0, dtype=np.intp)
    return np.asarray(moocore.pareto_rank(_replace_infinities(costs)), dtype=np.intp)


def _replace_infinities(costs: Array) -> Array:
    """Replace columns that have infinities by the ranks of their values: the order is the same."""
    infinite = np.isinf(costs)
    if not infinite.any():
        return costs
    finite = costs.copy()
    for column in np.flatnonzero(infinite.any(axis=0)):
        finite[:, column] = np.unique(costs[:, column], return_inverse=True)[1]
    return finite
