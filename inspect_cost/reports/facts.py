"""The facts of a report: what ranking, comparing, budgets and tables read, by name."""

from collections.abc import Iterator, Mapping

from inspect_cost.counting.report import CostReport
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.values.identity import Output
from inspect_cost.values.quantity import Quantity

#: Facts of a count that are lower bounds where an operator has no known cost.
BOUNDED = ("macs", "flops", "bytes_moved")
#: Facts of a measurement that are quantities of it, by the names of its attributes.
MEASURED = (
    "latency_s",
    "energy_j",
    "energy_net_j",
    "estimated_energy_j",
    "power_w",
)


def find_facts(
    count: CostReport, output: Output | None, measurement: Measurement | None, origin: str
) -> dict[str, Quantity]:
    """Return name -> quantity of everything that is known of one phase.

    If the cost of some operator is unknown, sums are only lower bounds, and are left out.

    Args:
        count: of the phase.
        output: what its call yields; rates follow from it.
        measurement: of its call.
        origin: source of the counted values: a file, a preset.
    """
    facts = {"params": count.params, "param_bytes": count.param_bytes}
    if count.complete:
        facts |= {name: getattr(count, name) for name in BOUNDED}
    counted = {name: Quantity(value, "", "counted", origin) for name, value in facts.items()}
    found = {**counted, **(_measured(measurement) if measurement else {})}
    return {**found, **(dict(_rates(found, output)) if output else {})}


def _measured(measurement: Measurement) -> dict[str, Quantity]:
    found = {name: getattr(measurement, name) for name in MEASURED}
    memory = measurement.memory
    # What the device's own allocator saw says more than the process's resident set.
    found["memory"] = (memory.cuda_peak_b or memory.peak_rss_b) if memory else None
    return {name: quantity for name, quantity in found.items() if quantity is not None}


def _rates(facts: Mapping[str, Quantity], output: Output) -> Iterator[tuple[str, Quantity]]:
    """Yield the facts per unit of output; of audio also under the names per second."""
    per_unit = 1 / output.units
    for name, rate in (
        ("macs", "macs_per_output"),
        ("flops", "flops_per_output"),
        ("bytes_moved", "bytes_per_output"),
        ("latency_s", "latency_per_output_s"),
        ("energy_j", "energy_per_output_j"),
    ):
        if name in facts:
            yield rate, _per_unit(facts[name], output, per_unit)
    if output.is_audio:
        for name, rate, unit in (
            ("macs", "macs_per_s", ""),
            ("flops", "flops_per_s", ""),
            ("latency_s", "real_time_factor", "s/s"),
            ("energy_j", "energy_j_per_s", ""),
        ):
            if name in facts:
                found = _per_unit(facts[name], output, per_unit)
                yield rate, found.scaled(1, unit) if unit else found


def _per_unit(quantity: Quantity, output: Output, per_unit: float) -> Quantity:
    """Return a quantity per unit of output; counted ones are divided exactly."""
    if quantity.kind == "counted":
        value = output.per_unit(quantity.value)
        return Quantity(value, quantity.unit, quantity.kind, quantity.source)
    return quantity.scaled(per_unit)
