"""Parallel coordinates: a figure of many objectives, with a line for each model."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from inspect_cost.figures.fronts import label_names, make_chance_handles, make_kind_handles
from inspect_cost.figures.geometry import is_log, separate
from inspect_cost.figures.style import (
    COLUMN_INCHES,
    DARK,
    FAINT,
    LABEL_SIZE,
    PALETTE,
    create_figure,
    style_line,
    style_marker,
    use_style,
)
from inspect_cost.ranking.objectives import get_objective
from inspect_cost.ranking.ranking import Ranking
from inspect_cost.values.units import THOUSAND, si

Array = NDArray[np.float64]

#: Least distance between labels, as a part of an axis.
LEAST_GAP = 0.055
PER_AXIS_INCHES = 1.15


def draw_parallel(ranking: Ranking) -> Figure:
    """Draw parallel coordinates: an axis for each objective, its best value on top.

    Models of the first front have colours and dashes of their own, and their names at the right.
    Each value is marked by its kind: filled if measured, hollow if counted or estimated, a cross
    if reported.
    """
    with use_style():
        count = len(ranking.objectives)
        figure = create_figure(max(COLUMN_INCHES, PER_AXIS_INCHES * count + 0.6), 3.2)
        axes = figure.subplots()
        heights = scale_values(ranking)
        rows: list[int] = np.flatnonzero(np.isfinite(heights).all(axis=1)).tolist()
        first = [row for row in rows if ranking.rank[row] == 0]
        for row in set(rows) - set(first):
            _draw_line(axes, ranking, row, heights[row], {"color": FAINT, "linewidth": 0.8})
        for place, row in enumerate(first):
            _draw_line(axes, ranking, row, heights[row], style_line(place))
        _write_names(axes, ranking, heights, first)
        _write_axes(axes, ranking, rows)
        handles = _make_handles(ranking, rows, dominated=len(first) < len(rows))
        if handles:
            figure.legend(
                handles=handles, loc="outside lower center", ncols=len(handles), frameon=False
            )
    return figure


def _draw_line(
    axes: Axes, ranking: Ranking, row: int, heights: Array, look: dict[str, Any]
) -> None:
    """Draw one model's line, with the mark of each value's kind."""
    axes.plot(heights, **look, gid=f"line:{ranking.names[row]}")
    for column, kind in enumerate(ranking.points.kinds[row]):
        if kind:
            mark = style_marker(kind, look["color"])
            axes.plot([column], [heights[column]], linestyle="none", markersize=4, **mark)


def _make_handles(ranking: Ranking, rows: list[int], *, dominated: bool) -> list[Line2D]:
    """Return what lines and marks mean, for those that occur."""
    grey = Line2D([], [], color=FAINT, linewidth=0.8, label="dominated")
    return [
        *([grey] if dominated else []),
        *make_kind_handles({kind for row in rows for kind in ranking.points.kinds[row]}),
        *make_chance_handles(ranking),
    ]


def scale_values(ranking: Ranking) -> Array:
    """Scale each objective from 0 (its worst) to 1 (its best); logarithmic if that helps.

    Returns:
        (n, k), NaN for points that are not ranked.
    """
    points = ranking.points
    heights = np.full(points.values.shape, np.nan)
    present = points.present
    for column in range(points.values.shape[1]):
        values = points.values[present, column]
        values = np.log10(values) if is_log(values) else values
        finite = values[np.isfinite(values)]
        low, high = finite.min(), finite.max()
        share = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
        heights[present, column] = share if points.maximise[column] else 1 - share
    return heights


def _write_names(axes: Axes, ranking: Ranking, heights: Array, rows: list[int]) -> None:
    """Write names to the right of the last axis, in their lines' colours."""
    names, last = label_names(ranking), heights.shape[1] - 1
    places = separate([float(heights[row, last]) for row in rows], LEAST_GAP)
    for number, (row, place) in enumerate(zip(rows, places, strict=True)):
        axes.annotate(
            names[row],
            (last, heights[row, last]),
            xytext=(last + 0.15, place),
            color=PALETTE[number % len(PALETTE)],
            fontsize=LABEL_SIZE,
            va="center",
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.5},
            gid=f"label:{ranking.names[row]}",
            parse_math=False,
        )


def _write_axes(axes: Axes, ranking: Ranking, rows: list[int]) -> None:
    """Draw a vertical line for each objective, with its best value above and its worst below."""
    count = len(ranking.objectives)
    for column in range(count):
        values = ranking.points.values[rows, column]
        best, worst = values.max(), values.min()
        if not ranking.points.maximise[column]:
            best, worst = worst, best
        axes.plot([column, column], [0, 1], color=DARK, linewidth=0.7, zorder=1)
        for height, value, align in ((1.03, best, "bottom"), (-0.03, worst, "top")):
            text = si(value) if abs(value) >= THOUSAND else f"{value:.3g}"
            axes.text(column, height, text, ha="center", va=align, fontsize=LABEL_SIZE)
    headings = [get_objective(name).heading for name in ranking.objectives]
    titles = [text.replace(" (", "\n(").replace(" per ", "\nper ") for text in headings]
    axes.set_xticks(range(count), titles, parse_math=False)
    axes.tick_params(length=0, pad=12)
    axes.set_yticks([])
    axes.set_ylabel("better →")
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlim(-0.05, count - 1 + 0.05)
    for spine in axes.spines.values():
        spine.set_visible(False)
