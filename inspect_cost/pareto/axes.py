"""Axes of a figure: scales, limits, and labels that do not overlap."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import textalloc
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogFormatterSciNotation, StrMethodFormatter
from numpy.typing import NDArray

from inspect_cost.pareto.style import DARK, LABEL_SIZE

Array = NDArray[np.float64]

#: From here on, numbers are written with SI prefixes, and logarithmic axes with powers of ten.
LARGE, WIDE = 10_000, 1e5
#: How far from its point a label may be, in parts of the figure: nearer first.
REACHES = (0.06, 0.12, 0.25, 0.5, 0.9)


def scale(axes: Axes, which: str, ends: tuple[float, float], *, log: bool) -> None:
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
    obstacles: Sequence[tuple[Sequence[float], Sequence[float]]] = (),
    *,
    bold: Sequence[bool] = (),
) -> bool:
    """Write labels beside their points, as near as they go; whether all found a place.

    Args:
        axes: with its final limits, in a figure with its final layout.
        points: (n, 2).
        labels: one for each point.
        obstacles: (x, y) of lines to keep clear of.
        bold: which labels are to be bold.
    """
    weights = ["bold" if strong else "normal" for strong in bold] or ["normal"] * len(labels)
    for reach in REACHES:
        allocated: Any = textalloc.allocate(
            axes,
            points[:, 0],
            points[:, 1],
            list(labels),
            x_scatter=points[:, 0],
            y_scatter=points[:, 1],
            x_lines=[list(x) for x, _ in obstacles],
            y_lines=[list(y) for _, y in obstacles],
            textsize=LABEL_SIZE,
            fontweight=weights,
            textcolor=DARK,
            linecolor=DARK,
            linewidth=0.4,
            margin=0.012,
            min_distance=0.018,
            max_distance=max(reach, 0.018),
            draw_all=False,
            avoid_label_lines_overlap=True,
        )
        _, _, texts, lines = allocated
        if sum(text is not None for text in texts) == len(labels):
            _name(texts)
            return True
        for artist in (*texts, *lines):
            if artist is not None:
                artist.remove()
    return False


def _name(texts: Sequence[Any]) -> None:
    for text in texts:
        text.set_gid(f"label:{text.get_text()}")
        text.set_in_layout(False)
