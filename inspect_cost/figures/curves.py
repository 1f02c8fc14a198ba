"""Cost laws as curves: costs of models against the length of what they process."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inspect_cost.figures.geometry import separate
from inspect_cost.figures.style import (
    COLUMN_INCHES,
    FAINT,
    LABEL_SIZE,
    PALETTE,
    create_figure,
    style_line,
    use_style,
)
from inspect_cost.values.errors import UsageError

#: (length, cost) pairs, or a function from a length to the cost.
Curve = Sequence[tuple[float, float]] | Callable[[int], float]

SAMPLES = 60
LEAST_GAP = 0.05


def draw_curves(
    curves: Mapping[str, Curve],
    lengths: tuple[int, int] = (1_000, 1_000_000),
    *,
    x_title: str = "Length (samples)",
    y_title: str = "MACs",
) -> Figure:
    """Draw costs of several models against length, both logarithmic.

    Args:
        curves: model -> (length, cost) pairs, or a function from a length to the cost.
        lengths: first and last length at which functions are drawn.
        x_title: title of the horizontal axis.
        y_title: title of the vertical axis.

    Raises:
        UsageError: there is nothing to draw, or a length or a cost is not positive.
    """
    drawn = {name: sample_curve(name, curve, lengths) for name, curve in curves.items()}
    if not drawn:
        raise UsageError("there is no curve to draw", "Name a model.")
    with use_style():
        figure = create_figure(COLUMN_INCHES * 1.25, 2.9)
        axes = figure.subplots()
        axes.set(xscale="log", yscale="log", xlabel=x_title, ylabel=y_title)
        axes.grid(visible=True, color="#E6E6E6", linewidth=0.5)
        for place, (name, points) in enumerate(drawn.items()):
            axes.plot(
                *zip(*points, strict=True),
                **style_line(place),
                gid=f"curve:{name}",
            )
        axes.margins(x=0)
        figure.draw_without_rendering()
        _write_names(axes, drawn)
    return figure


def sample_curve(name: str, curve: Curve, lengths: tuple[int, int]) -> list[tuple[float, float]]:
    """Return a curve as (length, cost) pairs, the shortest first."""
    if callable(curve):
        grid = np.unique(np.geomspace(*lengths, SAMPLES).round().astype(int))
        points = [(length, curve(length)) for length in grid.tolist()]
    else:
        points = sorted(curve)
    if not points or any(length <= 0 or cost <= 0 for length, cost in points):
        raise UsageError(
            f"the curve of {name} does not fit logarithmic axes",
            "Give lengths and costs above 0.",
        )
    return points


def _write_names(axes: Axes, drawn: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Write names beyond the curves' right ends, in their colours."""
    ends = [points[-1] for points in drawn.values()]
    to_axes = axes.transData + axes.transAxes.inverted()
    heights = [float(to_axes.transform(end)[1]) for end in ends]
    for place, (name, end, height) in enumerate(
        zip(drawn, ends, separate(heights, LEAST_GAP), strict=True)
    ):
        axes.annotate(
            name,
            end,
            xytext=(1.05, height),
            textcoords="axes fraction",
            color=PALETTE[place % len(PALETTE)],
            fontsize=LABEL_SIZE,
            va="center",
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.5},
            gid=f"label:{name}",
            parse_math=False,
        )
