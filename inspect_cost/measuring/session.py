"""Measuring what a user named: how long it would take, each backend, what follows from it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import psutil  # type: ignore[import-untyped]  # it has no annotations
import torch
from torch import Tensor

from inspect_cost.calls.target import Target
from inspect_cost.measuring.backends import BACKENDS, Setup, max_relative_difference, outputs
from inspect_cost.measuring.derived import add_derived
from inspect_cost.measuring.estimate import estimate_energy
from inspect_cost.measuring.measure import BUDGET_S, WINDOWS, measured_target, planned
from inspect_cost.measuring.measurement import Measurement, make_unmeasured
from inspect_cost.measuring.memory.fresh import measure_memory
from inspect_cost.subjects.workload import PresetWorkload, Workload
from inspect_cost.values.errors import InspectCostError, MeasurementError
from inspect_cost.values.units import si

#: A call that takes longer than this, and than this many budgets, is not waited for.
PATIENCE_S = 180.0
PATIENCE_BUDGETS = 6
#: More audio than this is tried in short first; so is all that goes sample by sample.
LONG_AUDIO_S = 10.0
PILOT_SAMPLES = 512
#: A share of the free memory that a call may take.
MEMORY_SHARE = 0.8
#: Getting a backend ready is worth a note from so long on.
NOTABLE_S = 5.0

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Request:
    """What is asked of a measurement.

    Attributes:
        budget_s: its time, for each backend; None for the default.
        until: the precision to reach, or None.
        threads: of the CPU, or None.
        backends: which, the first being the one that others are compared with.
        memory: whether to measure what a fresh process takes of it.
        estimate: whether to estimate the energy from maximum powers.
        max_power_w: of the chip, instead of a table's.
        intensity: of the grid in kgCO2e/kWh, or None for the default.
        battery_wh: of a battery, or None.
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


def measured(
    workload: Workload, request: Request, progress: Progress = lambda _done: None
) -> tuple[Measurement, ...]:
    """Measure a workload with each backend; one that fails gives a measurement that says why.

    Ctrl-C ends it: what was measured until then is kept, and the last of it is partial.
    """
    results: list[Measurement] = []
    try:
        for result in _measured(workload, request, progress):
            results.append(result)
            if result.partial:
                break
    except KeyboardInterrupt:
        if not results:
            nothing = make_unmeasured("interrupted before a call was over.")
            return (replace(nothing, partial=True, device=workload.conditions.device),)
        results[-1] = replace(results[-1], partial=True)
    return tuple(results)


def _measured(workload: Workload, request: Request, progress: Progress) -> Iterator[Measurement]:
    device = torch.device(workload.conditions.device).type
    budget_s = BUDGET_S[device] if request.budget_s is None else request.budget_s
    try:
        expected_s, reason = foreseen(workload, budget_s, request.threads)
        target = None if reason else workload.target()
    except Exception as error:  # noqa: BLE001 - what fails here must not cost the count
        reason, target = in_one_line(error), None
    if target is None:
        yield make_unmeasured(f"{reason}.", device=workload.conditions.device)
        return
    if workload.stepwise and expected_s > budget_s / 2 and target.module is not None:
        told = throttled(progress)
        target.module.progress = told  # type: ignore[assignment]  # a Module takes any attribute
    yield from _each_backend(workload, target, request, progress)


def _each_backend(
    workload: Workload, target: Target, request: Request, progress: Progress
) -> Iterator[Measurement]:
    reference: list[Tensor] | None = None
    backends = run_by(workload, request.backends)
    several = len(backends)
    for number, backend in enumerate(backends):
        told = partial(_told, progress, number, several)
        difference = None
        try:
            ready, note = _ready(workload, backend, target, request)
            if several > 1:
                given = outputs(ready, request.threads)
                if reference is None:
                    reference = given
                else:
                    difference = max_relative_difference(reference, given)
            result = _one(workload, ready, backend, request, told)
            result = replace(result, notes=(*result.notes, *note))
        except Exception as error:  # noqa: BLE001 - nor the other backends' results
            result = make_unmeasured(f"{in_one_line(error)}.")
        yield replace(
            result,
            backend=backend,
            device=workload.conditions.device,
            max_relative_difference=difference,
        )


def _told(progress: Progress, number: int, several: int, done: float) -> None:
    progress((number + done) / several)


def run_by(workload: Workload, backends: Sequence[str]) -> tuple[str, ...]:
    """The backends asked for; "eager", as it is, is onnxruntime for a file that is ONNX already."""
    return tuple(dict.fromkeys(workload.given_to if b == "eager" else b for b in backends))


def _ready(
    workload: Workload, backend: str, target: Target, request: Request
) -> tuple[Target, tuple[str, ...]]:
    """The call by a backend, and what there is to say of how it was made."""
    if backend == workload.given_to:
        return target, ()
    if not target.by_torch:
        raise MeasurementError(f"{backend} takes a PyTorch model, not an ONNX file")
    if workload.stepwise:
        raise MeasurementError(
            f"{backend} would unroll every step of a model that goes sample by sample"
        )
    started = perf_counter()
    setup = Setup(workload.target, request.threads, request.budget_s or BUDGET_S["cpu"])
    ready = BACKENDS[backend](target, setup)
    took_s = perf_counter() - started
    known = f"Getting {backend} ready took {in_words(took_s)}, which no figure includes."
    return ready, (known,) if took_s > NOTABLE_S else ()


def _one(
    workload: Workload, ready: Target, backend: str, request: Request, progress: Progress
) -> Measurement:
    result = measured_target(
        ready,
        threads=request.threads,
        sensors=None,
        plan_of=partial(planned, ready.device.type, request.budget_s, request.until, WINDOWS, None),
        make=workload.target if request.memory and backend == workload.given_to else None,
        progress=progress,
    )
    result = replace(result, audio_s=workload.audio_s, batch=workload.conditions.batch)
    if request.memory and backend != workload.given_to:
        note = f"Memory is measured with {workload.given_to} only."
        result = replace(result, notes=(*result.notes, note))
    if request.estimate:
        energy, why = estimate_energy(result, request.max_power_w)
        notes = (*result.notes, why) if why else result.notes
        result = replace(result, estimated_energy_j=energy, notes=notes)
    return add_derived(result, request.intensity, request.battery_wh)


def foreseen(workload: Workload, budget_s: float, threads: int | None) -> tuple[float, str]:
    """About how long a call will take (0 if short), and why it will not be made, or ""."""
    if not isinstance(workload, PresetWorkload) or not _long(workload):
        return 0.0, ""
    preset = workload.preset
    pilot = workload.shortened(PILOT_SAMPLES if workload.stepwise else preset.sample_rate)
    ratio = workload.generated / pilot.generated
    if ratio <= 1:
        return 0.0, ""
    target = pilot.target()
    call_s = timed_call(target, threads)
    at_rate = f"at the rate of a pilot of {pilot.generated:,} samples"
    limit_s = max(PATIENCE_S, PATIENCE_BUDGETS * budget_s)
    if ratio * call_s > limit_s:
        return 0.0, f"too long: one call would take about {in_words(ratio * call_s)}, {at_rate}"
    if workload.stepwise:
        return ratio * call_s, ""
    return ratio * call_s, _too_large(pilot, threads, call_s, ratio, at_rate)


def _long(workload: PresetWorkload) -> bool:
    return workload.stepwise or workload.audio_s > LONG_AUDIO_S


def in_one_line(error: Exception) -> str:
    """What an error says; with its type, unless it is one of ours that were written to be read."""
    text = str(error).strip().partition("\n")[0].rstrip(".")
    return text if isinstance(error, InspectCostError) else f"{type(error).__name__}: {text}"


def timed_call(target: Target, threads: int | None) -> float:
    """Seconds of one call, after another that warms up."""
    with target.inference(threads):
        target.call()
        target.work.synchronize()
        started = perf_counter()
        target.call()
        target.work.synchronize()
        return perf_counter() - started


def _too_large(
    pilot: PresetWorkload, threads: int | None, call_s: float, ratio: float, at_rate: str
) -> str:
    """Why a call would not fit into memory, or ""."""
    memory, _ = measure_memory(pilot.target, threads, call_s, torch.get_num_threads())
    if memory is None or memory.rss_increase_b is None:
        return ""
    needed, free = ratio * memory.rss_increase_b.value, psutil.virtual_memory().available
    if needed <= MEMORY_SHARE * free:
        return ""
    return f"too large: one call would take about {si(needed, 'B')} of memory, {at_rate}"


def in_words(seconds: float) -> str:
    """A duration to two digits, in the unit that suits it."""
    for unit, length in (("years", 31_557_600), ("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{float(f'{seconds / length:.2g}'):,.6g} {unit}"
    return f"{seconds:.2g} s"


def throttled(progress: Progress, every_s: float = 1.0) -> Progress:
    """The same, told at most once a second: what is shown takes time from what is measured."""
    last = perf_counter()

    def told(done: float) -> None:
        nonlocal last
        if (now := perf_counter()) - last >= every_s:
            last = now
            progress(done)

    return told
