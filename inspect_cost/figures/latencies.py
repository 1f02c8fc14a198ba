"""A figure of measured latencies: windows in time, and how all calls are distributed."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inspect_cost.figures.style import (
    COLUMN_INCHES,
    DARK,
    FAINT,
    FIRST,
    LATER,
    PALETTE,
    create_figure,
    use_style,
)
from inspect_cost.values.quantity import Quantity

#: Seconds of a unit -> its name; the largest that is not above the latency is used.
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
HEIGHT_INCHES = 2.6
DISTURBED = PALETTE[1]


@dataclass(frozen=True)
class WindowLatencies:
    """One window, as the figure shows it.

    Attributes:
        started_s: when it began; None puts windows side by side.
        duration_s: how long it lasted.
        latencies_s: of its calls, or of some of them.
        middle_s: their median.
        disturbed: whether something disturbed it.
    """

    started_s: float | None
    duration_s: float
    latencies_s: tuple[float, ...]
    middle_s: float
    disturbed: bool = False


@dataclass(frozen=True)
class LatencyCurve:
    """What one backend's row of the figure shows.

    Attributes:
        title: above it.
        windows: in the order in which they were made.
        latency: of a typical call, with its interval.
        edges_s: (n + 1) ends of the bins of a histogram; empty for none.
        counts: (n) calls in each bin.
    """

    title: str
    windows: tuple[WindowLatencies, ...]
    latency: Quantity
    edges_s: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


def draw_latencies(curves: Sequence[LatencyCurve]) -> Figure:
    """Draw a row for each curve: calls and medians of windows in time, and a histogram beside it.

    Disturbed windows are crosses. The band is the 95 % interval of a typical call.

    Args:
        curves: one at least.
    """
    with use_style():
        figure = create_figure(2 * COLUMN_INCHES, HEIGHT_INCHES * len(curves))
        axes = figure.subplots(len(curves), 2, squeeze=False, sharey="row", width_ratios=(3, 1))
        for (left, right), curve in zip(axes, curves, strict=True):
            unit_s, unit = _choose_unit(curve.latency.value)
            _draw_windows(left, curve, unit_s)
            _draw_histogram(right, curve, unit_s)
            _draw_interval((left, right), curve.latency, unit_s)
            left.set_title(curve.title, loc="left")
            left.set_ylabel(f"latency ({unit})")
            left.legend(loc="upper right", frameon=False)
    return figure


def _choose_unit(latency_s: float) -> tuple[float, str]:
    return next((unit for unit in UNITS if latency_s >= unit[0]), UNITS[-1])


def _draw_windows(axes: Axes, curve: LatencyCurve, unit_s: float) -> None:
    """Draw each window's calls as dots in time, and its median as a mark."""
    starts_s = _place(curve.windows)
    axes.set_xlabel("time (s)")
    for start_s, window in zip(starts_s, curve.windows, strict=True):
        step_s = window.duration_s / len(window.latencies_s)
        times_s = [start_s + (k + 0.5) * step_s for k in range(len(window.latencies_s))]
        values = [latency / unit_s for latency in window.latencies_s]
        axes.plot(times_s, values, ".", color=FAINT, markersize=2, zorder=1, rasterized=True)
    for disturbed, marker, color, label in (
        (False, "o", FIRST, "median of a window"),
        (True, "X", DISTURBED, "disturbed window"),
    ):
        shown = [
            (start_s + window.duration_s / 2, window.middle_s / unit_s)
            for start_s, window in zip(starts_s, curve.windows, strict=True)
            if window.disturbed is disturbed
        ]
        if shown:
            times, medians = zip(*shown, strict=True)
            axes.plot(
                times,
                medians,
                marker,
                color=color,
                label=label,
                markersize=5,
                zorder=3,
                gid="disturbed" if disturbed else "windows",
            )


def _place(windows: Sequence[WindowLatencies]) -> list[float]:
    """Return where windows start; those of which that is unknown follow each other."""
    known = [window.started_s for window in windows if window.started_s is not None]
    if len(known) == len(windows):
        return [start_s - known[0] for start_s in known]
    ends = [0.0]
    for window in windows:
        ends.append(ends[-1] + window.duration_s)
    return ends[:-1]


def _draw_histogram(axes: Axes, curve: LatencyCurve, unit_s: float) -> None:
    """Draw the calls of all windows that count, by their durations."""
    axes.set_xlabel("calls")
    if len(set(curve.edges_s)) > 1:
        edges = [edge / unit_s for edge in curve.edges_s]
        axes.stairs(
            list(curve.counts),
            edges,
            orientation="horizontal",
            fill=True,
            color=LATER,
            gid="histogram",
        )
    axes.tick_params(labelleft=False)


def _draw_interval(both: Sequence[Axes], latency: Quantity, unit_s: float) -> None:
    """Draw the typical call and its interval across the row."""
    for axes in both:
        axes.axhline(latency.value / unit_s, color=DARK, linewidth=0.8, zorder=2)
        if latency.ci95:
            low, high = (end / unit_s for end in latency.ci95)
            axes.axhspan(low, high, color=FIRST, alpha=0.15, linewidth=0, gid="interval")
