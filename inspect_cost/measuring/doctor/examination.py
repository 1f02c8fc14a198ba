"""Examination of sensors: their period, steps, and power when idle and under a known load."""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from inspect_cost.measuring.doctor.comparison import PowerSensor, Recorder, compare_opinions
from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.protocol.counter import (
    Reading,
    TrackedCounter,
    name_domains,
    track_sensors,
)
from inspect_cost.measuring.protocol.meter import MOST_FAILURES, Meter
from inspect_cost.measuring.sensors.protocol import EnergySensor, SensorError
from inspect_cost.values.errors import one_line

#: Enough changes of a counter for a median of the times between them.
CHANGES = 20

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
    names = name_domains([sensor.domain for sensor in sensors])
    subjects = [Subject(s, Meter([s]), n) for s, n in zip(sensors, names, strict=True)]
    results = []
    for done, subject in enumerate(subjects):
        progress(0.2 * done / len(subjects))
        results.append(replace(subject.poll(time_s / 5 / len(subjects)), domain=subject.name))
    progress(0.2)
    results = measure_idle(subjects, results, time_s * 0.4)
    devices = dict.fromkeys(sensor.device for sensor in sensors)
    for done, device in enumerate(devices):
        progress(0.6 + 0.4 * done / len(devices))
        busy = partial(load, device, time_s * 0.4 / len(devices))
        results = measure_load(subjects, results, device, busy)
    for subject in subjects:
        subject.meter.close()
    return tuple(map(check_load, results))


@dataclass(frozen=True)
class Subject:
    """A sensor under examination.

    Attributes:
        sensor: the sensor.
        meter: reads it, and it alone, so that one that fails costs no other.
        name: its domain; no other subject has this name.
    """

    sensor: EnergySensor
    meter: Meter
    name: str

    def poll(self, time_s: float) -> Examination:
        """Read it until it has changed often enough, or the time is up."""
        return poll_sensor(self.sensor, time_s)

    def record(self) -> Recorder | None:
        """Return what samples its power beside its counter; None if it reads no power."""
        if not isinstance(self.sensor, PowerSensor):
            return None
        return Recorder(self.sensor, track_sensors([self.sensor], Clock())[0])


def measure_idle(
    subjects: Sequence[Subject], results: Sequence[Examination], time_s: float
) -> list[Examination]:
    """Return the results with the power of all sensors while this process slept."""
    before = [subject.meter.read() for subject in subjects]
    recorders = run_recorded(subjects, partial(time.sleep, time_s))
    after = [subject.meter.read() for subject in subjects]
    results = list(results)
    for n, subject in enumerate(subjects):
        consumed = subject.meter.compute_consumption(before[n], after[n])
        power_w = sum(consumed.power_w.values()) if consumed else None
        results[n] = add_power(results[n], subject, power_w, "idle_w")
        results[n] = add_opinions(results[n], recorders[n], "idle")
    return results


def measure_load(
    subjects: Sequence[Subject],
    results: Sequence[Examination],
    device: str,
    busy: Callable[[], None],
) -> list[Examination]:
    """Return the results with the power of one device's sensors while that device was busy."""
    results = list(results)
    own = [n for n, subject in enumerate(subjects) if subject.sensor.device == device]
    loaded = [subjects[n] for n in own]
    before = [subject.meter.read_before_work() for subject in loaded]
    began_s = time.perf_counter()
    try:
        recorders = run_recorded(loaded, busy)
    except RuntimeError as error:  # what torch raises for a device that it lacks or that is full
        note = f"the known load does not run on {device}: {one_line(error)}"
        for n in own:
            results[n] = replace(results[n], notes=(*results[n].notes, note))
        return results
    took_s = time.perf_counter() - began_s
    after = [subject.meter.read_after_work() for subject in loaded]
    for place, n in enumerate(own):
        meter, idle_w = loaded[place].meter, results[n].idle_w
        consumed = meter.compute_consumption(before[place], after[place])
        around_w = None if idle_w is None else {loaded[place].sensor.domain: idle_w}
        energy_j = meter.attribute_to_work(consumed, took_s, around_w)
        power_w = sum(energy_j.values()) / took_s if energy_j else None
        results[n] = add_power(results[n], loaded[place], power_w, "load_w")
        results[n] = add_opinions(results[n], recorders[place], "under load")
    return results


def run_recorded(subjects: Sequence[Subject], work: Callable[[], None]) -> list[Recorder | None]:
    """Do some work, and return what was sampled of the sensors that read power too."""
    recorders = [subject.record() for subject in subjects]
    with ExitStack() as running:
        for recorder in recorders:
            if recorder is not None:
                running.enter_context(recorder)
        work()
    return recorders


def poll_sensor(sensor: EnergySensor, time_s: float) -> Examination:
    """Read a sensor until it has changed often enough, or the time is up."""
    result = Examination(
        sensor.domain, sensor.source, sensor.device, sensor.range_j, sensor.period_s
    )
    counter = track_sensors([sensor], Clock())[0]
    try:
        changes, readings, took_s = record_changes(counter, time_s)
    except SensorError as error:
        return replace(result, fault=str(error))
    result = replace(result, read_s=took_s / readings)
    if counter.fault:
        return replace(result, fault=counter.fault)
    if len(changes) == 1:
        return replace(result, fault=f"its counter did not move within {took_s:.2g} s")
    # The first step came somewhere within a period, so the time up to it says nothing.
    gaps_s = [b.moment_s - a.moment_s for a, b in pairwise(changes[1:])]
    steps_j = [b.total_j - a.total_j for a, b in pairwise(changes)]
    period_s = statistics.median(gaps_s) if gaps_s else None
    return replace(result, period_s=period_s, resolution_j=min(steps_j))


def record_changes(counter: TrackedCounter, time_s: float) -> tuple[list[Reading], int, float]:
    """Return a reading at each change of a counter, the number of readings and their duration."""
    changes, readings = [read_patiently(counter)], 1
    latest = changes[0]
    end_s = latest.moment_s + max(time_s, 5 * counter.period_s)
    while latest.moment_s < end_s and len(changes) < CHANGES and not counter.fault:
        latest = read_patiently(counter)
        readings += 1
        if latest.total_j != changes[-1].total_j:
            changes.append(latest)
    return changes, readings, latest.moment_s - changes[0].moment_s


def read_patiently(counter: TrackedCounter) -> Reading:
    """Read a counter; a few failures in a row are no fault of it.

    Raises:
        SensorError: it fails again and again.
    """
    for _ in range(MOST_FAILURES - 1):
        with suppress(SensorError):
            return counter.read()
    return counter.read()


def add_power(
    result: Examination, subject: Subject, power_w: float | None, name: str
) -> Examination:
    """Return the result with a power, or with the fault that prevented it."""
    if result.fault:
        return result
    if power_w is None:
        return replace(result, fault=subject.meter.reason or subject.meter.fault)
    return replace(result, **{name: power_w})  # type: ignore[arg-type] # a power's field


def add_opinions(result: Examination, recorder: Recorder | None, when: str) -> Examination:
    """Return the result with a note if the sensor's counter and its power disagree."""
    opinions = compare_opinions(recorder.samples) if recorder else None
    note = opinions.describe(when) if opinions else None
    return replace(result, notes=(*result.notes, note)) if note else result


def check_load(result: Examination) -> Examination:
    """Return the result with a note if the known load did not raise its power."""
    if result.idle_w is None or result.load_w is None or result.load_w > result.idle_w:
        return result
    note = (
        f"the known load was not seen: {result.load_w:.3g} W busy, {result.idle_w:.3g} W idle; "
        "something else is running, or the counter does not cover this device"
    )
    return replace(result, notes=(*result.notes, note))
