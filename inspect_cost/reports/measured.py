"""The measured part of the table: what each backend took, with its spread and its kind."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from inspect_cost.measuring.measurement import Measurement
from inspect_cost.reports.inspection import Report
from inspect_cost.values.quantity import Quantity
from inspect_cost.values.units import si

Row = tuple[str, str, str]

DERIVED = {
    "kwh_per_million_calls": "Electricity",
    "gco2e_per_million_calls": "Carbon",
    "battery_continuous_h": "On battery",
    "battery_real_time_h": "",
}
DERIVED_REMARKS = {
    "kwh_per_million_calls": "per million calls",
    "gco2e_per_million_calls": "per million calls",
    "battery_continuous_h": "of calls one after another",
    "battery_real_time_h": "of audio made in real time",
}


def measured_part(report: Report) -> Iterator[RenderableType]:
    """A section for each backend, each followed by its notes and an empty line."""
    for measurement in report.measurements:
        yield Text(f"Measured: {circumstances(measurement)}", style="bold")
        if body := list(rows(measurement)):
            yield figures(body)
        for note in measurement.notes:
            yield Padding(Text(note, style="dim"), (0, 0, 0, 2))
        yield Text()


def circumstances(measurement: Measurement) -> str:
    """What ran it, where, how often."""
    threads = f"{measurement.threads} threads" if measurement.threads else ""
    kept = len(measurement.kept_windows)
    calls = f"{measurement.calls:,} call{'s' * (measurement.calls != 1)}"
    windows = f"{calls} in {kept} window{'s' * (kept != 1)}" if kept else ""
    partial = "partial" if measurement.partial else ""
    place = f"{measurement.backend} on {measurement.device}"
    return ", ".join(filter(None, (place, threads, measurement.dtype, windows, partial)))


def figures(body: list[Row]) -> Padding:
    """The rows as the totals have them: name, value, remark."""
    grid = Table.grid(padding=(0, 3))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(style="dim")
    for row in body:
        grid.add_row(*row)
    return Padding(grid, (0, 0, 0, 2))


def rows(measurement: Measurement) -> Iterator[Row]:
    """Energy, power, latency, memory, what follows; an estimate under its own name."""
    if not measurement.windows:
        return
    yield from energy_rows(measurement)
    yield from latency_rows(measurement)
    yield from memory_rows(measurement)
    for name, quantity in measurement.derived.items():
        yield DERIVED[name], shown(quantity), derived_remark(measurement, name, quantity)
    if (difference := measurement.max_relative_difference) is not None:
        yield "Outputs", f"{difference:.1e}", "largest relative difference from the first backend's"


def derived_remark(measurement: Measurement, name: str, quantity: Quantity) -> str:
    """What a derived figure is of, and whether it comes from an estimate."""
    remark = DERIVED_REMARKS[name]
    if name == "gco2e_per_million_calls":
        return f"{remark}; {quantity.source}"
    return f"{remark}; from the estimated energy" if measurement.energy_j is None else remark


def energy_rows(measurement: Measurement) -> Iterator[Row]:
    """Gross and net; without a sensor, that there is none."""
    energy = measurement.energy_j
    if energy:
        yield "Energy", shown(energy), "gross, a call" + spread(energy)
    else:
        yield "Energy", "not known" if measurement.sensors else "no sensor", "see below"
    if energy and (net := measurement.energy_net_j):
        yield "", shown(net), "net of idle" + spread(net)
    if audio := measurement.energy_per_audio_second_j:
        yield "", shown(audio), "gross, a second of audio" + spread(audio)
    if power := measurement.power_w:
        yield "Power", shown(power), "gross" + spread(power)
    if net_power := measurement.power_net_w:
        yield "", shown(net_power), "net of idle" + spread(net_power)
    if energy:
        yield "Sensors", "", energy.source
    if estimate := measurement.estimated_energy_j:
        yield "Energy, estimated", shown(estimate), f"not measured: {estimate.source}"


def latency_rows(measurement: Measurement) -> Iterator[Row]:
    """Median, quartiles, p95; rates where they say something."""
    latency = measurement.latency_s
    if latency is None:
        return
    yield "Latency", shown(latency), "median" + spread(latency)
    if measurement.latency_quartiles_s and measurement.latency_p95_s:
        low, high = measurement.latency_quartiles_s
        p95 = measurement.latency_p95_s
        yield "", "", f"quartiles {si_s(low)} to {si_s(high)}, p95 {si_s(p95)}"
    if factor := measurement.real_time_factor:
        yield "Real-time factor", f"{factor.value:.3g}", "computing for a second of audio, in s"
    if measurement.batch > 1 and (rate := measurement.throughput_per_s):
        yield "Throughput", f"{rate.value:.4g} /s", f"batch of {measurement.batch:,}"


def memory_rows(measurement: Measurement) -> Iterator[Row]:
    """Of a fresh process, and of the call in it."""
    memory = measurement.memory
    if memory is None:
        return
    added = memory.rss_increase_b
    remark = f"resident; {si(added.value, 'B')} of it added by the call" if added else "resident"
    if memory.peak_rss_b:
        yield "Peak memory", shown(memory.peak_rss_b), remark
    if memory.allocator_peak_b:
        yield "", shown(memory.allocator_peak_b), "in tensors that the call made"
    if memory.cuda_peak_b:
        yield "", shown(memory.cuda_peak_b), "on the GPU, weights included"


def shown(quantity: Quantity) -> str:
    """Four digits with a prefix."""
    return si_s(quantity.value, quantity.unit)


def spread(quantity: Quantity) -> str:
    """The 95 % confidence interval, in the value's own unit."""
    if quantity.ci95 is None:
        return ", no confidence interval"
    low, high = quantity.ci95
    return f", 95 % CI {si_s(low, quantity.unit)} to {si_s(high, quantity.unit)}"


WITHOUT_PREFIX = ("h", "kWh")
SMALL = (("", 1.0), ("m", 1e-3), ("µ", 1e-6), ("n", 1e-9))


def si_s(value: float, unit: str = "s") -> str:
    """Four digits, with a prefix below 1 too, where the unit goes with one."""
    if unit in WITHOUT_PREFIX or value < 0 or (unit == "s" and value >= 1):
        return f"{value:,.4g} {unit}"
    if value == 0 or value >= 1:
        return si(value, unit)
    prefix, factor = next(((p, f) for p, f in SMALL if value >= f), SMALL[-1])
    return f"{value / factor:.4g} {prefix}{unit}"
