"""The figure of latencies by its structure."""

import pytest
from matplotlib.figure import Figure

from inspect_cost.engine.latency_curves import make_latency_curves
from inspect_cost.figures.latencies import LatencyCurve, WindowLatencies, draw_latencies
from inspect_cost.figures.saving import render_figure
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.values.quantity import Quantity
from tests.measuring.simulated import Counter, Machine, measured


def find(figure: Figure, gid: str) -> list[object]:
    """Return what has a name in a figure."""
    return [artist for artist in figure.findobj() if artist.get_gid() == gid]


def simulate() -> Measurement:
    """A measurement of which a window was disturbed."""
    machine = Machine(call_s=0.05, jitter=0.1)
    machine.on_call = lambda calls: setattr(machine, "foreign_cores", float(70 < calls < 75))
    return measured(machine, Counter(machine))


def test_windows_are_in_time_and_disturbed_ones_are_marked() -> None:
    result = simulate()
    disturbed = [w for w in result.windows if w.disturbances]
    assert disturbed
    figure = draw_latencies(make_latency_curves([result]))
    (windows,), (marked,) = find(figure, "windows"), find(figure, "disturbed")
    assert len(windows.get_xdata()) == len(result.windows) - len(disturbed)  # type: ignore[attr-defined]
    assert list(marked.get_ydata()) == pytest.approx([w.latency_s * 1e3 for w in disturbed])  # type: ignore[attr-defined]
    starts = [w.started_s or 0.0 for w in result.windows if not w.disturbances]
    expected = [s - (result.windows[0].started_s or 0.0) + 0.5 for s in starts]
    assert list(windows.get_xdata()) == pytest.approx(expected, abs=0.2)  # type: ignore[attr-defined]
    assert len(find(figure, "interval")) == 2
    assert figure.axes[0].get_ylabel() == "latency (ms)"
    assert render_figure(figure, ".svg").startswith(b"<?xml")


def test_the_histogram_holds_all_calls() -> None:
    result = simulate()
    (curve,) = make_latency_curves([result, Measurement()])
    assert sum(curve.counts) == result.calls
    (stairs,) = find(draw_latencies([curve]), "histogram")
    assert list(stairs.get_data().values) == list(curve.counts)  # type: ignore[attr-defined]


def test_a_row_for_each_backend_and_windows_of_older_reports() -> None:
    window = WindowLatencies(None, 2.0, (2e-6,), 2e-6)
    curve = LatencyCurve("old", (window, window), Quantity(2e-6, "s", "measured", "clock"))
    figure = draw_latencies([curve, curve])
    assert len(figure.axes) == 4
    assert list(find(figure, "windows")[0].get_xdata()) == [1.0, 3.0]  # type: ignore[attr-defined]
    assert figure.axes[0].get_ylabel() == "latency (µs)"
