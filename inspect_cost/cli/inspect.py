"""``inspect-cost MODEL``, the main job."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import Flag, Whole
from inspect_cost.cli.counting import Counting
from inspect_cost.cli.measuring import Measuring
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.subjects import SubjectOptions
from inspect_cost.cli.terminal import (
    FAILED,
    INTERRUPTED,
    NO_SENSOR,
    OK,
    complain,
    progress_bar,
)
from inspect_cost.cli.wording import spell_inspection

if TYPE_CHECKING:
    from inspect_cost.reports.inspection import Inspection


def inspect(
    model: str,
    /,
    *,
    subject: Annotated[SubjectOptions | None, Parameter(name="*")] = None,
    depth: Annotated[int, Whole] = 2,
    exact: Annotated[bool, Flag] = False,
    writing: Annotated[OutputOptions | None, Parameter(name="*")] = None,
    counting: Annotated[Counting | None, Parameter(name="*")] = None,
    measuring: Annotated[Measuring | None, Parameter(name="*")] = None,
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Count what one inference of a model costs, then measure it.

    Parameters
    ----------
    model
        A preset's name, package.module:ClassOrFactory, path/to/file.py:ClassOrFactory, or
        model.onnx.
    depth
        Levels of the module tree to show.
    exact
        Whole numbers in the module tree, instead of SI prefixes.
    strict
        Exit with 1 if any operator has no known cost.
    """
    wanted = writing or OutputOptions()
    counted, measured = counting or Counting(), measuring or Measuring()
    wanted.check()
    measured.check()
    weights = counted.weights
    named = (subject or SubjectOptions()).resolve(model, measured.batch)
    measured.check_device()

    from inspect_cost.engine.inspecting import InspectOptions, inspect_subject

    options = InspectOptions(
        count=counted.options,
        law=counted.law,
        weights=weights,
        measure=None if measured.no_measure else measured.request,
        conditions=measured.conditions,
    )
    with progress_bar("measuring", still=True) as progress:
        inspection = spell_inspection(inspect_subject(named, options, progress))
    wanted.write(inspection, depth=depth, exact=exact)
    return exit_code(inspection, measured, strict=strict)


def exit_code(inspection: "Inspection", options: Measuring, *, strict: bool) -> int:
    """Return whether what was asked for was there; the report is written by now."""
    measurements = [m for phase in inspection.phases for m in phase.measurements]
    if any(measurement.partial for measurement in measurements):
        complain("interrupted: the report has what was measured until then.")
        return INTERRUPTED
    first = measurements[0] if measurements else None
    if options.require_energy and (first is None or first.energy_j is None):
        complain(
            "no energy was measured, and --require-energy asks for it.",
            "inspect-cost doctor says what each sensor lacks.",
        )
        return NO_SENSOR
    uncounted = [name for phase in inspection.phases for name in phase.count.uncounted]
    if uncounted and strict:
        complain(f"uncounted under --strict: {', '.join(dict.fromkeys(uncounted))}.")
        return FAILED
    return OK
