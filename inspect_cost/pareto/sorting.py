"""Pareto sorting through moocore, where less is better and nothing is NaN.

moocore (pymoo and paretoset too) takes a row with a NaN for the only optimal one, so such rows must
have been removed.
"""

import moocore  # type: ignore[import-untyped]  # it has no annotations
import numpy as np
from numpy.typing import NDArray


def first_front(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,), whether each point is dominated by none; of equal points, all."""
    if not len(costs):
        return np.zeros(0, dtype=bool)
    optimal: NDArray[np.bool_] = moocore.is_nondominated(costs, keep_weakly=True)
    return optimal


def ranks(costs: NDArray[np.float64]) -> NDArray[np.intp]:
    """(n,), the front that each point is in, 0 the first."""
    if not len(costs):
        return np.zeros(0, dtype=np.intp)
    return np.asarray(moocore.pareto_rank(costs), dtype=np.intp)
