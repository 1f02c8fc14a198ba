"""What a backend took, with the spread and the kind of each figure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from inspect_cost.reports.document import (
    Block,
    Cell,
    Document,
    Fact,
    Facts,
    Heading,
    Notes,
    make_cells,
)
from inspect_cost.reports.sections.count import name_unit
from inspect_cost.reports.view import View
from inspect_cost.values.quantity import Quantity
from inspect_cost.values.units import si

if TYPE_CHECKING:
    from inspect_cost.measuring.measurement import Measurement

#: Derived quantity -> its name; one without a name belongs to the one before it.
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
#: Quantiles of slow calls that are shown, where there are enough calls.
TAILS = ("p90", "p95", "p99")
#: Units that go without a prefix.
WITHOUT_PREFIX = ("h", "kWh")
SMALL = (("", 1.0), ("m", 1e-3), ("µ", 1e-6), ("n", 1e-9))


def compose_measurement(measurement: "Measurement", view: View) -> Document:
    """Return the document of a measurement that belongs to no inspection."""
    del view
    return Document.of("Measured", present_measurement(measurement))


def present_measurement(measurement: "Measurement") -> Iterator[Block]:
    """Yield the circumstances, the figures and the notes."""
    yield Heading(f"Measured: {describe_circumstances(measurement)}", level=2)
    if rows := tuple(list_facts(measurement)):
        yield Facts(rows)
    if measurement.notes:
        yield Notes(make_cells(*measurement.notes, style="remark"), indent=2)


def describe_circumstances(measurement: "Measurement") -> str:
    """Return what ran it, where, how often."""
    threads = f"{measurement.threads} threads" if measurement.threads else ""
    kept = len(measurement.kept_windows)
    calls = f"{measurement.calls:,} call{'s' * (measurement.calls != 1)}"
    windows = f"{calls} in {kept} window{'s' * (kept != 1)}" if kept else ""
    partial = "partial" if measurement.partial else ""
    place = f"{measurement.backend} on {measurement.device}"
    return ", ".join(filter(None, (place, threads, measurement.dtype, windows, partial)))


def list_facts(measurement: "Measurement") -> Iterator[Fact]:
    """Yield energy, power, latency, memory, what follows; an estimate under its own name."""
    yield from list_cold_start(measurement)
    if not measurement.windows:
        return
    yield from list_energy(measurement)
    yield from list_power(measurement)
    yield from list_latency(measurement)
    yield from list_memory(measurement)
    for name, quantity in measurement.derived.items():
        remark = describe_derived(measurement, name, quantity)
        yield Fact(DERIVED[name], show(quantity), remark)
    if speedup := measurement.speedup:
        spread = f", 95 % CI {speedup.ci95[0]:.3g} to {speedup.ci95[1]:.3g}" if speedup.ci95 else ""
        cell = Cell(f"{speedup.value:.3g} x", speedup.value, kind=speedup.kind)
        yield Fact("Speed-up", cell, f"{speedup.source}{spread}")
    if (difference := measurement.max_relative_difference) is not None:
        cell = Cell(f"{difference:.1e}", difference, kind="measured")
        yield Fact("Outputs", cell, "largest relative difference from the first backend's")


def describe_derived(measurement: "Measurement", name: str, quantity: Quantity) -> str:
    """Return what a derived figure is of, and whether it comes from an estimate."""
    remark = DERIVED_REMARKS[name]
    if name == "gco2e_per_million_calls":
        return f"{remark}; {quantity.source}"
    return f"{remark}; from the estimated energy" if measurement.energy_j is None else remark


def list_cold_start(measurement: "Measurement") -> Iterator[Fact]:
    """Yield what a first call takes, and getting ready for it: neither is in other figures."""
    if setup := measurement.setup_s:
        yield Fact("Cold start", show(setup), setup.source)
    if first := measurement.first_call_s:
        again = " after that" if setup else ""
        remark = f"first call{again}, in no other figure"
        yield Fact("" if setup else "Cold start", show(first), remark)


def list_energy(measurement: "Measurement") -> Iterator[Fact]:
    """Yield gross and net energy; without a sensor, that there is none."""
    energy = measurement.energy_j
    if energy is None:
        missing = "not known" if measurement.sensors else "no sensor"
        yield Fact("Energy", Cell(missing), "see below")
        return
    yield Fact("Energy", show(energy), "gross, a call" + describe_spread(energy))
    if net := measurement.energy_net_j:
        yield Fact("", show(net), "net of idle" + describe_spread(net))
    if (output := measurement.output) and (each := measurement.energy_per_output_j):
        remark = f"gross, a {name_unit(output)}" + describe_spread(each)
        yield Fact("", show(each), remark)


def list_power(measurement: "Measurement") -> Iterator[Fact]:
    """Yield gross and net power, the sensors, and the estimated energy."""
    if power := measurement.power_w:
        yield Fact("Power", show(power), "gross" + describe_spread(power))
    if net := measurement.power_net_w:
        yield Fact("", show(net), "net of idle" + describe_spread(net))
    if energy := measurement.energy_j:
        yield Fact("Sensors", Cell(), energy.source)
    if estimate := measurement.estimated_energy_j:
        yield Fact("Energy, estimated", show(estimate), f"not measured: {estimate.source}")


def list_latency(measurement: "Measurement") -> Iterator[Fact]:
    """Yield a typical call, quantiles, rates if they say something."""
    latency = measurement.latency_s
    if latency is None:
        return
    yield Fact("Latency", show(latency), "median" + describe_spread(latency))
    if measurement.latency_quartiles_s:
        low, high = map(write_number, measurement.latency_quartiles_s)
        tails = "".join(
            f", {name} {write_number(value)}" for name, value in list_tails(measurement)
        )
        yield Fact("", Cell(), f"quartiles {low} to {high}{tails}")
    if factor := measurement.real_time_factor:
        cell = Cell(f"{factor.value:.3g}", factor.value, factor.unit, factor.kind)
        yield Fact("Real-time factor", cell, "computing for a second of audio, in s")
    elif (output := measurement.output) and (each := measurement.latency_per_output_s):
        yield Fact("", show(each), f"a {name_unit(output)}" + describe_spread(each))
    if measurement.batch > 1 and (rate := measurement.throughput_per_s):
        cell = Cell(f"{rate.value:.4g} /s", rate.value, rate.unit, rate.kind)
        yield Fact("Throughput", cell, f"batch of {measurement.batch:,}")


def list_tails(measurement: "Measurement") -> list[tuple[str, float]]:
    """Return the quantiles of slow calls that there are enough calls for, in seconds."""
    if measurement.latency_histogram is None and measurement.latency_p95_s is not None:
        return [("p95", measurement.latency_p95_s)]  # all that older reports have
    known = measurement.latency_percentiles_s
    return [(name, known[name].value) for name in TAILS if name in known]


def list_memory(measurement: "Measurement") -> Iterator[Fact]:
    """Yield the memory of a fresh process, and of the call in it."""
    memory = measurement.memory
    if memory is None:
        return
    added = memory.rss_increase_b
    remark = f"resident; {si(added.value, 'B')} of it added by the call" if added else "resident"
    if memory.peak_rss_b:
        yield Fact("Peak memory", show(memory.peak_rss_b), remark)
    if memory.allocator_peak_b:
        yield Fact("", show(memory.allocator_peak_b), "in tensors that the call made")
    if memory.cuda_peak_b:
        yield Fact("", show(memory.cuda_peak_b), "on the GPU, weights included")


def show(quantity: Quantity) -> Cell:
    """Return a quantity with four digits and a prefix."""
    text = write_number(quantity.value, quantity.unit)
    return Cell(text, quantity.value, quantity.unit, quantity.kind)


def describe_spread(quantity: Quantity) -> str:
    """Return the 95 % confidence interval, in the value's own unit."""
    if quantity.ci95 is None:
        return ", no confidence interval"
    low, high = (write_number(end, quantity.unit) for end in quantity.ci95)
    return f", 95 % CI {low} to {high}"


def write_number(value: float, unit: str = "s") -> str:
    """Return four digits, with a prefix below 1 too if the unit goes with one.

    >>> write_number(0.01234), write_number(1234.5, "J"), write_number(0.25, "kWh")
    ('12.34 ms', '1.234 kJ', '0.25 kWh')
    """
    if unit in WITHOUT_PREFIX or value < 0 or (unit == "s" and value >= 1):
        return f"{value:,.4g} {unit}"
    if value == 0 or value >= 1:
        return si(value, unit)
    prefix, factor = next(((p, f) for p, f in SMALL if value >= f), SMALL[-1])
    return f"{value / factor:.4g} {prefix}{unit}"
