"""Inspecting a subject: each phase counted and measured, then where it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from inspect_cost.calls.inputs import InputSpec, parse_inputs
from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.reports.inspection import Inspection, PhaseResult
from inspect_cost.reports.results import Laws
from inspect_cost.subjects import Conditions, Request, Subject, open_request
from inspect_cost.values.cost import FlopWeights
from inspect_cost.values.errors import InspectCostError, NoLawError, UsageError
from inspect_cost.values.identity import Phase
from inspect_cost.values.notes import Note
from inspect_cost.values.policy import DENSE, Policy
from inspect_cost.values.progress import Progress, ignore_progress
from inspect_cost.values.provenance import describe_run

if TYPE_CHECKING:
    from inspect_cost.calls.call import Call
    from inspect_cost.crosschecking.results import CrossCheck
    from inspect_cost.measuring.measurement import Measurement
    from inspect_cost.measuring.session import MeasureRequest

#: Seconds that each of the other counters may take.
CROSSCHECK_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class InspectOptions:
    """What an inspection does.

    Attributes:
        count: how calls are counted.
        law: whether costs are also sought as polynomials in the length.
        weights: weights of the classes of FLOPs, for a further total; None for no such total.
        measure: what is asked of measurements; None to measure nothing.
        conditions: what calls run under when they are measured; their type is counted, too.
    """

    count: CountOptions = field(default_factory=CountOptions)
    law: bool = False
    weights: FlopWeights | None = None
    measure: "MeasureRequest | None" = None
    conditions: Conditions = field(default_factory=Conditions)

    @property
    def typed_count(self) -> CountOptions:
        """How calls are counted, in the type that they are measured in."""
        dtype = self.conditions.dtype
        return self.count if dtype is None else replace(self.count, dtype=dtype)


def inspect(
    target: "str | Subject | Call",
    /,
    *,
    input_len: int | None = None,
    inputs: Sequence[InputSpec | str] | Mapping[str, Any] = (),
    axes: Mapping[str, int] | None = None,
    settings: Mapping[str, Any] | None = None,
    trip_counts: Mapping[str, int] | None = None,
    batch: int = 1,
    verify: bool = False,
    policy: Policy | str = DENSE,
    backward: bool = False,
    optimizer: Any = None,
    op_costs: Mapping[str, Any] | None = None,
    module_costs: Mapping[Any, Any] | None = None,
    law: bool = False,
    flop_weights: FlopWeights | None = None,
    measure: "bool | MeasureRequest" = True,
    device: str = "cpu",
    dtype: str | None = None,
    threads: int | None = None,
    seed: int = 0,
    measure_time_s: float | None = None,
    progress: Progress = ignore_progress,
) -> Inspection:
    """Inspect a model by its name: count it, measure it, say where it stands.

    ``inspect("flowavenet", input_len=16_000)`` is ``inspect-cost flowavenet --input-len 16000``,
    and ``inspect(Call.of(model, x))`` does the same for a model in hand.

    Args:
        target: a preset of the zoo, ``file.py:make_model``, ``package.module:Net``,
            ``model.onnx``, a subject that `resolve` made, or a `Call`.
        input_len: samples to generate, or the L in the shapes of inputs.
        inputs: inputs of a model of your own or of a file, ``[name=]SHAPE[:dtype]`` or
            ``[name=]@VALUE[:dtype]``; or name -> value: a number, a list, an array, a path.
        axes: name of an axis in those shapes, or one that a file leaves open -> its size.
        settings: values of a preset's configuration that differ from the published ones.
        trip_counts: name of a Loop of an ONNX graph -> how often it runs.
        batch: inferences in one call.
        verify: compare the count of an ONNX file with what onnxruntime executes; see `count_onnx`.
        policy: as of `inspect_cost.count`.
        backward: as of `inspect_cost.count`; nothing is measured then.
        optimizer: as of `inspect_cost.count`.
        op_costs: as of `inspect_cost.count`.
        module_costs: as of `inspect_cost.count`.
        law: also find the cost as a polynomial in the length.
        flop_weights: weights of the classes of FLOPs, for a further total.
        measure: False only counts; a `MeasureRequest` has further
            options, such as several backends.
        device: to measure on: "cpu", "cuda:1".
        dtype: type of floating parameters and float32 inputs, counted and measured.
        threads: CPU threads; torch's choice unless given.
        seed: seed of random weights and inputs.
        measure_time_s: time for measuring; 30 s, or 60 s on a GPU, unless given.
        progress: called with the share of the measurement that is done.

    Returns:
        The complete report: it prints as the command line's table, saves as JSON, and
        `inspect_cost.load` reads it back.

    Raises:
        UsageError: nothing is called that, or a parameter makes no sense for it.
        CountError: the model's call fails.
    """
    request = Request(
        name=target if isinstance(target, str) else "",
        input_len=input_len,
        inputs=parse_inputs(inputs),
        axes=axes or {},
        settings=settings or {},
        trip_counts=trip_counts or {},
        batch=batch,
        verify=verify,
    )
    subject = _find_subject(target, request)
    options = InspectOptions(
        count=CountOptions.of(
            policy=policy,
            backward=backward,
            optimizer=optimizer,
            op_costs=op_costs,
            module_costs=module_costs,
        ),
        law=law,
        weights=flop_weights,
        measure=_request(measure, threads, measure_time_s),
        conditions=Conditions(device, dtype, threads, seed),
    )
    return inspect_subject(subject, options, progress)


def inspect_subject(
    subject: Subject, options: InspectOptions, progress: Progress = ignore_progress
) -> Inspection:
    """Inspect each phase of a subject.

    Raises:
        UsageError: something that was asked for makes no sense for it.
        CountError: a call fails.
    """
    phases = tuple(_inspect_phase(subject, phase, options, progress) for phase in subject.phases)
    identity = subject.identity
    inspection = Inspection(
        identity=replace(identity, title=identity.title or phases[0].count.model),
        phases=phases,
        provenance={**describe_run(), **_describe_machine(phases)},
    )
    return _with_standing(inspection, options)


def crosscheck_subject(
    subject: Subject,
    timeout_s: float = CROSSCHECK_TIMEOUT_S,
    progress: Progress = ignore_progress,
) -> "CrossCheck":
    """Count a subject's call with other counters too, and explain the differences.

    Raises:
        Unsupported: it is no PyTorch model.
        CountError: the call fails.
    """
    from inspect_cost.crosschecking.results import CrossCheck  # noqa: PLC0415 - loads the peers
    from inspect_cost.crosschecking.run import crosscheck_call  # noqa: PLC0415

    phase = subject.phases[0]
    call = subject.peer_call(phase)
    report = subject.count(phase, CountOptions())
    peers = crosscheck_call(report, call, timeout_s, progress)
    title = f"{subject.identity.title or report.model}  {phase.description}"
    return CrossCheck(report, peers, title, describe_run())


def find_laws(subjects: Sequence[Subject], period: int | None = None) -> Laws:
    """Find the cost laws of several subjects.

    Args:
        subjects: each counted at lengths of its own.
        period: lengths along which laws are sought differ by this; found unless given.

    Raises:
        Unsupported: a subject has no length.
        NoLawError: no law holds.
    """
    options = CountOptions()
    laws = {each.identity.name: each.law(each.phases[0], options, period) for each in subjects}
    return Laws(laws)


def _find_subject(target: "str | Subject | Call", request: Request) -> Subject:
    if isinstance(target, str):
        return open_request(request)
    for name in request.given:
        raise UsageError(
            f"`{name}` is for models by their names", "A call has its arguments.", field=name
        )
    if hasattr(target, "phases"):
        subject: Subject = target  # type: ignore[assignment]  # a call has no phases
        return subject
    # A call holds tensors, so that torch is loaded already.
    from inspect_cost.calls.call import Call  # noqa: PLC0415
    from inspect_cost.subjects.given import GivenCall  # noqa: PLC0415

    if isinstance(target, Call):
        return GivenCall(target)
    raise UsageError(
        f"cannot inspect a {type(target).__name__}",
        "Give a model's name, or a call of it: inspect_cost.Call.of(model, x).",
    )


def _inspect_phase(
    subject: Subject, phase: Phase, options: InspectOptions, progress: Progress
) -> PhaseResult:
    count = subject.count(phase, options.typed_count)
    law = None
    if options.law:
        count, law = _find_law(subject, phase, options.typed_count, count)
    measurements: tuple[Measurement, ...] = ()
    if options.measure is not None and not options.count.backward:
        from inspect_cost.measuring.session import measure_with_backends  # noqa: PLC0415 - as above

        workload = subject.workload(phase, options.conditions)
        count = replace(count, notes=(*count.notes, *workload.notes))
        measurements = measure_with_backends(workload, options.measure, progress)
    return PhaseResult(phase, count, law, options.weights, measurements)


def _find_law(
    subject: Subject, phase: Phase, options: CountOptions, count: CostReport
) -> tuple[CostReport, CostLaw | None]:
    """Return the law; where none holds, the count gets a note that says so."""
    try:
        return count, subject.law(phase, options)
    except NoLawError as error:
        note = Note("no-law", f"No cost law: {error}. This length was counted in full.")
        return replace(count, notes=(*count.notes, note)), None


def _with_standing(inspection: Inspection, options: InspectOptions) -> Inspection:
    """Add the standing; what goes wrong there must not cost the report."""
    if not inspection.identity.source:
        return inspection
    # The paper's data are loaded only for models that are published.
    from inspect_cost.engine.standings import CountedPresets, find_standing  # noqa: PLC0415

    try:
        standing = find_standing(inspection, CountedPresets(), options.count)
    except InspectCostError as error:
        first, *others = inspection.phases
        note = Note("no-standing", f"Where it stands is not known: {error}.", "warning")
        noted = replace(first.count, notes=(*first.count.notes, note))
        return replace(inspection, phases=(replace(first, count=noted), *others))
    return replace(inspection, standing=standing)


def _describe_machine(phases: Sequence[PhaseResult]) -> Mapping[str, Any]:
    """Describe the machine that measured, if anything was."""
    first = next((phase.measurement for phase in phases if phase.measurement), None)
    if first is None:
        return {}
    from inspect_cost.measuring.doctor.machine import describe_conditions  # noqa: PLC0415 - as above

    return describe_conditions(first.device, first.dtype, first.threads)


def _request(
    measure: "bool | MeasureRequest", threads: int | None, measure_time_s: float | None
) -> "MeasureRequest | None":
    if measure is False:
        return None
    if measure is not True:
        return measure
    from inspect_cost.measuring.session import MeasureRequest  # noqa: PLC0415 - as above

    return MeasureRequest(budget_s=measure_time_s, threads=threads)
