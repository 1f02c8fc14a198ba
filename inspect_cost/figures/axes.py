"""Axes of a figure: their scales and limits, and labels that do not overlap."""

from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import textalloc
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogFormatterSciNotation, StrMethodFormatter
from numpy.typing import NDArray

from inspect_cost.figures.style import DARK, LABEL_SIZE

Array = NDArray[np.float64]

#: From here on, numbers are written with SI prefixes, and logarithmic axes with powers of ten.
LARGE, WIDE = 10_000, 1e5
#: Greatest distances of a label from its point, as parts of the figure; the nearest is tried first.
REACHES = (0.08, 0.2, 0.5)
#: Dashes of lines from labels to their points, unlike those of fronts and intervals.
LEADERS = (0, (3, 1.5))

#: x and y of a line's points.
Line = tuple[Sequence[float], Sequence[float]]


def scale_axis(axes: Axes, which: str, ends: tuple[float, float], *, log: bool) -> None:
    """Set limits and scale of the x or y axis; large numbers get SI prefixes."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    plain = EngFormatter(sep="") if ends[1] >= LARGE else StrMethodFormatter("{x:g}")
    if log:
        getattr(axes, f"set_{which}scale")("log")
        wide = ends[1] / ends[0] >= WIDE
        axis.set_major_formatter(LogFormatterSciNotation() if wide else plain)
        axis.set_minor_formatter("")
    elif ends[1] >= LARGE:
        axis.set_major_formatter(plain)
    getattr(axes, f"set_{which}lim")(ends)


def label_points(
    axes: Axes,
    points: Array,
    labels: Sequence[str],
    obstacles: Sequence[Line] = (),
    *,
    bold: Sequence[bool] = (),
    last: bool = False,
) -> list[str]:
    """Write labels beside their points, as near as possible, and return those without a place.

    Args:
        axes: axes with their final limits, in a figure with its final layout.
        points: (n, 2), the points to label.
        labels: one for each point; the first ones are placed first.
        obstacles: (x, y) of lines that labels must not cross.
        bold: for each label, whether it is bold.
        last: whether this is the last attempt. Labels may then cross the obstacles, and those that
            find a place are written. Otherwise all are written or none.
    """
    tries = [(reach, obstacles, False) for reach in REACHES]
    tries += [(reach, (), not reach < REACHES[-1]) for reach in REACHES if last]
    for reach, lines, some in tries:
        texts, leaders = _allocate(axes, points, labels, lines, bold, reach)
        missing = [label for label, text in zip(labels, texts, strict=True) if text is None]
        if some or not missing:
            _tag(filter(None, texts), behind=not lines)
            return missing
        for artist in filter(None, (*texts, *leaders)):
            artist.remove()
    return list(labels)


def _allocate(
    axes: Axes,
    points: Array,
    labels: Sequence[str],
    lines: Sequence[Line],
    bold: Sequence[bool],
    reach: float,
) -> tuple[list[Any], list[Any]]:
    """Return labels and the lines that lead to them, None for those without a place."""
    with redirect_stdout(StringIO()):  # it prints which labels it could not place
        allocated: Any = textalloc.allocate(
            axes,
            points[:, 0],
            points[:, 1],
            list(labels),
            x_scatter=points[:, 0],
            y_scatter=points[:, 1],
            x_lines=[list(x) for x, _ in lines],
            y_lines=[list(y) for _, y in lines],
            textsize=LABEL_SIZE,
            fontweight=["bold" if strong else "normal" for strong in bold] or "normal",
            textcolor=DARK,
            linecolor=DARK,
            linewidth=0.4,
            plot_kwargs={"linestyle": LEADERS},
            margin=0.012,
            min_distance=0.018,
            max_distance=reach,
            draw_all=False,
            avoid_label_lines_overlap=True,
            parse_math=False,  # a name may have dollars
        )
    _, _, texts, leaders = allocated
    return texts, leaders


def _tag(texts: Iterable[Any], *, behind: bool) -> None:
    """Mark texts as labels; those that lie on lines get a pale background."""
    for text in texts:
        text.set_gid(f"label:{text.get_text()}")
        text.set_in_layout(False)
        if behind:
            text.set_bbox({"pad": 0.5, "facecolor": "white", "alpha": 0.75, "linewidth": 0})
