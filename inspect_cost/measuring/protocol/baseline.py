"""Whether the idle power stayed constant during a run."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import inf, sqrt
from statistics import fmean

from inspect_cost.measuring.protocol.window import Window

#: A step is a change of at least this many standard errors; noise alone stays below.
SURE = 7.0
#: Smaller changes, as a share of the idle power, are drift that the windows correct for.
NOTABLE = 0.05
#: Relative size of what rounding leaves.
ROUNDING = 1e-12
#: Among fewer idle stretches, noise may look like a step.
FEWEST_LEVELS = 8


def describe_idle_step(windows: Sequence[Window]) -> str | None:
    """Describe where the idle power changed from one level to another; None if it did not."""
    levels = [sum(w.values()) for each in windows for w in _list_idle_sides(each)]
    if len(levels) < FEWEST_LEVELS:
        return None
    # The split into two parts whose means are furthest apart, by their common standard error.
    distances = list(_measure_distances(levels))
    furthest = max(distances)
    if furthest < SURE:
        return None
    place = distances.index(furthest) + 1
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


def _measure_distances(levels: Sequence[float]) -> Iterator[float]:
    """Yield by how many standard errors the means before and after each place differ."""
    n, mean = len(levels), fmean(levels)
    deviations = [level - mean for level in levels]
    squares = sum(each * each for each in deviations)
    for place, total in enumerate(accumulate(deviations[:-1]), start=1):
        # The sum of all deviations is 0: that of the right part is the left one's, negative.
        left, right = total / place, -total / (n - place)
        within = max(0.0, squares - place * left**2 - (n - place) * right**2)
        error = sqrt(within / (n - 2) * (1 / place + 1 / (n - place)))
        distance = abs(left - right)
        # What rounding leaves of equal levels is no difference.
        exact = within <= ROUNDING * squares
        yield (inf if distance > ROUNDING * abs(mean) else 0.0) if exact else distance / error
