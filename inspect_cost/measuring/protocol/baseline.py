"""Whether the idle power stayed constant during a run."""

from collections.abc import Sequence
from math import inf, sqrt
from statistics import fmean

from inspect_cost.measuring.protocol.window import Window

#: A step is a change of at least this many standard errors; noise alone stays below.
SURE = 7.0
#: Smaller changes, as a share of the idle power, are drift that the windows correct for.
NOTABLE = 0.05
#: Among fewer idle stretches, noise may look like a step.
FEWEST_LEVELS = 8


def describe_idle_step(windows: Sequence[Window]) -> str | None:
    """Describe where the idle power changed from one level to another; None if it did not."""
    levels = [sum(w.values()) for each in windows for w in _list_idle_sides(each)]
    if len(levels) < FEWEST_LEVELS:
        return None
    # The split into two parts whose means are furthest apart, by their common standard error.
    place = max(range(1, len(levels)), key=lambda k: _measure_distance(levels, k))
    if _measure_distance(levels, place) < SURE:
        return None
    before, after = fmean(levels[:place]), fmean(levels[place:])
    if abs(after - before) < NOTABLE * before:
        return None
    where = f"in window {place // 2 + 1}" if place % 2 else f"after window {place // 2}"
    return (
        f"The idle power stepped from {before:.4g} W to {after:.4g} W {where}: "
        "something else was switched on or off. Each window's own idle time is subtracted from it."
    )


def _list_idle_sides(window: Window) -> list[dict[str, float]]:
    sides = (window.idle_before_w, window.idle_after_w)
    return [dict(side) for side in sides if side is not None]


def _measure_distance(levels: Sequence[float], place: int) -> float:
    """Return by how many standard errors the means on both sides of a place differ."""
    left, right = levels[:place], levels[place:]
    squares = sum((level - fmean(side)) ** 2 for side in (left, right) for level in side)
    error = sqrt(squares / (len(levels) - 2) * (1 / len(left) + 1 / len(right)))
    distance = abs(fmean(left) - fmean(right))
    return distance / error if error else (inf if distance else 0.0)
