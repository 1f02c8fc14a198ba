"""Measures of a front: the volume that it dominates, and its knee. Less is better."""

from typing import Any

import moocore  # type: ignore[import-untyped]  # it has no annotations
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Distance of the default reference beyond the worst values, in ranges of the values.
MARGIN = 0.1
FEWEST_FOR_A_KNEE = 3


def choose_reference(costs: Array) -> Array:
    """Return (k,), a tenth of each objective's range beyond its worst finite value.

    Beyond it, so that the worst points have a volume too.
    """
    finite = np.where(np.isfinite(costs), costs, np.nan)
    worst, best = np.nanmax(finite, axis=0), np.nanmin(finite, axis=0)
    span = np.where(worst > best, worst - best, np.where(worst == 0, 1.0, np.abs(worst)))
    reference: Array = worst + MARGIN * span
    return reference


def compute_hypervolume(front: Array, reference: Array) -> float:
    """Return the volume between a front and a reference, in the product of the units."""
    inside = front[(front < reference).all(axis=1)]
    if np.isneginf(inside).any():
        return float("inf")
    return float(moocore.hypervolume(inside, ref=reference)) if len(inside) else 0.0


def compute_contributions(front: Array, reference: Array) -> Array:
    """Return (m,), the volume lost without each member; 0 for one that has a duplicate."""
    finite = np.isfinite(front).all(axis=1)
    lost = np.zeros(len(front))
    if finite.any():
        lost[finite] = moocore.hv_contributions(front[finite], ref=reference)
    return lost


def find_knee(front: Array) -> int | None:
    """Return the member that lies deepest below the plane through the front's ends, if any.

    Objectives are scaled to the front's range; in two dimensions this is the largest distance from
    the chord between the two ends (Das, "On characterizing the 'knee' of the Pareto curve",
    Structural Optimization 18, 1999).
    """
    finite = np.flatnonzero(np.isfinite(front).all(axis=1))
    if len(np.unique(front[finite], axis=0)) < FEWEST_FOR_A_KNEE:
        return None
    members = front[finite]
    low, high = members.min(axis=0), members.max(axis=0)
    varying = high > low
    depths: Array = ((members - low)[:, varying] / (high - low)[varying]).sum(axis=1)
    ends: Any = depths[members[:, varying].argmin(axis=0)]
    deepest = int(depths.argmin())
    return int(finite[deepest]) if depths[deepest] < ends.min() - 1e-12 else None
