"""From measurements to the figure of their latencies."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from inspect_cost.figures.latencies import LatencyCurve, WindowLatencies
from inspect_cost.values.quantity import Quantity

if TYPE_CHECKING:
    from inspect_cost.measuring.measurement import Measurement


def make_latency_curves(measurements: Iterable["Measurement"]) -> list[LatencyCurve]:
    """Return what `draw_latencies` draws, of those measurements that have a latency."""
    return [_make_curve(each, each.latency_s) for each in measurements if each.latency_s]


def _make_curve(measurement: "Measurement", latency: Quantity) -> LatencyCurve:
    histogram = measurement.latency_histogram
    windows = tuple(
        WindowLatencies(
            window.started_s,
            window.duration_s,
            window.latencies_s,
            window.latency_s,
            bool(window.disturbances),
        )
        for window in measurement.windows
    )
    title = f"{measurement.backend} on {measurement.device}, {measurement.calls:,} calls"
    edges_s, counts = (histogram.edges_s, histogram.counts) if histogram else ((), ())
    return LatencyCurve(title, windows, latency, edges_s, counts)
