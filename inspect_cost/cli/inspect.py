"""``inspect-cost MODEL``, the main job."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from inspect_cost.cli.arguments import Flag, FromZero
from inspect_cost.cli.counting import CountingOptions
from inspect_cost.cli.figures import check_plot, write_figure
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
from inspect_cost.values.errors import UsageError

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
    plot: Path | None = None,
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
    plot
        Figure to write of the latencies, windows in time and their distribution: .svg, .pdf or
        .png.
    verify
        Run an ONNX file once, and exit with 1 if onnxruntime executes other shapes than are
        counted.
    """
    output.check()
    measuring.check()
    check_latency_plot(plot, measuring)
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
    if plot:
        write_latencies(inspection, plot)
    return find_exit_code(inspection, measuring, strict=strict)


def check_latency_plot(plot: Path | None, options: MeasuringOptions) -> None:
    """Refuse a figure that could not be written, or that would show nothing.

    Raises:
        UsageError: nothing is measured, or the file has no format for it.
    """
    check_plot(plot, "latencies")
    if plot is not None and options.no_measure:
        raise UsageError(
            "--plot draws measured latencies, and --no-measure forbids measuring",
            "Leave one of them out.",
        )


def write_latencies(inspection: "Inspection", plot: Path) -> None:
    """Write the figure of the latencies; without any, say that there is none."""
    from inspect_cost.engine.latency_curves import make_latency_curves
    from inspect_cost.figures.latencies import draw_latencies

    curves = make_latency_curves(m for phase in inspection.phases for m in phase.measurements)
    if curves:
        write_figure(draw_latencies(curves), plot)
    else:
        warn(f"{plot} is not written: there is no latency.", "The report's notes say why.")


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
