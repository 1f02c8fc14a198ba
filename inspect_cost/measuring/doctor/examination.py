"""Examination of sensors: their period, steps, and power when idle and under a known load."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from inspect_cost.measuring.sensors.protocol import EnergySensor, SensorError, subtract_j
from inspect_cost.values.errors import one_line

#: Enough changes of a counter for a median of the times between them.
CHANGES = 20
#: No domain draws as much: what seems to is a counter that went backwards, taken for a wrap.
IMPLAUSIBLE_W = 20_000.0

#: (device, seconds): keeps the device busy for that time.
Load = Callable[[str, float], None]


@dataclass(frozen=True)
class Examination:
    """One sensor and its behaviour; what could not be determined is None.

    Attributes:
        domain: what it covers: "package-0".
        source: where it is read.
        device: whose work it sees.
        range_j: where it starts again at 0.
        stated_period_s: time between its steps according to its maker.
        period_s: median time observed between its steps.
        resolution_j: the smallest step observed.
        read_s: duration of one reading.
        idle_w: power while this process slept.
        load_w: power under the known load.
        fault: why its figures cannot be trusted; "" if they can.
        notes: what else is worth knowing.
    """

    domain: str
    source: str
    device: str
    range_j: float | None
    stated_period_s: float
    period_s: float | None = None
    resolution_j: float | None = None
    read_s: float | None = None
    idle_w: float | None = None
    load_w: float | None = None
    fault: str = ""
    notes: tuple[str, ...] = ()


def examine_sensors(
    sensors: Sequence[EnergySensor], time_s: float, load: Load, progress: Callable[[float], None]
) -> tuple[Examination, ...]:
    """Examine all sensors: a fifth of the time polls them, the rest is half idle, half busy."""
    results = []
    for done, sensor in enumerate(sensors):
        progress(0.2 * done / len(sensors))
        results.append(poll_sensor(sensor, time_s / 5 / len(sensors)))
    progress(0.2)
    idle_w = measure_powers(sensors, lambda: time.sleep(time_s * 0.4))
    results = [add_power(r, w, "idle_w") for r, w in zip(results, idle_w, strict=True)]
    devices = dict.fromkeys(sensor.device for sensor in sensors)
    for done, device in enumerate(devices):
        progress(0.6 + 0.4 * done / len(devices))
        busy = partial(load, device, time_s * 0.4 / len(devices))
        results = measure_load(sensors, results, device, busy)
    return tuple(map(check_load, results))


def measure_load(
    sensors: Sequence[EnergySensor],
    results: Sequence[Examination],
    device: str,
    busy: Callable[[], None],
) -> list[Examination]:
    """Return the results with the power of one device's sensors while that device was busy."""
    own = [result.device == device for result in results]
    try:
        load_w = measure_powers(sensors, busy)
    except RuntimeError as error:  # what torch raises for a device that it lacks or that is full
        note = f"the known load does not run on {device}: {one_line(error)}"
        return [
            replace(r, notes=(*r.notes, note)) if mine else r
            for r, mine in zip(results, own, strict=True)
        ]
    return [
        add_power(r, w, "load_w") if mine else r
        for r, w, mine in zip(results, load_w, own, strict=True)
    ]


def poll_sensor(sensor: EnergySensor, time_s: float) -> Examination:
    """Read a sensor until it has changed often enough, or the time is up."""
    result = Examination(
        sensor.domain, sensor.source, sensor.device, sensor.range_j, sensor.period_s
    )
    try:
        changes, readings, took_s = record_changes(sensor, time_s)
        result = replace(result, read_s=took_s / readings)
        steps_j = [subtract_j(sensor, a, b) for (_, a), (_, b) in pairwise(changes)]
    except SensorError as error:
        return replace(result, fault=str(error))
    if not steps_j:
        return replace(result, fault=f"its counter did not move within {took_s:.2g} s")
    if max(steps_j) > IMPLAUSIBLE_W * took_s:
        return replace(result, fault="its counter went backwards")
    # The first step came somewhere within a period, so the time up to it says nothing.
    gaps_s = [b - a for (a, _), (b, _) in pairwise(changes[1:])]
    period_s = statistics.median(gaps_s) if gaps_s else None
    return replace(result, period_s=period_s, resolution_j=min(steps_j))


def record_changes(
    sensor: EnergySensor, time_s: float
) -> tuple[list[tuple[float, float]], int, float]:
    """Return the (moment, counter) of each change, the number of readings and their duration."""
    began = time.perf_counter()
    end = began + max(time_s, 5 * sensor.period_s)
    changes, readings, now = [(began, sensor.read_j())], 1, began
    while now < end and len(changes) < CHANGES:
        energy_j, now = sensor.read_j(), time.perf_counter()
        readings += 1
        if energy_j != changes[-1][1]:
            changes.append((now, energy_j))
    return changes, readings, now - began


def measure_powers(
    sensors: Sequence[EnergySensor], work: Callable[[], None]
) -> list[float | SensorError]:
    """Measure each sensor's mean power during some work; an error in place of what is unknown."""
    began, before = time.perf_counter(), [try_reading(sensor) for sensor in sensors]
    work()
    took_s, after = time.perf_counter() - began, [try_reading(sensor) for sensor in sensors]
    return [compute_power(s, a, b, took_s) for s, a, b in zip(sensors, before, after, strict=True)]


def try_reading(sensor: EnergySensor) -> float | SensorError:
    """Return the counter, or the error that it raised."""
    try:
        return sensor.read_j()
    except SensorError as error:
        return error


def compute_power(
    sensor: EnergySensor, before: float | SensorError, after: float | SensorError, took_s: float
) -> float | SensorError:
    """Return the mean power between two readings, or the error that makes it unknown."""
    if isinstance(before, SensorError):
        return before
    if isinstance(after, SensorError):
        return after
    try:
        found_w = subtract_j(sensor, before, after) / took_s
    except SensorError as error:
        return error
    if found_w > IMPLAUSIBLE_W:
        return SensorError("its counter went backwards")
    return found_w or SensorError(f"its counter did not move within {took_s:.2g} s")


def add_power(result: Examination, found: float | SensorError, name: str) -> Examination:
    """Return the result with a power, or with the fault that prevented it."""
    if result.fault:
        return result
    if isinstance(found, SensorError):
        return replace(result, fault=str(found))
    return replace(result, **{name: found})  # type: ignore[arg-type] # a power's field


def check_load(result: Examination) -> Examination:
    """Return the result with a note if the known load did not raise its power."""
    if result.idle_w is None or result.load_w is None or result.load_w > result.idle_w:
        return result
    note = (
        f"the known load was not seen: {result.load_w:.3g} W busy, {result.idle_w:.3g} W idle; "
        "something else is running, or the counter does not cover this device"
    )
    return replace(result, notes=(*result.notes, note))
