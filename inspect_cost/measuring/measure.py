"""`measure`: energy, latency and memory of one inference, each with its confidence interval."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from math import inf
from numbers import Integral, Real
from typing import Any

import torch

from inspect_cost.calls.arguments import share_keywords
from inspect_cost.calls.call import Call, check_arguments
from inspect_cost.calls.function import FunctionModule
from inspect_cost.measuring.fresh_process import MakeCall
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.memory.fresh import measure_memory
from inspect_cost.measuring.memory.memory import Memory
from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.protocol.disturbance import ForeignLoad, read_foreign_cpu_s
from inspect_cost.measuring.protocol.meter import Meter
from inspect_cost.measuring.protocol.run import Plan, run_protocol
from inspect_cost.measuring.protocol.summary import summarize
from inspect_cost.measuring.protocol.window import Bench, Work
from inspect_cost.measuring.sensors.discovery import find_sensors
from inspect_cost.measuring.sensors.protocol import EnergySensor, Sensors
from inspect_cost.values.errors import InspectCostError, MeasurementError, UsageError, one_line
from inspect_cost.values.notes import Note
from inspect_cost.values.progress import Progress, ignore_progress
from inspect_cost.values.units import parse_share

#: Device type -> seconds of measuring, unless told otherwise.
BUDGET_S = {"cpu": 30.0, "gpu": 60.0}
WINDOWS = 10
#: Length of a window if no sensor asks for a longer one.
LATENCY_WINDOW_S = 0.5
#: Longest random pause between windows on a GPU, whose sensor samples at fixed moments.
GPU_DELAY_S = 0.3

AnySensors = Sensors | Iterable[EnergySensor]


@share_keywords
def measure(
    target: Call | Callable[..., Any],
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
    progress: Progress = ignore_progress,
    **kwargs: Any,
) -> Measurement:
    """Measure what one call of a model takes: energy, power, latency, memory.

    The call is made again and again, as an inference (`eval`, no gradients), in windows between
    two readings of the energy counters, with idle time before and after each. Afterwards the
    model's modes, the number of threads and torch's random states are as before; arguments are
    copied. What the model's forward changes in it stays changed.

    An option below that is also a parameter of the function is never guessed at: pass the
    function's own argument in a call,
    ``measure(inspect_cost.Call.of(model, x, device=...), device="cuda")``.

    Args:
        target: a module, a bound method of one such as ``model.generate``, a function, a
            `functools.partial`, or an `inspect_cost.Call`. Modules that a function refers to are
            put in eval mode too.
        *args: arguments of the call; none beside a `Call`, which has its own.
        device: "cpu", "cuda", "cuda:1"; a model that is elsewhere is copied there. Where the model
            is, unless given.
        dtype: type of a copy's floating parameters, and of float32 arguments.
        threads: CPU threads; torch's choice unless given.
        sensors: energy counters to read; all that this machine has for the device unless given,
            none if empty.
        measure_time_s: seconds that it may take, one whole call at least; 30, or 60 on a GPU,
            unless given.
        until_ci: stop once the half-width of the 95 % confidence interval of the energy (without a
            sensor: of the latency) is below this share of the value: 0.02, or "2%".
        windows: how many windows at least.
        window_s: seconds that each lasts; what the slowest sensor recommends unless given.
        peak_memory: whether to run the call in a fresh process too, to see its memory.
        progress: called with the share that is done, from 0 to 1.
        **kwargs: keyword arguments of the call.

    Returns:
        The measurement; what is unknown is None in it, and ``notes`` says why. Ctrl-C ends it
        early: what was measured until then is returned, as ``partial``.

    Raises:
        UsageError: an option is impossible or may be meant for the function, the arguments do not
            fit it, or the model has no values (it is on "meta").
        MeasurementError: the call itself fails.
    """
    given = target if isinstance(target, Call) else Call.of(target, *args, **kwargs)
    _check_numbers(Real, {"measure_time_s": measure_time_s, "window_s": window_s})
    _check_numbers(Integral, {"threads": threads, "windows": windows})
    prepare = partial(prepare_call, given, device, dtype)
    call = prepare()
    plan_for = partial(
        make_plan,
        call.device.type,
        measure_time_s,
        parse_precision(until_ci),
        windows,
        window_s,
    )
    return measure_call(
        call,
        threads=threads,
        sensors=sensors,
        plan_for=plan_for,
        make=prepare if peak_memory else None,
        progress=progress,
    )


def _check_numbers(kind: Any, given: Mapping[str, Any]) -> None:
    """Refuse options that are not positive numbers of a kind, or not finite."""
    what = "a whole number" if kind is Integral else "a number"
    for name, value in given.items():
        if value is not None and not (isinstance(value, kind) and 0 < value < inf):
            raise UsageError(
                f"`{name}` is {value!r}, which is not {what} above 0",
                "Give, for example, 10.",
                field=name,
            )


def prepare_call(
    call: Call, device: str | torch.device | None = None, dtype: torch.dtype | str | None = None
) -> Call:
    """Return a call on a device and in a type; modules that a plain function refers to go along.

    Raises:
        UsageError: the arguments do not fit, or as `Call.to`.
    """
    check_arguments(call)
    wrapped = call.as_module() if call.module is None else call
    if isinstance(wrapped.module, FunctionModule) and wrapped.module.refers:
        call = wrapped  # modules among the arguments, too
    return call.to(device, dtype)


def measure_call(
    call: Call,
    *,
    threads: int | None,
    sensors: AnySensors | None,
    plan_for: Callable[[Meter], Plan],
    make: MakeCall | None,
    progress: Progress = ignore_progress,
    clock: Clock | None = None,
    foreign: ForeignLoad = read_foreign_cpu_s,
) -> Measurement:
    """Measure a call that is ready, as `measure` does.

    Args:
        call: what is measured.
        threads: CPU threads.
        sensors: energy counters, as in `measure`.
        plan_for: makes the plan, given the energy counters.
        make: makes the call anew in a fresh process; None leaves memory unmeasured.
        progress: called with the share that is done.
        clock: source of time.
        foreign: reads the cumulative CPU seconds of other processes.
    """
    found = choose_sensors(sensors, *call.devices)
    clock = clock or Clock()
    meter = Meter(found.usable, clock)
    direct = without_wrapper(call)
    bench = Bench(Work(direct.run, direct.synchronize), meter, clock, foreign)
    plan = plan_for(meter)
    memory: Memory | None = None
    memory_notes: tuple[Note, ...] = ()

    def look_at_memory(call_s: float) -> None:
        nonlocal memory, memory_notes
        memory, memory_notes = _try_memory(make, threads, call_s, plan)

    with call.inference(threads):
        used_threads = torch.get_num_threads()
        try:
            record = run_protocol(bench, plan, progress, look_at_memory)
        except InspectCostError:
            raise
        except Exception as error:
            raise MeasurementError(
                f"the call failed: {one_line(error)}", "Fix it, or give other inputs."
            ) from error
        finally:
            meter.close()
    summary = summarize(record, meter, plan)
    return replace(
        summary,
        memory=memory,
        notes=(*list_missing_sensors(found), *summary.notes, *memory_notes),
        device=str(call.device),
        dtype=call.dtype,
        threads=used_threads,
    )


def without_wrapper(call: Call) -> Call:
    """Return a plain function's call without the module around it, which takes time of its own."""
    if isinstance(call.function, FunctionModule):
        args, kwargs = call.function.give_arguments(call.args, call.kwargs)
        return replace(call, function=call.function.bound, args=args, kwargs=kwargs)
    return call


def make_plan(
    device_type: str,
    measure_time_s: float | None,
    until_ci: float | None,
    windows: int,
    window_s: float | None,
    meter: Meter,
) -> Plan:
    """Return what to do with these counters in this time."""
    budget_s = choose_budget_s(device_type) if measure_time_s is None else measure_time_s
    recommended = max((s.recommended_window_s for s in meter.sensors), default=LATENCY_WINDOW_S)
    length_s = recommended if window_s is None else window_s
    delay_s = 0.0 if device_type == "cpu" else GPU_DELAY_S
    return Plan(budget_s, windows, length_s, until_ci, delay_s)


def choose_budget_s(device_type: str) -> float:
    """Return the seconds of measuring on a type of device: "cpu", "cuda", "mps"."""
    return BUDGET_S["cpu" if device_type == "cpu" else "gpu"]


def parse_precision(text: float | str | None) -> float | None:
    """Return the half-width of an interval as a share of its value, from 0.02 or "2%".

    Raises:
        UsageError: it is not a share between 0 and 1.
    """
    try:
        return None if text is None else parse_share(str(text))
    except ValueError as error:
        raise UsageError(f"`until_ci`: {error}", "Write 0.02, or 2%.", field="until_ci") from None


def choose_sensors(sensors: AnySensors | None, *devices: torch.device) -> Sensors:
    """Return the sensors given, or all that this machine has for some devices.

    Raises:
        UsageError: something given is not a sensor.
    """
    if sensors is None:
        return find_sensors(*map(str, devices))
    if isinstance(sensors, Sensors):
        return sensors
    given = tuple(sensors) if isinstance(sensors, Iterable) else (sensors,)
    for each in given:
        if not isinstance(each, EnergySensor):
            raise UsageError(
                f"`sensors`: {each!r} is not an energy sensor",
                "Give a list of EnergySensors.",
                field="sensors",
            )
    return Sensors(given)


def list_missing_sensors(found: Sensors) -> tuple[Note, ...]:
    """Return why there is no energy, and how to get a sensor; or which counters are not read."""
    refused = [each for each in found.unavailable if each.status == "refused"]
    if found.usable:
        return tuple(
            Note("not-read", f"Not read: {each.source}: {each.reason}.", "warning")
            for each in refused
        )
    named = next(iter([*refused, *found.unavailable]), None)
    reason = f" ({named.source}: {named.reason})" if named else ""
    return (
        Note(
            "no-sensor",
            f"No energy: no sensor{reason}; inspect-cost doctor says how to get one.",
        ),
    )


def _try_memory(
    make: MakeCall | None, threads: int | None, call_s: float, plan: Plan
) -> tuple[Memory | None, tuple[Note, ...]]:
    """Return the memory of one call if a run of its own fits into the time; else None, and why."""
    if make is None:
        return None, ()
    if call_s > plan.budget_s / 2:
        text = (
            f"No memory: the first call took {call_s:.3g} s, too long to repeat in a fresh process "
            f"in the {plan.budget_s:.3g} s given."
        )
        return None, (Note("no-memory", text),)
    # Windows keep half of the time.
    limit_s = plan.budget_s / 2
    memory, why = measure_memory(make, threads, call_s, torch.get_num_threads(), limit_s)
    return memory, (Note("no-memory", f"No memory: {why}."),) if why else ()
