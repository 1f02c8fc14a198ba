"""From the record of a run to a `Measurement`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import ceil

from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.protocol.baseline import describe_idle_step
from inspect_cost.measuring.protocol.meter import Meter
from inspect_cost.measuring.protocol.run import Plan, Record
from inspect_cost.measuring.protocol.statistics import mean_interval, median_interval, quantile
from inspect_cost.measuring.protocol.window import Window
from inspect_cost.values.notes import Note
from inspect_cost.values.quantity import Quantity
from inspect_cost.values.units import S_PER_H, S_PER_MIN

CLOCK = "monotonic clock"
#: Calls that an interval of their median takes, however they spread.
FEWEST_CALLS = 6


def summarize(record: Record, meter: Meter, plan: Plan) -> Measurement:
    """Compute energy, power and latency with their intervals, and note what is missing."""
    windows = record.kept
    energies, refusal = _select_for_energy(windows, meter)
    measurement = add_latency(Measurement(windows=tuple(record.windows)), windows)
    if energies:
        measurement = add_energy(measurement, energies, meter)
    notes = [*record.notes, *meter.notes]
    if refusal:
        notes.append(Note("no-energy", f"No energy: {refusal}.", "warning"))
    if step := describe_idle_step(windows):
        notes.append(Note("idle-step", step, "warning"))
    notes += list_shortfalls(record, plan, windows, measurement)
    return replace(
        measurement,
        calls=sum(window.calls for window in windows),
        sensors=tuple(sensor.source for sensor in meter.sensors),
        notes=tuple(notes),
        partial=record.interrupted,
    )


def _select_for_energy(windows: Sequence[Window], meter: Meter) -> tuple[list[Window], str]:
    """Return the windows whose energy counts, or none and the reason."""
    if not meter.sensors:
        return [], ""  # whoever looked for sensors says why there are none
    if meter.reason:
        return [], meter.reason
    needed_s = meter.shortest_window_s
    long_enough = [w for w in windows if w.energy_j and w.duration_s >= 0.9 * needed_s]
    if long_enough:
        return long_enough, ""
    longest_s = max(window.duration_s for window in windows)
    return [], f"the counters cannot resolve less than {needed_s:.3g} s, and it was {longest_s:.3g}"


def add_energy(measurement: Measurement, windows: Sequence[Window], meter: Meter) -> Measurement:
    """Return the measurement with energy and power from these windows, all domains added up."""
    domains = [sensor.domain for sensor in meter.sensors]
    source = " + ".join(sensor.source for sensor in meter.sensors)

    def quantity(unit: str, of: Callable[[Window], float], at: str = source) -> Quantity:
        value, ends = mean_interval([of(window) for window in windows])
        return Quantity(value, unit, "measured", at, ends)

    def domain_j(domain: str, window: Window) -> float:
        return (window.energy_j or {})[domain] / window.calls

    def gross_j(window: Window) -> float:
        return sum((window.energy_j or {})[domain] for domain in domains)

    def idle_w(window: Window) -> float:
        return sum((window.idle_power_w or {})[domain] for domain in domains)

    measurement = replace(
        measurement,
        energy_j=quantity("J", lambda w: gross_j(w) / w.calls),
        power_w=quantity("W", lambda w: gross_j(w) / w.duration_s),
        energy_by_domain_j={
            sensor.domain: quantity("J", partial(domain_j, sensor.domain), sensor.source)
            for sensor in meter.sensors
        },
    )
    if not all(window.idle_power_w for window in windows):
        return measurement
    return replace(
        measurement,
        idle_power_w=quantity("W", idle_w),
        energy_net_j=quantity("J", lambda w: (gross_j(w) - idle_w(w) * w.duration_s) / w.calls),
        power_net_w=quantity("W", lambda w: gross_j(w) / w.duration_s - idle_w(w)),
    )


def add_latency(measurement: Measurement, windows: Sequence[Window]) -> Measurement:
    """Return the measurement with the latency of one call."""
    groups = [window.latencies_s for window in windows]
    value, ends = median_interval(groups)
    ordered = sorted(latency for group in groups for latency in group)
    several = len(ordered) > 1
    return replace(
        measurement,
        latency_s=Quantity(value, "s", "measured", CLOCK, ends),
        latency_quartiles_s=(
            (quantile(ordered, 0.25), quantile(ordered, 0.75)) if several else None
        ),
        latency_p95_s=quantile(ordered, 0.95) if several else None,
    )


def list_shortfalls(
    record: Record, plan: Plan, windows: Sequence[Window], measurement: Measurement
) -> list[Note]:
    """List what the run did not reach, and what to do about it."""
    notes: list[Note] = []
    calls = sum(window.calls for window in windows)
    if record.interrupted:
        text = f"Interrupted after {_count(calls, 'call')}: these figures are partial."
        notes.append(Note("interrupted", text, "warning"))
    elif len(windows) < plan.windows:
        notes.append(_explain_short_budget(plan, windows, calls))
    if not record.warmed_up and not record.interrupted:
        notes.append(Note("not-warmed-up", "Not warmed up.", "warning"))
    if len(windows) > 1 and measurement.latency_s and measurement.latency_s.ci95 is None:
        measured = sum(len(window.latencies_s) for window in windows)
        needs = "its median needs six calls"
        if measured >= FEWEST_CALLS:
            needs = f"it follows from the medians of windows, and {len(windows)} are too few"
        text = f"Latency has no confidence interval: {needs}."
        notes.append(Note("no-latency-interval", text))
    net = measurement.energy_net_j
    if net and net.ci95 and net.ci95[0] <= 0:
        text = "Net of idle: not distinguishable from 0, the machine's idle noise hides it."
        notes.append(Note("net-hidden", text, "warning"))
    if record.per_sample > 1:
        text = (
            f"Calls are short: latency is the mean of {record.per_sample} back-to-back calls, and "
            "its quartiles are of those means."
        )
        notes.append(Note("grouped-calls", text))
    if precision := _describe_precision(plan, measurement):
        notes.append(precision)
    return notes


def _explain_short_budget(plan: Plan, windows: Sequence[Window], calls: int) -> Note:
    """Say what the budget was too short for, and which would suffice."""
    budget = f"`measure_time_s={round_up_s(estimate_sufficient_s(plan, windows))}`"
    if calls == 1:
        return Note("one-call", f"One call, no confidence interval; {budget} for one.")
    text = (
        f"{_count(len(windows), 'window')} of the {plan.windows} that the protocol asks for; "
        f"{budget} for all."
    )
    return Note("few-windows", text)


def estimate_sufficient_s(plan: Plan, windows: Sequence[Window]) -> float:
    """Return a budget that fits the whole protocol: windows, idle time, warm-up, a first call."""
    longest_s = max(plan.window_s, *(window.duration_s / window.calls for window in windows))
    # A window takes half as long again for its idle time; a fifth of the budget is for warming up.
    fitting_s = 1.25 * (1.5 * plan.windows + 1) * longest_s
    if len(windows) == 1:
        return fitting_s
    # What the windows took so far says more, if there are several.
    return max(fitting_s, 1.25 * plan.budget_s * plan.windows / len(windows))


def round_up_s(seconds: float) -> int:
    """Return the next multiple of ten seconds, of a minute above one, of an hour above one.

    >>> round_up_s(21), round_up_s(61), round_up_s(3601)
    (30, 120, 7200)
    """
    step = 10 if seconds <= S_PER_MIN else S_PER_MIN if seconds <= S_PER_H else S_PER_H
    return int(ceil(seconds / step) * step)


def _describe_precision(plan: Plan, measurement: Measurement) -> Note | None:
    """Say how precise the result is, if a precision was asked for."""
    if plan.until is None:
        return None
    quantity = measurement.energy_j or measurement.latency_s
    what = "energy" if measurement.energy_j else "latency"
    if quantity is None or quantity.ci95 is None:
        text = f"Asked for ± {plan.until:.2%}: there is no confidence interval of the {what}."
        return Note("precision-unknown", text, "warning")
    achieved = (quantity.ci95[1] - quantity.ci95[0]) / 2 / quantity.value
    asked = f"Asked for ± {plan.until:.2%} of the {what}: ± {achieved:.2%}"
    if achieved <= plan.until:
        return Note("precision-reached", f"{asked}, reached.")
    text = f"{asked}, not reached: `measure_time_s` is too short."
    return Note("precision-missed", text, "warning")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
