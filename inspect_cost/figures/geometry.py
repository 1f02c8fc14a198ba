"""Positions of a figure's points, axes and fronts, for print and for browsers."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inspect_cost.ranking.points import Label
from inspect_cost.ranking.ranking import Ranking
from inspect_cost.values.errors import UsageError

Array = NDArray[np.float64]
#: Both ends of an axis.
Ends = tuple[float, float]

#: Ratio of the largest to the smallest value above which an axis is logarithmic.
LOG_FROM = 30
PADDING = 0.12
#: Largest value on an axis: arithmetic on larger ones overflows.
LARGEST = 1e200
#: Most panels beside each other; more of them make further rows.
MOST_IN_A_ROW = 3


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        ranking: the ranking of which two objectives are drawn.
        title: title above the axes.
        x: position of the horizontal axis's objective.
        y: position of the vertical axis's objective.
        x_title: title of the horizontal axis; the objective's by default.
        y_title: title of the vertical axis; the objective's by default.
        steps: whether fronts are drawn; two of more objectives do not make them.
    """

    ranking: Ranking
    title: str = ""
    x: int = 0
    y: int = 1
    x_title: str = ""
    y_title: str = ""
    steps: bool = True


def find_drawable(panel: Panel) -> list[int]:
    """Return the rows of ranked points whose two values can be drawn."""
    points = panel.ranking.points
    two = points.values[:, [panel.x, panel.y]]
    rows: list[int] = np.flatnonzero(points.present & is_drawable(two).all(axis=1)).tolist()
    return rows


def is_drawable(values: Array) -> NDArray[np.bool_]:
    """Return for each value whether it can be drawn on an axis."""
    placed: NDArray[np.bool_] = np.abs(values) < LARGEST  # neither is NaN
    return placed


def is_log(values: Array) -> bool:
    """Return whether values are easier to tell apart on a logarithmic axis."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() / finite.min() > LOG_FROM)


def compute_limits(values: Array, half_widths: Array, *, log: bool) -> tuple[float, float]:
    """Return ends of an axis that shows all values with their intervals, and some room."""
    finite = np.isfinite(values)
    values, half_widths = values[finite], half_widths[finite]
    low, high = values - half_widths, values + half_widths
    if log:
        low = np.where(low > 0, low, values)
        ends = np.log10([low.min(), high.max()])
    else:
        ends = np.array([low.min(), high.max()])
    room = PADDING * (ends[1] - ends[0]) or PADDING * (abs(ends[0]) or 1)
    start, end = ends[0] - room, ends[1] + room
    if log:
        return float(10**start), float(10**end)
    # If no value is negative, neither is the axis.
    return float(max(start, 0) if low.min() >= 0 else start), float(end)


def compute_axis_ends(panel: Panel, column: int) -> Ends:
    """Return the ends of an objective's axis.

    Raises:
        UsageError: no model can be drawn.
    """
    points, rows = panel.ranking.points, find_drawable(panel)
    values = points.values[rows, column]
    if not rows:
        raise UsageError(
            f"no model has values of {' and '.join(points.objectives)} that can be drawn",
            "Give finite values, or draw no figure.",
        )
    return compute_limits(values, points.half_widths[rows, column], log=is_log(values))


def find_worst_corner(panel: Panel) -> tuple[float, float]:
    """Return the corner of the axes that every point dominates."""
    up = panel.ranking.points.maximise
    x, y = (
        compute_axis_ends(panel, column)[0 if up[column] else 1] for column in (panel.x, panel.y)
    )
    return x, y


def trace_front(panel: Panel, front: Sequence[Label]) -> Array:
    """Return (m, 2), the corners of a front's boundary, from the worst y to the worst x."""
    points = panel.ranking.points
    columns = [panel.x, panel.y]
    rows = sorted(
        {points.position[label] for label in front} & set(find_drawable(panel)),
        key=lambda row: tuple(points.costs[row, columns]),
    )
    if not rows:
        return np.zeros((0, 2))
    members = points.values[rows][:, columns]
    worst_x, worst_y = find_worst_corner(panel)
    corners = [(members[0][0], worst_y), tuple(members[0])]
    for before, after in pairwise(members):
        corners += [(after[0], before[1]), tuple(after)]
    return np.array([*corners, (worst_x, members[-1][1])])


def trace_fronts(panel: Panel) -> list[Array]:
    """Return the boundaries of all fronts that are drawn, the first one first."""
    fronts = panel.ranking.fronts if panel.steps else []
    return [corners for front in fronts if len(corners := trace_front(panel, front))]


def separate(places: list[float], gap: float) -> list[float]:
    """Move places apart, in the same order, so that neighbours are at least a gap apart.

    Places that are too close form a block around their mean; blocks that touch are joined.

    >>> spread([0.5, 0.5, 1.0], 0.2)
    [0.4, 0.6, 1.0]
    """
    order = sorted(range(len(places)), key=places.__getitem__)
    blocks: list[tuple[float, list[int]]] = []  # (centre, members), from below
    for index in order:
        blocks.append((places[index], [index]))
        while len(blocks) > 1 and _touch(blocks[-2], blocks[-1], gap):
            upper, lower = blocks.pop(), blocks.pop()
            members = [*lower[1], *upper[1]]
            blocks.append((sum(places[i] for i in members) / len(members), members))
    moved = list(places)
    for centre, members in blocks:
        for offset, index in enumerate(members):
            moved[index] = round(centre + gap * (offset - (len(members) - 1) / 2), 9)
    return moved


def _touch(lower: tuple[float, list[int]], upper: tuple[float, list[int]], gap: float) -> bool:
    room = gap * (len(lower[1]) + len(upper[1])) / 2
    return upper[0] - lower[0] < room - 1e-12
