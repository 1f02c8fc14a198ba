"""From the record of a run to a `Measurement`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import ceil
from statistics import fmean

from inspect_cost.measuring.measurement import Histogram, Measurement
from inspect_cost.measuring.protocol.baseline import describe_idle_step
from inspect_cost.measuring.protocol.latency import (
    Typical,
    estimate_typical,
    list_quantiles,
    make_histogram,
)
from inspect_cost.measuring.protocol.meter import Meter
from inspect_cost.measuring.protocol.run import Plan, Record
from inspect_cost.measuring.protocol.series import estimate_mean
from inspect_cost.measuring.protocol.statistics import quantile
from inspect_cost.measuring.protocol.stopping import compute_spacing_s
from inspect_cost.measuring.protocol.window import Window
from inspect_cost.values.notes import Note
from inspect_cost.values.quantity import Quantity
from inspect_cost.values.units import S_PER_H, S_PER_MIN

CLOCK = "monotonic clock"


def summarize(record: Record, meter: Meter, plan: Plan) -> Measurement:
    """Compute energy, power and latency with their intervals, and note what is missing."""
    windows = record.kept
    if not windows:
        return _summarize_first(record, meter)
    energies, refusal = _select_for_energy(windows, meter)
    typical = estimate_typical([w.latencies_s for w in windows], compute_spacing_s(windows))
    measurement = add_latency(_start(record, meter), windows, typical)
    if energies:
        measurement = add_energy(measurement, energies, meter)
    notes = [*record.notes, *meter.notes]
    if refusal:
        notes.append(Note("no-energy", f"No energy: {refusal}.", "warning"))
    if step := describe_idle_step(windows):
        notes.append(Note("idle-step", step, "warning"))
    notes += list_structure(typical)
    notes += list_shortfalls(record, plan, windows, measurement)
    calls = sum(window.calls for window in windows)
    return replace(measurement, calls=calls, notes=tuple(notes))


def _start(record: Record, meter: Meter) -> Measurement:
    """Return the measurement with what does not depend on the windows' figures."""
    first = record.first
    return Measurement(
        windows=tuple(record.windows),
        first_call_s=None if first is None else Quantity(first.duration_s, "s", "measured", CLOCK),
        sensors=tuple(sensor.source for sensor in meter.sensors),
        partial=record.interrupted,
    )


def _summarize_first(record: Record, meter: Meter) -> Measurement:
    """Return what is known after a first call alone: no latency, since it may have been cold."""
    notes = [*record.notes, *meter.notes]
    if record.interrupted:
        notes.append(
            Note("interrupted", "Interrupted after the first call, which is cold.", "warning")
        )
    return replace(_start(record, meter), notes=tuple(notes))


def _select_for_energy(windows: Sequence[Window], meter: Meter) -> tuple[list[Window], str]:
    """Return the windows whose energy counts, or none and the reason."""
    if not meter.sensors:
        return [], ""  # whoever looked for sensors says why there are none
    if meter.reason:
        return [], meter.reason
    if meter.fault and not any(window.energy_j for window in windows):
        return [], meter.fault
    needed_s = meter.shortest_window_s
    long_enough = [w for w in windows if w.energy_j and w.duration_s >= 0.9 * needed_s]
    if long_enough:
        whole = [w for w in long_enough if w.idle_power_w]  # gross and net of the same windows
        return whole or long_enough, ""
    longest_s = max(window.duration_s for window in windows)
    return [], f"the counters cannot resolve less than {needed_s:.3g} s, and it was {longest_s:.3g}"


def add_energy(measurement: Measurement, windows: Sequence[Window], meter: Meter) -> Measurement:
    """Return the measurement with energy and power from these windows, all domains added up."""
    domains = [sensor.domain for sensor in meter.sensors]
    source = " + ".join(sensor.source for sensor in meter.sensors)
    spacing_s = compute_spacing_s(windows)

    def quantity(
        unit: str,
        of: Callable[[Window], float],
        age: Callable[[Window], float] = lambda _: 0.0,
        at: str = source,
    ) -> Quantity:
        mean = estimate_mean([of(window) for window in windows], spacing_s)
        # Alike in all windows, so that their spread does not show it.
        error = fmean(age(window) for window in windows)
        ends = mean.ci95 and (mean.ci95[0] - error, mean.ci95[1] + error)
        return Quantity(mean.value, unit, "measured", at, ends)

    def domain_j(domain: str, window: Window) -> float:
        return (window.energy_j or {})[domain] / window.calls

    def gross_j(window: Window) -> float:
        return sum((window.energy_j or {})[domain] for domain in domains)

    def idle_w(window: Window) -> float:
        return sum((window.idle_power_w or {})[domain] for domain in domains)

    def net_j(window: Window) -> float:
        return gross_j(window) - idle_w(window) * window.duration_s

    def age_j(ages_s: Mapping[str, float], window: Window) -> float:
        return window.bound_age_error_j(ages_s) / window.calls

    def age_w(window: Window) -> float:
        return window.bound_age_error_j(meter.ages_s) / window.duration_s

    all_j = partial(age_j, meter.ages_s)

    measurement = replace(
        measurement,
        energy_j=quantity("J", lambda w: gross_j(w) / w.calls, all_j),
        power_w=quantity("W", lambda w: gross_j(w) / w.duration_s, age_w),
        energy_by_domain_j={
            d: quantity("J", partial(domain_j, d), partial(age_j, {d: s.age_s}), s.source)
            for d, s in zip(domains, meter.sensors, strict=True)
        },
    )
    if not all(window.idle_power_w for window in windows):
        return measurement
    return replace(
        measurement,
        idle_power_w=quantity("W", idle_w),
        energy_net_j=quantity("J", lambda w: net_j(w) / w.calls, all_j),
        power_net_w=quantity("W", lambda w: net_j(w) / w.duration_s, age_w),
    )


def add_latency(
    measurement: Measurement, windows: Sequence[Window], typical: Typical | None = None
) -> Measurement:
    """Return the measurement with the latency of one call, its quantiles and its histogram."""
    groups = [window.latencies_s for window in windows]
    typical = typical or estimate_typical(groups)
    ordered = sorted(latency for group in groups for latency in group)
    several = len(ordered) > 1
    quantiles = list_quantiles(ordered)
    edges_s, counts = make_histogram(ordered)
    return replace(
        measurement,
        latency_s=Quantity(typical.value_s, "s", "measured", CLOCK, typical.ci95),
        latency_quartiles_s=(
            (quantile(ordered, 0.25), quantile(ordered, 0.75)) if several else None
        ),
        latency_p95_s=quantile(ordered, 0.95) if several else None,
        latency_percentiles_s={
            name: Quantity(value, "s", "measured", f"{CLOCK}, of {_describe_sample(windows)}")
            for name, value in quantiles.items()
        },
        latency_histogram=Histogram(tuple(edges_s), tuple(counts)),
    )


def _describe_sample(windows: Sequence[Window]) -> str:
    """Say of what quantiles are: of all calls, or of the means of groups of them."""
    calls = sum(window.calls for window in windows)
    samples = sum(len(window.latencies_s) for window in windows)
    if samples == calls:
        return _count(calls, "call")
    return f"{samples:,} means of {calls / samples:.3g} calls"


def list_structure(typical: Typical) -> list[Note]:
    """List what the windows' latencies show beside noise."""
    notes: list[Note] = []
    if modes := typical.modes:
        text = (
            f"Calls are of two kinds: {modes.fast_share:.0%} take about {modes.fast_s:.3g} s, the "
            f"others {modes.slow_s:.3g} s. The latency is the median of all calls; where about "
            "half are of each kind, it says little."
        )
        notes.append(Note("two-modes", text, "warning"))
    correlation = typical.correlation
    if correlation is None or not correlation.is_likely:
        return notes
    about = (
        f"The latency of windows is like that of their neighbours, over {correlation.time_s:.2g} s"
    )
    if not correlation.outlasts_run:
        text = f"{about}: the interval is widened for that."
        return [*notes, Note("correlated-windows", text)]
    text = (
        f"{about} or longer, and all lie within {correlation.run_s:.2g} s: the latency drifts. The "
        "interval is widened for that, but one run shows little of so slow a change: repeat it at "
        "other times."
    )
    return [*notes, Note("drift", text, "warning")]


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
    if len(windows) == 2 and measurement.latency_s:  # noqa: PLR2004 - of one, another note tells
        text = "Latency has no confidence interval: it needs three windows."
        notes.append(Note("no-latency-interval", text))
    if record.dropped:
        text = (
            f"{_count_windows(record.dropped)} dropped: calls turned out faster or slower than "
            "those that it was planned by."
        )
        notes.append(Note("plan-changed", text))
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


def _count_windows(number: int) -> str:
    return "1 window was" if number == 1 else f"{number} windows were"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
