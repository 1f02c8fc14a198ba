"""Figures for print: quality against cost, with fronts as steps."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from inspect_cost.pareto.axes import label_points, scale
from inspect_cost.pareto.geometry import (
    Panel,
    axis_ends,
    drawable,
    is_log,
    staircases,
    worst_corner,
)
from inspect_cost.pareto.objectives import objective
from inspect_cost.pareto.ranking import Ranking
from inspect_cost.pareto.style import (
    COLUMN_INCHES,
    DARK,
    FAINT,
    FIRST,
    LATER,
    MARKERS,
    empty_figure,
    marker,
    styled,
)

HEIGHT_INCHES = 2.9
#: Whether in the first front, a point's colour, and what the legend says.
POINTS = ((True, FIRST, "Pareto-optimal in all"), (False, LATER, "dominated"))
#: A figure whose labels find no place grows by this, so often at most.
GROWTH, MOST_GROWTHS = 1.35, 5


def pareto_figure(*panels: Panel | Ranking) -> Figure:
    """Quality against cost, one panel beside the other.

    Fronts are steps, what the first dominates is shaded, and values are marked by the kind of the
    cost: filled if measured, hollow if counted or estimated, a cross if reported. A model whose
    place in or outside the first front is not significant has its probability beside its name.
    The figure grows until all labels find a place.

    Returns:
        A matplotlib figure; `saving.save` writes it.
    """
    wanted = [panel if isinstance(panel, Panel) else Panel(panel) for panel in panels]
    width = COLUMN_INCHES * (1 if len(wanted) == 1 else 1.05 * len(wanted))
    return grown(lambda size: _drawn(wanted, width * size, HEIGHT_INCHES * size))


def grown(draw: Callable[[float], tuple[Figure, bool]]) -> Figure:
    """Draw at a size, and larger while labels find no place."""
    size = 1.0
    for _ in range(MOST_GROWTHS):
        with styled():
            figure, placed = draw(size)
        if placed:
            break
        size *= GROWTH
    return figure


def _drawn(panels: Sequence[Panel], width: float, height: float) -> tuple[Figure, bool]:
    """The figure at a size, and whether all labels found a place."""
    figure = empty_figure(width, height)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for panel, axes in zip(panels, grid, strict=True):
        draw_panel(axes, panel)
    legend = legend_handles(panels)
    if legend:
        columns = 2 if len(panels) == 1 else 3 * len(panels)
        figure.legend(handles=legend, loc="outside lower center", ncols=columns, frameon=False)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # what is labelled now stays where it is
    placed = [label_panel(axes, panel) for panel, axes in zip(panels, grid, strict=True)]
    return figure, all(placed)


def draw_panel(axes: Axes, panel: Panel) -> None:
    """Points, intervals and fronts, without labels."""
    points, columns = panel.ranking.points, (panel.x, panel.y)
    shown = drawable(panel)
    for which, column, title in zip("xy", columns, (panel.x_title, panel.y_title), strict=True):
        log = is_log(points.values[shown, column])
        scale(axes, which, axis_ends(panel, column), log=log)
        known = objective(points.objectives[column])
        getattr(axes, f"set_{which}label")(title or known.heading)
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
            xerr=_visible(axes.get_xscale(), x, x_error),
            yerr=_visible(axes.get_yscale(), y, y_error),
            fmt="none",
            ecolor=DARK,
            elinewidth=0.7,
            capsize=2,
            zorder=3,
        )
    look = marker(points.kinds[row][panel.x], color)
    gid = f"point:{points.labels[row]}"
    axes.plot([x], [y], linestyle="none", markersize=5.5, zorder=4, gid=gid, **look)


def _visible(axis_scale: str, value: float, half_width: float) -> list[list[float]] | None:
    """An interval's two sides; on a logarithmic axis the lower one ends before 0."""
    if not half_width:
        return None
    lower = half_width
    if axis_scale == "log" and half_width >= value:
        lower = value * (1 - 1e-9)
    return [[lower], [half_width]]


def _draw_fronts(axes: Axes, panel: Panel) -> None:
    """Steps of all fronts, and the region that the first dominates."""
    for place, corners in enumerate(staircases(panel)):
        color, width = (FIRST, 1.3) if place == 0 else (FAINT, 0.8)
        if place == 0:
            region = np.vstack([corners, worst_corner(panel)])
            axes.fill(*region.T, color=FIRST, alpha=0.07, linewidth=0)
        axes.plot(*corners.T, color=color, linewidth=width, zorder=2, gid=f"front:{place}")


def label_panel(axes: Axes, panel: Panel) -> bool:
    """Name the points; whether all names found a place."""
    ranking, rows = panel.ranking, drawable(panel)
    points = ranking.points
    doubtful = set(ranking.doubtful)
    names = []
    for row in rows:
        label = points.labels[row]
        chance = f" ({ranking.probability_optimal[row]:.0%})" if label in doubtful else ""
        names.append(f"{label}{chance}")
    obstacles = [(corners[:, 0].tolist(), corners[:, 1].tolist()) for corners in staircases(panel)]
    first = [ranking.rank[row] == 0 for row in rows]
    places = points.values[rows][:, [panel.x, panel.y]]
    return label_points(axes, places, names, [*obstacles, *_error_bars(panel)], bold=first)


def _error_bars(panel: Panel) -> list[tuple[list[float], list[float]]]:
    """Intervals as lines, for labels to keep clear of."""
    points, bars = panel.ranking.points, []
    for row in drawable(panel):
        (x, y), (dx, dy) = (
            points.values[row, [panel.x, panel.y]].tolist(),
            points.half_widths[row, [panel.x, panel.y]].tolist(),
        )
        if dx:
            bars.append(([max(x - dx, x * 1e-9), x + dx], [y, y]))
        if dy:
            bars.append(([x, x], [max(y - dy, y * 1e-9), y + dy]))
    return bars


def legend_handles(panels: Sequence[Panel]) -> list[Line2D | Patch]:
    """What the marks mean, as far as they occur."""
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
        panel.ranking.points.kinds[row][panel.x] for panel in panels for row in drawable(panel)
    }
    for kind, (_, meaning) in MARKERS.items():
        if meaning and kind in kinds:
            look = marker(kind, FIRST)
            handles.append(Line2D([], [], linestyle="none", label=f"cost {meaning}", **look))
    if any(panel.ranking.doubtful for panel in panels):
        handles.append(Line2D([], [], linestyle="none", label="(%) chance of optimality"))
    return handles
