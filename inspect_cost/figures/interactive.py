"""Interactive figures: one HTML file for any browser, without a network."""

import warnings
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from inspect_cost.figures.geometry import (
    MOST_IN_A_ROW,
    Panel,
    compute_axis_ends,
    find_drawable,
    find_worst_corner,
    is_drawable,
    is_log,
    trace_fronts,
)
from inspect_cost.figures.style import FAINT, FIRST, LATER
from inspect_cost.ranking.objectives import get_objective
from inspect_cost.ranking.ranking import Ranking

SIZE = 460
CELL = 240
PLANE = 2
LARGE = 10_000  # from here on, numbers are written with SI prefixes
TINY = 1e-9  # in place of 0 where an axis may be logarithmic
CROSS = "M-0.7,-0.7L0.7,0.7M-0.7,0.7L0.7,-0.7"
#: Kind -> shape of its marks.
SHAPES = {"measured": "circle", "counted": "circle", "estimated": "circle", "reported": CROSS}
MEANINGS = {
    "measured": "measured if filled",
    "counted": "counted if hollow",
    "estimated": "estimated if hollow",
    "reported": "reported where crossed",
}
HOLLOW = ("counted", "estimated")


def draw_interactive(*panels: Panel | Ranking, title: str = "") -> Any:
    """Draw a chart of altair: points show their values, and the axes can be moved.

    Two objectives give one pair of axes with the fronts; more give a matrix of pairs, in which a
    box drawn in one cell marks the same models in all. Several panels stand beside each other.
    """
    wanted = [panel if isinstance(panel, Panel) else Panel(panel) for panel in panels]
    charts = [
        _draw_plane(panel, f"zoom{place}")
        if len(panel.ranking.objectives) == PLANE
        else _draw_matrix(panel)
        for place, panel in enumerate(wanted)
    ]
    chart = charts[0] if len(charts) == 1 else alt.concat(*charts, columns=MOST_IN_A_ROW)
    return chart.properties(
        title=alt.Title(
            title or "Where models stand", subtitle=_describe_marks(wanted), anchor="start"
        )
    )


def _describe_marks(panels: Sequence[Panel]) -> list[str]:
    """Return what the marks mean, for those that occur: the kinds of horizontal values."""
    kinds = {
        kind
        for panel in panels
        for row in panel.ranking.points.kinds
        for kind in row[: max(1, len(row) - 1)]
    }
    meanings = [meaning for kind, meaning in MEANINGS.items() if kind in kinds]
    about = f"The cost is {', '.join(meanings)}." if meanings else ""
    return ["Blue: Pareto-optimal. Point at a model for its values.", about]


def make_records(ranking: Ranking) -> list[dict[str, Any]]:
    """Return what is known of each ranked point, for its tooltip."""
    points = ranking.points
    rows = np.flatnonzero(points.present & is_drawable(points.values).all(axis=1)).tolist()
    return [_make_record(ranking, row) for row in rows]


def _make_record(ranking: Ranking, row: int) -> dict[str, Any]:
    points = ranking.points
    record: dict[str, Any] = {
        "name": str(points.labels[row]),
        "front": ranking.rank[row],
        "color": FIRST if ranking.rank[row] == 0 else LATER,
        "dominated_by": ", ".join(map(str, ranking.dominated_by[row] or [])) or "none",
        "chance": f"{ranking.probability_optimal[row]:.1%}",
    }
    for column in range(len(points.objectives)):
        value, width = points.values[row, column], points.half_widths[row, column]
        kind = points.kinds[row][column] or ""
        interval = f" ± {width:.3g}" if width else ""
        record |= {
            f"v{column}": value,
            f"low{column}": value - width if value - width > 0 or value <= 0 else value * TINY,
            f"high{column}": value + width,
            f"kind{column}": kind,
            f"fill{column}": "white" if kind in HOLLOW else record["color"],
            f"text{column}": f"{_format_number(value)}{interval} {kind}".strip(),
        }
    return record


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"


def _make_data(values: list[dict[str, Any]]) -> Any:
    data: Any = alt.Data
    return data(values=values)


def _make_title(panel: Panel, column: int) -> str:
    own = {panel.x: panel.x_title, panel.y: panel.y_title}[column]
    return own or get_objective(panel.ranking.objectives[column]).heading


def _make_axis(panel: Panel, column: int) -> dict[str, Any]:
    """Return scale and title of an objective's axis."""
    points = panel.ranking.points
    log = is_log(points.values[points.present, column])
    ends = list(compute_axis_ends(panel, column))
    return {
        "title": _make_title(panel, column),
        "scale": alt.Scale(type="log" if log else "linear", domain=ends, nice=False),
        "axis": alt.Axis(
            format="~s" if ends[1] >= LARGE else "~g", tickCount=5, gridColor="#EEEEEE"
        ),
    }


def _encode_axes(panel: Panel, x: str = "v{}", y: str = "v{}") -> dict[str, Any]:
    """Encode the two axes, which show fields of those names."""
    return {
        "x": alt.X(x.format(panel.x) + ":Q", **_make_axis(panel, panel.x)),
        "y": alt.Y(y.format(panel.y) + ":Q", **_make_axis(panel, panel.y)),
    }


def _make_tooltip(ranking: Ranking) -> list[alt.Tooltip]:
    values = [
        alt.Tooltip(f"text{column}:N", title=get_objective(name).heading)
        for column, name in enumerate(ranking.objectives)
    ]
    return [
        alt.Tooltip("name:N", title="model"),
        *values,
        alt.Tooltip("front:Q"),
        alt.Tooltip("dominated_by:N", title="dominated by"),
        alt.Tooltip("chance:N", title="chance to be optimal"),
    ]


def _draw_points(panel: Panel, opacity: Any) -> Any:
    """Draw points: filled if the cost is measured, hollow if not, a cross if reported."""
    shapes = alt.Scale(domain=[*SHAPES, ""], range=[*SHAPES.values(), "circle"])
    data = alt.Chart(_make_data(make_records(panel.ranking)))
    return data.mark_point(size=90, strokeWidth=2).encode(
        **_encode_axes(panel),
        stroke=alt.Stroke("color:N", scale=None),
        fill=alt.Fill(f"fill{panel.x}:N", scale=None),
        shape=alt.Shape(f"kind{panel.x}:N", scale=shapes, legend=None),
        opacity=opacity,
        tooltip=_make_tooltip(panel.ranking),
    )


def _draw_plane(panel: Panel, zoom: str) -> Any:
    """Draw one pair of axes with fronts, intervals, points and names."""
    base = alt.Chart(_make_data(make_records(panel.ranking)))
    bars = base.mark_rule(color=LATER)
    return (
        alt.layer(
            *_draw_fronts(panel),
            bars.encode(**_encode_axes(panel, x="low{}"), x2=f"high{panel.x}:Q"),
            bars.encode(**_encode_axes(panel, y="low{}"), y2=f"high{panel.y}:Q"),
            _draw_points(panel, alt.value(1)),
            *_draw_names(panel),
        )
        .properties(width=SIZE, height=SIZE, title=panel.title)
        .interactive(name=zoom)
    )


def _draw_names(panel: Panel) -> list[Any]:
    """Name the first front, towards the middle of the axes, so that no name is cut off."""
    start, end = compute_axis_ends(panel, panel.x)
    log = is_log(panel.ranking.points.values[find_drawable(panel), panel.x])
    middle = (start * end) ** 0.5 if log else (start + end) / 2
    first = [record for record in make_records(panel.ranking) if record["front"] == 0]
    layers = []
    sides: tuple[tuple[Any, int], ...] = (("left", 8), ("right", -8))
    for align, offset in sides:
        rows = [r for r in first if (r[f"v{panel.x}"] < middle) == (align == "left")]
        base = alt.Chart(_make_data(rows)).mark_text(align=align, dx=offset, dy=-8, fontSize=11)
        layers += [base.encode(**_encode_axes(panel), text="name:N")] if rows else []
    return layers


def _draw_fronts(panel: Panel) -> list[Any]:
    """Draw the region that the first front dominates, and the boundaries of all fronts."""
    lines = trace_fronts(panel)
    if not lines:
        return []
    region = _draw_path(panel, np.vstack([lines[0], find_worst_corner(panel)]))
    colors = [FIRST, *[FAINT] * (len(lines) - 1)]
    steps = [
        _draw_path(panel, corners).mark_line(color=color, strokeWidth=2 if color == FIRST else 1)
        for corners, color in zip(lines, colors, strict=True)
    ]
    return [region.mark_line(fill=FIRST, fillOpacity=0.07, strokeWidth=0), *reversed(steps)]


def _draw_path(panel: Panel, corners: Any) -> Any:
    values = [
        {f"v{panel.x}": x, f"v{panel.y}": y, "step": step}
        for step, (x, y) in enumerate(corners.tolist())
    ]
    return alt.Chart(_make_data(values)).mark_line().encode(**_encode_axes(panel), order="step:Q")


def _draw_matrix(panel: Panel) -> Any:
    """Draw all pairs of objectives; a box drawn in one marks the same models in all."""
    ranking = panel.ranking
    brush = alt.selection_interval(name="box", resolve="global")
    columns = range(len(ranking.objectives))
    with warnings.catch_warnings():
        # altair warns that it joins the boxes of all cells into one, which is the intention.
        warnings.filterwarnings("ignore", "Automatically deduplicated")
        rows = [
            alt.hconcat(
                *(_draw_cell(Panel(ranking, x=x, y=y, steps=False), brush) for x in columns[:y])
            )
            for y in columns[1:]
        ]
        return alt.vconcat(*rows)


def _draw_cell(panel: Panel, brush: Any) -> Any:
    opacity = alt.condition(brush, alt.value(1), alt.value(0.15))
    return _draw_points(panel, opacity).properties(width=CELL, height=CELL).add_params(brush)
