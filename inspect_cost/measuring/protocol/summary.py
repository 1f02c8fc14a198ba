"""From what a run saw to a `Measurement`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.protocol.baseline import idle_step
from inspect_cost.measuring.protocol.meter import Meter
from inspect_cost.measuring.protocol.run import Plan, Record
from inspect_cost.measuring.protocol.statistics import mean_interval, median_interval, quantile
from inspect_cost.measuring.protocol.window import Window
from inspect_cost.values.quantity import Quantity

CLOCK = "monotonic clock"


def summarized(record: Record, meter: Meter, plan: Plan) -> Measurement:
    """Energy, power and latency with their confidence intervals, and what is missing of them."""
    windows = record.kept
    energies, refusal = _with_energy(windows, meter)
    measurement = with_latency(Measurement(windows=tuple(record.windows)), windows)
    if energies:
        measurement = with_energy(measurement, energies, meter)
    notes = [
        *record.notes,
        *meter.notes,
        *([f"No energy: {refusal}."] if refusal else []),
        *([step] if (step := idle_step(windows)) else []),
        *shortfalls(record, plan, windows, measurement),
    ]
    return replace(
        measurement,
        calls=sum(window.calls for window in windows),
        sensors=tuple(sensor.source for sensor in meter.sensors),
        notes=tuple(notes),
        partial=record.interrupted,
    )


def _with_energy(windows: Sequence[Window], meter: Meter) -> tuple[list[Window], str]:
    """The windows whose energy counts, or why there are none."""
    if not meter.sensors:
        return [], ""  # why is known to whoever looked for sensors
    if meter.reason:
        return [], meter.reason
    needed_s = meter.shortest_window_s
    long_enough = [w for w in windows if w.energy_j and w.duration_s >= 0.9 * needed_s]
    if long_enough:
        return long_enough, ""
    longest_s = max(window.duration_s for window in windows)
    return (
        [],
        f"the counters tell nothing of less than {needed_s:.3g} s, and it was {longest_s:.3g}",
    )


def with_energy(measurement: Measurement, windows: Sequence[Window], meter: Meter) -> Measurement:
    """The measurement with energy and power from these windows, all domains added up."""
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


def with_latency(measurement: Measurement, windows: Sequence[Window]) -> Measurement:
    """The measurement with the latency of one call."""
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


def shortfalls(
    record: Record, plan: Plan, windows: Sequence[Window], measurement: Measurement
) -> list[str]:
    """What the run did not get to, and what to do about it."""
    notes = []
    calls = sum(window.calls for window in windows)
    if record.interrupted:
        notes.append(f"Interrupted after {_number(calls, 'call')}: these figures are partial.")
    elif len(windows) < plan.windows:
        notes.append(_too_short(plan, windows, calls))
    if not record.warmed_up and not record.interrupted:
        notes.append("Not warmed up.")
    if len(windows) > 1 and measurement.latency_s and measurement.latency_s.ci95 is None:
        notes.append("Latency has no confidence interval: its median needs six calls.")
    net = measurement.energy_net_j
    if net and net.ci95 and net.ci95[0] <= 0:
        notes.append("Net of idle: not distinguishable from 0, the machine's idle noise hides it.")
    if record.per_sample > 1:
        notes.append(
            f"Calls are short: latency is timed over {record.per_sample} in a row, and its "
            "quartiles are of such means."
        )
    return [*notes, *_achieved(plan, measurement)]


def _too_short(plan: Plan, windows: Sequence[Window], calls: int) -> str:
    """That the budget was too short, and which would do."""
    budget = duration_text(sufficient_s(plan, windows))
    if calls == 1:
        return f"One call, no confidence interval; --measure-time {budget} for one."
    return (
        f"{_number(len(windows), 'window')} of the {plan.windows} that the protocol asks for; "
        f"--measure-time {budget} for all."
    )


def sufficient_s(plan: Plan, windows: Sequence[Window]) -> float:
    """A budget in which the whole protocol fits: its windows, idle, warm-up, a first call."""
    longest_s = max(plan.window_s, *(window.duration_s / window.calls for window in windows))
    fitting_s = 1.25 * (1.5 * plan.windows + 1) * longest_s
    if len(windows) == 1:
        return fitting_s
    return max(fitting_s, 1.25 * plan.budget_s * plan.windows / len(windows))


def duration_text(seconds: float) -> str:
    """Rounded up, as --measure-time takes it: 30s, 5m, 2h."""
    minute, hour = 60, 3600
    if seconds <= minute:
        return f"{int(-(-seconds // 10) * 10)}s"
    if seconds <= hour:
        return f"{int(-(-seconds // minute))}m"
    return f"{int(-(-seconds // hour))}h"


def _achieved(plan: Plan, measurement: Measurement) -> list[str]:
    """How precise it became, where that was asked for."""
    if plan.until is None:
        return []
    quantity = measurement.energy_j or measurement.latency_s
    what = "energy" if measurement.energy_j else "latency"
    if quantity is None or quantity.ci95 is None:
        return [f"Asked for ± {plan.until:.2%}: there is no confidence interval of the {what}."]
    achieved = (quantity.ci95[1] - quantity.ci95[0]) / 2 / quantity.value
    reached = "reached" if achieved <= plan.until else "not reached: --measure-time is too short"
    return [f"Asked for ± {plan.until:.2%} of the {what}: ± {achieved:.2%}, {reached}."]


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
