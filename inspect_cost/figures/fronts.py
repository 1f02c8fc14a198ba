"""Figures for print: quality against cost, with fronts as steps."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from inspect_cost.figures.axes import label_points, scale_axis
from inspect_cost.figures.geometry import (
    MOST_IN_A_ROW,
    Panel,
    compute_axis_ends,
    find_drawable,
    find_worst_corner,
    is_log,
    trace_fronts,
)
from inspect_cost.figures.style import (
    COLUMN_INCHES,
    DARK,
    FAINT,
    FIRST,
    LATER,
    MARKERS,
    create_figure,
    style_marker,
    use_style,
)
from inspect_cost.ranking.objectives import get_objective
from inspect_cost.ranking.ranking import Ranking
from inspect_cost.values.quantity import Kind

HEIGHT_INCHES = 2.9
#: Whether a point is in the first front, its colour, and its text in the legend.
POINTS = ((True, FIRST, "Pareto-optimal in all"), (False, LATER, "dominated"))
#: Sizes of a figure, tried until all labels find a place: from a column to a page's width.
SIZES = (1.0, 1.45, 2.1)


def draw_pareto(*panels: Panel | Ranking) -> Figure:
    """Draw quality against cost, one panel beside the other.

    Fronts are steps, the region that the first one dominates is shaded, and values are marked by
    the kind of the cost: filled if measured, hollow if counted or estimated, a cross if reported.
    A model whose place in or outside the first front is not significant has its probability
    beside its name. The figure grows up to a page's width until all labels find a place; the
    legend says how many did not.

    Returns:
        A matplotlib figure; `saving.save` writes it.
    """
    wanted = [panel if isinstance(panel, Panel) else Panel(panel) for panel in panels]
    return draw_growing(lambda size, last: _draw_panels(wanted, size, last=last))


def draw_growing(draw: Callable[[float, bool], tuple[Figure, bool]]) -> Figure:
    """Draw at a size, and larger while labels find no place.

    Args:
        draw: draws at a size, and returns the figure and whether all labels found a place; its
            second argument is whether this is the last attempt.
    """
    for size in SIZES:
        with use_style():
            figure, placed = draw(size, size == SIZES[-1])
        if placed:
            break
    return figure


def _draw_panels(panels: Sequence[Panel], size: float, *, last: bool) -> tuple[Figure, bool]:
    """Draw panels at a size; return the figure, and whether all labels found a place."""
    rows = -(-len(panels) // MOST_IN_A_ROW)
    columns = -(-len(panels) // rows)
    width = COLUMN_INCHES * (1 if columns == 1 else 1.05 * columns)
    figure = create_figure(width * size, HEIGHT_INCHES * rows * size)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    cells = list(zip(grid, panels, strict=False))
    place = {"loc": "outside lower center", "ncols": 2 if columns == 1 else 3 * columns}
    return figure, draw_and_label(figure, cells, place, last=last)


def draw_and_label(
    figure: Figure, cells: Sequence[tuple[Axes, Panel]], legend: Mapping[str, Any], *, last: bool
) -> bool:
    """Draw panels, their legend, and names; return whether all names found a place."""
    for axes, panel in cells:
        draw_panel(axes, panel)
    handles = make_legend_handles([panel for _, panel in cells])
    if last:  # a line for the number of missing names
        handles.append(Line2D([], [], linestyle="none", label=describe_omitted(0)))
    entries = figure.legend(handles=handles, frameon=False, **legend).get_texts() if handles else []
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # labels that are placed now must not move
    missing = [name for axes, panel in cells for name in label_panel(axes, panel, last=last)]
    if last:
        entries[-1].set_text(describe_omitted(len(missing)) if missing else "")
    return not missing


def describe_omitted(names: int) -> str:
    """Return the legend's text on names without a place."""
    return f"{names} names omitted (no room)"


def draw_panel(axes: Axes, panel: Panel) -> None:
    """Draw points, intervals and fronts, without labels."""
    points, columns = panel.ranking.points, (panel.x, panel.y)
    shown = find_drawable(panel)
    for which, column, title in zip("xy", columns, (panel.x_title, panel.y_title), strict=True):
        log = is_log(points.values[shown, column])
        scale_axis(axes, which, compute_axis_ends(panel, column), log=log)
        known = get_objective(points.objectives[column])
        getattr(axes, f"set_{which}label")(title or known.heading, parse_math=False)
    axes.set_title(panel.title, loc="left")
    axes.grid(visible=True, color="#E6E6E6", linewidth=0.5)
    if panel.steps:
        _draw_fronts(axes, panel)
    for row in shown:
        _draw_point(axes, panel, row)


def _draw_point(axes: Axes, panel: Panel, row: int) -> None:
    points, rank = panel.ranking.points, panel.ranking.rank
    color = FIRST if rank[row] == 0 else LATER
    x, y = points.values[row, [panel.x, panel.y]]
    x_error, y_error = points.half_widths[row, [panel.x, panel.y]]
    if x_error or y_error:
        axes.errorbar(
            x,
            y,
            xerr=_clip_interval(axes.get_xscale(), x, x_error),
            yerr=_clip_interval(axes.get_yscale(), y, y_error),
            fmt="none",
            ecolor=DARK,
            elinewidth=0.7,
            capsize=2,
            zorder=3,
        )
    look = style_marker(points.kinds[row][panel.x], color)
    gid = f"point:{points.labels[row]}"
    axes.plot([x], [y], linestyle="none", markersize=5.5, zorder=4, gid=gid, **look)


def _clip_interval(axis_scale: str, value: float, half_width: float) -> list[list[float]] | None:
    """Return an interval's two sides; on a logarithmic axis the lower one ends above 0."""
    if not half_width:
        return None
    lower = half_width
    if axis_scale == "log" and half_width >= value:
        lower = value * (1 - 1e-9)
    return [[lower], [half_width]]


def _draw_fronts(axes: Axes, panel: Panel) -> None:
    """Draw the steps of all fronts, and the region that the first one dominates."""
    for place, corners in enumerate(trace_fronts(panel)):
        color, width = (FIRST, 1.3) if place == 0 else (FAINT, 0.8)
        if place == 0:
            region = np.vstack([corners, find_worst_corner(panel)])
            axes.fill(*region.T, color=FIRST, alpha=0.07, linewidth=0)
        axes.plot(*corners.T, color=color, linewidth=width, zorder=2, gid=f"front:{place}")


def label_panel(axes: Axes, panel: Panel, *, last: bool = False) -> list[str]:
    """Name the points, the first front first; return the names without a place."""
    ranking = panel.ranking
    rows = sorted(find_drawable(panel), key=lambda row: ranking.rank[row] or 0)
    names = label_names(ranking)
    obstacles = [
        (corners[:, 0].tolist(), corners[:, 1].tolist()) for corners in trace_fronts(panel)
    ]
    return label_points(
        axes,
        ranking.points.values[rows][:, [panel.x, panel.y]],
        [names[row] for row in rows],
        [*obstacles, *_find_error_bars(panel)],
        bold=[ranking.rank[row] == 0 for row in rows],
        last=last,
    )


def label_names(ranking: Ranking) -> list[str]:
    """Return each point's name, with its probability of being optimal if that is in doubt."""
    chances = {label: ranking.probability_optimal[label] for label in ranking.doubtful}
    return [
        f"{label} ({chances[label]:.0%})" if label in chances else str(label)
        for label in ranking.names
    ]


def _find_error_bars(panel: Panel) -> list[tuple[list[float], list[float]]]:
    """Return intervals as lines, which labels must not cross."""
    points, bars = panel.ranking.points, []
    for row in find_drawable(panel):
        (x, y), (dx, dy) = (
            points.values[row, [panel.x, panel.y]].tolist(),
            points.half_widths[row, [panel.x, panel.y]].tolist(),
        )
        if dx:
            bars.append(([max(x - dx, x * 1e-9), x + dx], [y, y]))
        if dy:
            bars.append(([x, x], [max(y - dy, y * 1e-9), y + dy]))
    return bars


def make_legend_handles(panels: Sequence[Panel]) -> list[Line2D | Patch]:
    """Return what the marks mean, for those that occur."""
    handles: list[Line2D | Patch] = []
    if any(panel.steps for panel in panels):
        handles += [
            Line2D([], [], color=FIRST, label="Pareto front"),
            Patch(color=FIRST, alpha=0.12, linewidth=0, label="dominated"),
        ]
        if any(len(panel.ranking.fronts) > 1 for panel in panels):
            handles.append(Line2D([], [], color=FAINT, linewidth=0.8, label="later fronts"))
    else:
        both = {rank == 0 for panel in panels for rank in panel.ranking.rank if rank is not None}
        handles += [
            Patch(color=color, linewidth=0, label=meaning)
            for optimal, color, meaning in POINTS
            if optimal in both
        ]
    kinds = {
        panel.ranking.points.kinds[row][panel.x] for panel in panels for row in find_drawable(panel)
    }
    handles += make_kind_handles(kinds, "cost ")
    beyond = max(int(p.ranking.points.present.sum()) - len(find_drawable(p)) for p in panels)
    if beyond:
        handles.append(Line2D([], [], linestyle="none", label=f"{beyond} beyond all axes"))
    return handles + make_chance_handles(*(panel.ranking for panel in panels))


def make_kind_handles(kinds: Collection[Kind | None], what: str = "") -> list[Line2D]:
    """Return the marks of some kinds of numbers."""
    return [
        Line2D([], [], linestyle="none", label=f"{what}{meaning}", **style_marker(kind, FIRST))
        for kind, (_, meaning) in MARKERS.items()
        if meaning and kind in kinds
    ]


def make_chance_handles(*rankings: Ranking) -> list[Line2D]:
    """Return what percentages beside names mean, if there are any."""
    if not any(ranking.doubtful for ranking in rankings):
        return []
    return [Line2D([], [], linestyle="none", label="(%) chance of optimality")]
