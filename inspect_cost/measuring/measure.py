"""`measure`: energy, latency and memory of one inference, each with its confidence interval."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from math import inf
from numbers import Integral, Real
from typing import Any

import torch
from torch import nn

from inspect_cost.calls.target import Target, target
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.memory.fresh import Make, measure_memory
from inspect_cost.measuring.memory.memory import Memory
from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.protocol.disturbance import ForeignLoad, read_foreign_cpu_s
from inspect_cost.measuring.protocol.meter import Meter
from inspect_cost.measuring.protocol.run import Plan, Progress, run_protocol
from inspect_cost.measuring.protocol.summary import summarize
from inspect_cost.measuring.protocol.window import Bench
from inspect_cost.measuring.sensors.discovery import find_sensors
from inspect_cost.measuring.sensors.protocol import EnergySensor, Sensors
from inspect_cost.values.errors import InspectCostError, MeasurementError, UsageError
from inspect_cost.values.units import parse_share

BUDGET_S = {"cpu": 30.0, "cuda": 60.0}
WINDOWS = 10
#: Of a window where no sensor asks for more.
LATENCY_WINDOW_S = 0.5
#: Between windows on a GPU, whose sensor samples at fixed moments.
GPU_DELAY_S = 0.3

AnySensors = Sensors | Iterable[EnergySensor]


def measure(
    model: nn.Module | Callable[..., Any],
    /,
    *args: Any,
    device: str | torch.device | None = None,
    dtype: torch.dtype | str | None = None,
    threads: int | None = None,
    sensors: AnySensors | None = None,
    measure_time_s: float | None = None,
    until_ci: float | str | None = None,
    windows: int = WINDOWS,
    window_s: float | None = None,
    peak_memory: bool = True,
    progress: Progress = lambda _done: None,
    **kwargs: Any,
) -> Measurement:
    """Measure what one call of a model takes: energy, power, latency, memory.

    The model is run again and again, as an inference (`eval`, no gradients), in windows between
    two readings of the energy counters, with idle time before and after each. Its mode, its
    gradients' flags, the number of threads and torch's random states are as before afterwards;
    arguments are copied. What its forward changes in it is changed.

    A call's own keyword of one of these names is bound before:
    ``measure(functools.partial(model, device=...))``.

    Args:
        model: a module, a bound method of one such as ``model.generate``, or any callable.
        *args: the call's arguments.
        device: "cpu", "cuda", "cuda:1"; a copy of a model that is elsewhere is moved there. Where
            the model is, unless given.
        dtype: of a copy's parameters, and of float32 inputs.
        threads: of the CPU; torch's choice unless given.
        sensors: the energy counters to read; all that this machine has for the device unless
            given, none if empty.
        measure_time_s: bounds the time, but for one whole call; 30 s, or 60 s on a GPU.
        until_ci: go on until the 95 % confidence interval of the energy (without a sensor: of the
            latency) is at most so much to each side: 0.02, or "2%".
        windows: how many at least.
        window_s: how long each lasts; what the slowest sensor recommends unless given.
        peak_memory: run it in a fresh process too, to see what memory it takes.
        progress: is told how far it is, from 0 to 1.
        **kwargs: the call's keyword arguments.

    Returns:
        The measurement; what is not known is None in it, and ``notes`` says why. Ctrl-C ends it
        early: what was measured until then is returned, as ``partial``.

    Raises:
        UsageError: an argument is impossible, or the model has no values (it is on "meta").
        MeasurementError: the call itself fails.
    """
    _check_numbers(measure_time_s=measure_time_s, window_s=window_s)
    _check_numbers(Integral, threads=threads, windows=windows)
    measured = target(model, args, kwargs, device, dtype)
    return measured_target(
        measured,
        threads=threads,
        sensors=sensors,
        plan_of=partial(
            planned,
            measured.device.type,
            measure_time_s,
            parsed_precision(until_ci),
            windows,
            window_s,
        ),
        make=partial(_itself, measured) if peak_memory else None,
        progress=progress,
    )


def _check_numbers(kind: Any = Real, /, **given: Any) -> None:
    """Refuse what is no number above 0, or no whole one, where something is given."""
    what = "whole number" if kind is Integral else "number"
    for name, value in given.items():
        if value is not None and not (isinstance(value, kind) and 0 < value < inf):
            raise UsageError(f"{name}={value!r} is no {what} above 0", "Give, for example, 10.")


def measured_target(
    measured: Target,
    *,
    threads: int | None,
    sensors: AnySensors | None,
    plan_of: Callable[[Meter], Plan],
    make: Make | None,
    progress: Progress = lambda _done: None,
    clock: Clock | None = None,
    foreign: ForeignLoad = read_foreign_cpu_s,
) -> Measurement:
    """As `measure`, of a call that is ready.

    Args:
        measured: the call.
        threads: of the CPU.
        sensors: as in `measure`.
        plan_of: from the energy counters to what is to be done.
        make: makes the call anew in a fresh process; None leaves memory unmeasured.
        progress: is told how far it is.
        clock: where time comes from.
        foreign: cumulative CPU seconds of other processes.
    """
    found = chosen_sensors(sensors, measured.device)
    meter = Meter(found.usable)
    bench = Bench(measured.work, meter, clock or Clock(), foreign)
    plan = plan_of(meter)
    memory, why = None, ""

    def look_at_memory(call_s: float) -> None:
        nonlocal memory, why
        memory, why = _memory(make, threads, call_s, plan)

    with measured.inference(threads):
        used_threads = torch.get_num_threads()
        try:
            record = run_protocol(bench, plan, progress, look_at_memory)
        except InspectCostError:
            raise
        except Exception as error:
            raise _failure(error) from error
    summary = summarize(record, meter, plan)
    return replace(
        summary,
        memory=memory,
        notes=(*missing_sensor(found), *summary.notes, *([why] if why else [])),
        device=str(measured.device),
        dtype=measured.dtype,
        threads=used_threads,
    )


def planned(
    device_type: str,
    measure_time_s: float | None,
    until: float | None,
    windows: int,
    window_s: float | None,
    meter: Meter,
) -> Plan:
    """What to do with these counters in this time.

    Raises:
        UsageError: a figure is not positive.
    """
    budget_s = BUDGET_S[device_type] if measure_time_s is None else measure_time_s
    recommended = max((s.recommended_window_s for s in meter.sensors), default=LATENCY_WINDOW_S)
    length_s = recommended if window_s is None else window_s
    if not (budget_s > 0 and windows > 0 and length_s > 0):
        raise UsageError(
            "a measurement needs a time, a number of windows and their length above 0",
            "Give, for example, measure_time_s=30.",
        )
    delay_s = GPU_DELAY_S if device_type == "cuda" else 0.0
    return Plan(budget_s, windows, length_s, until, delay_s)


def parsed_precision(text: float | str | None) -> float | None:
    """Half a confidence interval as a share of the value: 0.02, or "2%".

    Raises:
        UsageError: it is no share between 0 and 1.
    """
    try:
        return None if text is None else parse_share(str(text))
    except ValueError as error:
        raise UsageError(f"until_ci: {error}", "Write 2%, or 0.02.") from None


def chosen_sensors(sensors: AnySensors | None, device: torch.device) -> Sensors:
    """Those given, or all that this machine has for a device.

    Raises:
        UsageError: what is given is no sensor.
    """
    if sensors is None:
        return find_sensors(str(device))
    if isinstance(sensors, Sensors):
        return sensors
    given = tuple(sensors) if isinstance(sensors, Iterable) else (sensors,)
    for each in given:
        if not isinstance(each, EnergySensor):
            raise UsageError(f"{each!r} is no energy sensor", "Give a list of EnergySensors.")
    return Sensors(given)


def missing_sensor(found: Sensors) -> tuple[str, ...]:
    """In one line each: why there is no energy and how to get a sensor, or what is not read."""
    refused = [each for each in found.unavailable if each.status == "refused"]
    if found.usable:
        return tuple(f"Not read: {each.source}: {each.reason}." for each in refused)
    told = next(iter([*refused, *found.unavailable]), None)
    reason = f" ({told.source}: {told.reason})" if told else ""
    return (f"No energy: no sensor{reason}; inspect-cost doctor says how to get one.",)


def _itself(measured: Target) -> Target:
    return measured


def _memory(
    make: Make | None, threads: int | None, call_s: float, plan: Plan
) -> tuple[Memory | None, str]:
    """Memory of one call, if a run of its own fits into the time; else None, and why."""
    if make is None:
        return None, ""
    if call_s > plan.budget_s / 2:
        return None, (
            f"No memory: a call takes {call_s:.3g} s, too long to repeat in a fresh process in "
            f"the {plan.budget_s:.3g} s given."
        )
    memory, why = measure_memory(make, threads, call_s, torch.get_num_threads())
    return memory, f"No memory: {why}." if why else ""


def _failure(error: Exception) -> MeasurementError:
    first = str(error).strip().partition("\n")[0]
    return MeasurementError(
        f"the call failed: {type(error).__name__}: {first}", "Mend it, or give other inputs."
    )
