"""What a sensor really does: its period, its steps, its power idle and under a known load."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from inspect_cost.measuring.sensors.protocol import EnergySensor, SensorError, subtract_j

#: Enough changes of a counter for a median of the times between them.
CHANGES = 20
#: No domain takes as much: what seems to is a counter that went backwards, taken for a wrap.
IMPLAUSIBLE_W = 20_000.0

#: (device, seconds) -> keeps the device busy for so long.
Load = Callable[[str, float], None]


@dataclass(frozen=True)
class Examined:
    """One sensor and what was found out about it; None is what could not be.

    Attributes:
        domain: what it covers: "package-0".
        source: where it is read.
        device: whose work it sees.
        range_j: where it starts again at 0.
        stated_period_s: how often its maker says that it advances.
        period_s: the median time between changes, as seen.
        resolution_j: the smallest step seen.
        read_s: how long one reading takes.
        idle_w: its power while this process slept.
        load_w: its power under the known load.
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


def examined(
    sensors: Sequence[EnergySensor], time_s: float, load: Load, progress: Callable[[float], None]
) -> tuple[Examined, ...]:
    """All sensors, in about so much time: a fifth polls them, the rest is half idle, half busy."""
    results = []
    for done, sensor in enumerate(sensors):
        progress(0.2 * done / len(sensors))
        results.append(poll(sensor, time_s / 5 / len(sensors)))
    progress(0.2)
    idle_w = powers(sensors, lambda: time.sleep(time_s * 0.4))
    results = [with_power(r, w, "idle_w") for r, w in zip(results, idle_w, strict=True)]
    devices = dict.fromkeys(sensor.device for sensor in sensors)
    for done, device in enumerate(devices):
        progress(0.6 + 0.4 * done / len(devices))
        busy = partial(load, device, time_s * 0.4 / len(devices))
        results = loaded(sensors, results, device, busy)
    return tuple(map(judged, results))


def loaded(
    sensors: Sequence[EnergySensor],
    results: Sequence[Examined],
    device: str,
    busy: Callable[[], None],
) -> list[Examined]:
    """The results with the power of one device's sensors while that device was busy."""
    own = [result.device == device for result in results]
    try:
        load_w = powers(sensors, busy)
    except RuntimeError as error:  # torch's word for a device that it lacks or that is full
        note = f"the known load does not run on {device}: {str(error).partition(chr(10))[0]}"
        return [
            replace(r, notes=(*r.notes, note)) if mine else r
            for r, mine in zip(results, own, strict=True)
        ]
    return [
        with_power(r, w, "load_w") if mine else r
        for r, w, mine in zip(results, load_w, own, strict=True)
    ]


def poll(sensor: EnergySensor, time_s: float) -> Examined:
    """Read a sensor until it has changed often enough, or the time is over."""
    result = Examined(sensor.domain, sensor.source, sensor.device, sensor.range_j, sensor.period_s)
    try:
        changes, readings, took_s = changes_of(sensor, time_s)
        result = replace(result, read_s=took_s / readings)
        steps_j = [subtract_j(sensor, a, b) for (_, a), (_, b) in pairwise(changes)]
    except SensorError as error:
        return replace(result, fault=str(error))
    if not steps_j:
        return replace(result, fault=f"its counter did not move within {took_s:.2g} s")
    if max(steps_j) > IMPLAUSIBLE_W * took_s:
        return replace(result, fault="its counter went backwards")
    # The first change came somewhere within a period.
    gaps_s = [b - a for (a, _), (b, _) in pairwise(changes[1:])]
    period_s = statistics.median(gaps_s) if gaps_s else None
    return replace(result, period_s=period_s, resolution_j=min(steps_j))


def changes_of(sensor: EnergySensor, time_s: float) -> tuple[list[tuple[float, float]], int, float]:
    """((moment, counter) at each change, how many readings, in how much time)."""
    began = time.perf_counter()
    end = began + max(time_s, 5 * sensor.period_s)
    changes, readings, now = [(began, sensor.read_j())], 1, began
    while now < end and len(changes) < CHANGES:
        energy_j, now = sensor.read_j(), time.perf_counter()
        readings += 1
        if energy_j != changes[-1][1]:
            changes.append((now, energy_j))
    return changes, readings, now - began


def powers(sensors: Sequence[EnergySensor], work: Callable[[], None]) -> list[float | SensorError]:
    """Each sensor's mean power while some work was done, or why it is not known."""
    began, before = time.perf_counter(), [reading(sensor) for sensor in sensors]
    work()
    took_s, after = time.perf_counter() - began, [reading(sensor) for sensor in sensors]
    return [power(s, a, b, took_s) for s, a, b in zip(sensors, before, after, strict=True)]


def reading(sensor: EnergySensor) -> float | SensorError:
    """The counter, or why not."""
    try:
        return sensor.read_j()
    except SensorError as error:
        return error


def power(
    sensor: EnergySensor, before: float | SensorError, after: float | SensorError, took_s: float
) -> float | SensorError:
    """The mean power between two readings, or why it is not known."""
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


def with_power(result: Examined, found: float | SensorError, name: str) -> Examined:
    """The result with a power, or with the fault that prevented it."""
    if result.fault:
        return result
    if isinstance(found, SensorError):
        return replace(result, fault=str(found))
    return replace(result, **{name: found})  # type: ignore[arg-type] # a power's field


def judged(result: Examined) -> Examined:
    """With the self-test's outcome: a load must be seen."""
    if result.idle_w is None or result.load_w is None or result.load_w > result.idle_w:
        return result
    note = (
        f"the known load was not seen: {result.load_w:.3g} W busy, {result.idle_w:.3g} W idle; "
        "something else runs here, or the counter does not cover this device"
    )
    return replace(result, notes=(*result.notes, note))
