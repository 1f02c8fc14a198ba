"""Measuring a workload: how long a call would take, then each backend, then what follows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import psutil  # type: ignore[import-untyped]  # it has no annotations
import torch
from torch import Tensor

from inspect_cost.calls.call import Call
from inspect_cost.measuring.backends import load_backend
from inspect_cost.measuring.backends.outputs import (
    Difference,
    compare_outputs,
    compute_outputs,
)
from inspect_cost.measuring.backends.setup import Setup
from inspect_cost.measuring.backends.speedup import compute_speedup
from inspect_cost.measuring.derived import add_derived
from inspect_cost.measuring.estimate import estimate_energy
from inspect_cost.measuring.measure import (
    BUDGET_S,
    WINDOWS,
    choose_budget_s,
    make_plan,
    measure_call,
)
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.memory.fresh import measure_memory
from inspect_cost.measuring.workload import Pilot, Workload
from inspect_cost.values.errors import MeasurementError, one_line
from inspect_cost.values.notes import Note
from inspect_cost.values.numbers import check_positive
from inspect_cost.values.progress import Progress, ignore_progress
from inspect_cost.values.quantity import Quantity
from inspect_cost.values.units import si

#: A call predicted to take longer than this, and than this many budgets, is not made.
PATIENCE_S = 180.0
PATIENCE_BUDGETS = 6
#: Share of the free memory that a call may take.
MEMORY_SHARE = 0.8
#: Backend -> what getting it ready means.
SETUPS = {
    "compile": "torch.compile with its first call",
    "onnxruntime": "export to ONNX and loading, with a first call",
}

#: Numbers of a request, and values that would do.
EXAMPLES = {
    "budget_s": "30",
    "until": "0.02",
    "threads": "2",
    "max_power_w": "95",
    "intensity": "0.05",
    "battery_wh": "15",
}


@dataclass(frozen=True)
class MeasureRequest:
    """What is asked of a measurement.

    Attributes:
        budget_s: seconds for each backend; None for the default.
        until: half-width of the confidence interval to reach, as a share of the value, or None.
        threads: CPU threads, or None for torch's choice.
        backends: names of those to use; the first is what others are compared with.
        memory: whether to measure the memory of a fresh process.
        estimate: whether to estimate the energy from maximum powers.
        max_power_w: maximum power of the chip, instead of a table's.
        intensity: carbon intensity of the grid in kgCO2e/kWh, or None for the default.
        battery_wh: capacity of a battery, or None.
    """

    budget_s: float | None = None
    until: float | None = None
    threads: int | None = None
    backends: tuple[str, ...] = ("eager",)
    memory: bool = True
    estimate: bool = False
    max_power_w: float | None = None
    intensity: float | None = None
    battery_wh: float | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that are none.

        Raises:
            UsageError: a number is nan, infinite, 0 or below.
        """
        for name, example in EXAMPLES.items():
            check_positive(name, getattr(self, name), example)

    def budget_on(self, device: str) -> float:
        """Return the seconds for each backend on a device."""
        if self.budget_s is not None:
            return self.budget_s
        return choose_budget_s(torch.device(device).type)


@dataclass(frozen=True)
class Prediction:
    """What a pilot says of the whole call.

    Attributes:
        call_s: expected seconds of one call; None if no pilot was needed.
        refusal: why the call is not made; None if it is.
    """

    call_s: float | None = None
    refusal: Note | None = None


def measure_with_backends(
    workload: Workload, request: MeasureRequest, progress: Progress = ignore_progress
) -> tuple[Measurement, ...]:
    """Measure a workload with each backend; one that fails gives a measurement that says why.

    Ctrl-C ends it: what was measured until then is kept, and the last of it is partial.
    """
    results: list[Measurement] = []
    try:
        for result in _measure_each(workload, request, progress):
            results.append(result)
            if result.partial:
                break
    except KeyboardInterrupt:
        if not results:
            reason = Note("interrupted", "Not measured: interrupted before a call was over.")
            return (Measurement(notes=(reason,), partial=True, device=workload.device),)
        results[-1] = replace(results[-1], partial=True)
    return tuple(results)


def _measure_each(
    workload: Workload, request: MeasureRequest, progress: Progress
) -> Iterator[Measurement]:
    try:
        prediction = predict_duration(workload, request)
        call = None if prediction.refusal else workload.make()
    except Exception as error:  # noqa: BLE001 - what fails here must not cost the count
        prediction, call = Prediction(refusal=_note_failure(error)), None
    if prediction.refusal is not None or call is None:
        notes = (prediction.refusal,) if prediction.refusal else ()
        backend = list_backends(workload, request)[0]
        yield Measurement(notes=notes, backend=backend, device=workload.device)
        return
    if _reports_its_steps(workload, request, prediction) and call.module is not None:
        call.module.progress = throttle(progress)  # type: ignore[assignment]  # any attribute
    yield from _measure_backends(workload, call, request, progress)


def _reports_its_steps(workload: Workload, request: MeasureRequest, prediction: Prediction) -> bool:
    """Return whether one call is so long that its own steps are the progress to show."""
    half_s = request.budget_on(workload.device) / 2
    return workload.stepwise and (prediction.call_s or 0.0) > half_s


def _measure_backends(
    workload: Workload, call: Call, request: MeasureRequest, progress: Progress
) -> Iterator[Measurement]:
    reference: list[Tensor] | None = None
    first: Measurement | None = None
    backends = list_backends(workload, request)
    for number, backend in enumerate(backends):
        difference, setup_s = None, None
        try:
            ready, setup_s = _prepare(workload, backend, call, request)
            if len(backends) > 1:
                outputs = compute_outputs(ready, request.threads)
                if reference is None:
                    reference = outputs
                else:
                    difference = compare_outputs(reference, outputs)
            part = partial(_report_part, progress, number, len(backends))
            result = _measure_one(workload, ready, backend, request, part)
        except Exception as error:  # noqa: BLE001 - nor the other backends' results
            result = Measurement(notes=(_note_failure(error),))
        result = replace(result, backend=backend, device=workload.device, setup_s=setup_s)
        result = _add_difference(result, difference)
        if first is not None:
            result = replace(result, speedup=compute_speedup(first, result))
        first = first or result
        yield result


def _add_difference(result: Measurement, difference: Difference | None) -> Measurement:
    """Return a measurement with how far its outputs are from the first backend's."""
    if difference is None:
        return result
    notes = result.notes
    if difference.remark:
        text = f"Outputs differ from the first backend's: {difference.remark}."
        notes = (*notes, Note("outputs-differ", text, "warning"))
    return replace(result, max_relative_difference=difference.relative, notes=notes)


def _report_part(progress: Progress, number: int, parts: int, done: float) -> None:
    progress((number + done) / parts)


def list_backends(workload: Workload, request: MeasureRequest) -> tuple[str, ...]:
    """Return the backends to use; "eager" stands for the workload's native one."""
    native = workload.native_backend
    return tuple(dict.fromkeys(native if b == "eager" else b for b in request.backends))


def _prepare(
    workload: Workload, backend: str, call: Call, request: MeasureRequest
) -> tuple[Call, Quantity | None]:
    """Return the call by a backend, and how long it took to get that ready."""
    if backend == workload.native_backend:
        return call, None
    if not call.by_torch:
        raise MeasurementError(f"{backend} takes a PyTorch model, not an ONNX file")
    if workload.stepwise:
        raise MeasurementError(
            f"{backend} would unroll every step of a model that goes sample by sample"
        )
    started = perf_counter()
    setup = Setup(workload.make, request.threads, request.budget_s or BUDGET_S["cpu"])
    ready = load_backend(backend)(call, setup)
    took_s = perf_counter() - started
    source = SETUPS.get(backend, f"getting {backend} ready")
    return ready, Quantity(took_s, "s", "measured", source)


def _measure_one(
    workload: Workload, call: Call, backend: str, request: MeasureRequest, progress: Progress
) -> Measurement:
    """Measure a call by one backend, and derive what follows."""
    native = backend == workload.native_backend
    plan_for = partial(make_plan, call.device.type, request.budget_s, request.until, WINDOWS, None)
    result = measure_call(
        call,
        threads=request.threads,
        sensors=None,
        plan_for=plan_for,
        make=workload.make if request.memory and native else None,
        progress=progress,
    )
    notes = result.notes
    if request.memory and not native:
        text = f"Memory is measured with {workload.native_backend} only."
        notes = (*notes, Note("memory-native-only", text))
    result = replace(result, output=workload.output, batch=workload.batch, notes=notes)
    if request.estimate:
        result = _add_estimate(result, request)
    return add_derived(result, request.intensity, request.battery_wh)


def _add_estimate(result: Measurement, request: MeasureRequest) -> Measurement:
    energy, why = estimate_energy(result, request.max_power_w)
    notes = (*result.notes, Note("no-estimate", why)) if why else result.notes
    return replace(result, estimated_energy_j=energy, notes=notes)


def predict_duration(workload: Workload, request: MeasureRequest) -> Prediction:
    """Predict the time of one call by the workload's pilot, and its memory if time allows one.

    The pilot's memory is measured unless the workload is stepwise, whose memory does not grow.
    """
    pilot = workload.pilot
    if pilot is None or pilot.ratio <= 1:
        return Prediction()
    pilot_s = time_call(pilot.make(), request.threads)
    call_s = pilot.ratio * pilot_s
    limit_s = max(PATIENCE_S, PATIENCE_BUDGETS * request.budget_on(workload.device))
    if call_s > limit_s:
        text = (
            f"Not measured: too long: one call would take about {format_duration(call_s)}, "
            f"at the rate of {pilot.description}."
        )
        return Prediction(call_s, Note("too-long", text))
    if workload.stepwise:
        return Prediction(call_s)
    return Prediction(call_s, _refuse_size(pilot, pilot_s, request.threads))


def time_call(call: Call, threads: int | None) -> float:
    """Return the seconds of one call, after another that warms up."""
    with call.inference(threads):
        call.run()
        call.synchronize()
        started = perf_counter()
        call.run()
        call.synchronize()
        return perf_counter() - started


def _refuse_size(pilot: Pilot, pilot_s: float, threads: int | None) -> Note | None:
    """Return why the whole call would not fit into memory; None if it does, or nobody knows."""
    memory, _ = measure_memory(pilot.make, threads, pilot_s, torch.get_num_threads())
    if memory is None or memory.rss_increase_b is None:
        return None
    needed_b = pilot.ratio * memory.rss_increase_b.value
    if needed_b <= MEMORY_SHARE * psutil.virtual_memory().available:
        return None
    text = (
        f"Not measured: too large: one call would take about {si(needed_b, 'B')} of memory, "
        f"at the rate of {pilot.description}."
    )
    return Note("too-large", text)


def _note_failure(error: Exception) -> Note:
    return Note("failed", f"Not measured: {one_line(error).rstrip('.')}.")


def format_duration(seconds: float) -> str:
    """Return a duration to two digits, in the unit that suits it."""
    for unit, length in (("years", 31_557_600), ("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{float(f'{seconds / length:.2g}'):,.6g} {unit}"
    return f"{seconds:.2g} s"


def throttle(
    progress: Progress, every_s: float = 1.0, now: Callable[[], float] = perf_counter
) -> Progress:
    """Limit progress updates to one in ``every_s``: drawing them would disturb the measurement."""
    last = now()

    def report(done: float) -> None:
        nonlocal last
        if (moment := now()) - last >= every_s:
            last = moment
            progress(done)

    return report
