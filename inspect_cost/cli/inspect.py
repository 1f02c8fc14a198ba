"""``inspect-cost MODEL``, the main job."""

from typing import TYPE_CHECKING, Annotated

from inspect_cost.cli.arguments import Flag, FromZero
from inspect_cost.cli.counting import CountingOptions
from inspect_cost.cli.measuring import MeasuringOptions
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.subjects import SubjectOptions
from inspect_cost.cli.terminal import (
    FAILED,
    INTERRUPTED,
    NO_SENSOR,
    OK,
    progress_bar,
    warn,
)

#: Code of notes on differences between a count and a run.
DIFFERS = "run-differs"

if TYPE_CHECKING:
    from inspect_cost.reports.inspection import Inspection


def inspect(
    model: str,
    /,
    *,
    subject: SubjectOptions = SubjectOptions(),
    depth: Annotated[int, FromZero] = 2,
    exact: Annotated[bool, Flag] = False,
    output: OutputOptions = OutputOptions(),
    counting: CountingOptions = CountingOptions(),
    measuring: MeasuringOptions = MeasuringOptions(),
    strict: Annotated[bool, Flag] = False,
    verify: Annotated[bool, Flag] = False,
) -> int:
    """Count what one inference of a model costs, then measure it.

    Parameters
    ----------
    model
        Preset, package.module:ClassOrFactory, path/to/file.py:ClassOrFactory, or model.onnx.
    depth
        Levels of the module tree to show.
    exact
        Show all digits in the module tree, instead of SI prefixes.
    strict
        Exit with 1 if the cost of an operator is unknown.
    verify
        Run an ONNX file once, and exit with 1 if onnxruntime executes other shapes than are
        counted.
    """
    output.check()
    measuring.check()
    weights = counting.weights
    target = subject.resolve(model, measuring.batch, verify=verify)
    measuring.check_device()

    from inspect_cost.engine.inspecting import InspectOptions, inspect_subject

    options = InspectOptions(
        count=counting.options,
        law=counting.law,
        weights=weights,
        measure=None if measuring.no_measure else measuring.request,
        conditions=measuring.conditions,
    )
    with progress_bar("measuring", still=True) as progress:
        inspection = inspect_subject(target, options, progress)
    output.write(inspection, depth=depth, exact=exact)
    return find_exit_code(inspection, measuring, strict=strict)


def find_exit_code(inspection: "Inspection", options: MeasuringOptions, *, strict: bool) -> int:
    """Return the exit code of a report that has been written, and warn if it is not 0."""
    measurements = [m for phase in inspection.phases for m in phase.measurements]
    if any(measurement.partial for measurement in measurements):
        warn("interrupted: the report has what was measured until then.")
        return INTERRUPTED
    first = measurements[0] if measurements else None
    if options.require_energy and (first is None or first.energy_j is None):
        warn(
            "no energy was measured, and --require-energy asks for it.",
            "inspect-cost doctor says what each sensor lacks.",
        )
        return NO_SENSOR
    uncounted = [name for phase in inspection.phases for name in phase.count.uncounted]
    if uncounted and strict:
        warn(f"uncounted under --strict: {', '.join(dict.fromkeys(uncounted))}.")
        return FAILED
    if any(note.code == DIFFERS for phase in inspection.phases for note in phase.count.notes):
        warn("what onnxruntime executed differs from the count; the notes name the nodes.")
        return FAILED
    return OK
