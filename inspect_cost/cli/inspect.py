"""``inspect-cost MODEL``, the main job."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from inspect_cost.cli.arguments import (
    Flag,
    check_inputs_and_settings,
    named_preset,
    parsed_option,
    parsed_setting,
    parsed_trip_count,
)
from inspect_cost.cli.measuring import Measuring
from inspect_cost.cli.terminal import (
    FAILED,
    INTERRUPTED,
    NO_SENSOR,
    OK,
    check_writable,
    complain,
    write,
)
from inspect_cost.errors import UsageError


def inspect(
    model: str,
    /,
    *,
    input_len: Annotated[str | None, Parameter(name="--input-len")] = None,
    inputs: Annotated[list[str] | None, Parameter(name="--input", negative="")] = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    trip_counts: Annotated[list[str] | None, Parameter(name="--trip-count", negative="")] = None,
    depth: int = 2,
    exact: Annotated[bool, Flag] = False,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    measuring: Annotated[Measuring | None, Parameter(name="*")] = None,
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Count what one inference of a model costs, then measure it.

    Parameters
    ----------
    model
        A preset's name, package.module:ClassOrFactory, path/to/file.py:ClassOrFactory, or
        model.onnx.
    input_len
        Samples to generate (a preset: one second unless given), or the L in a shape.
    inputs
        [name=]SHAPE[:dtype] of an input of your own model; repeat it for several.
    settings
        NAME=VALUE: a preset's setting to differ from the published one; repeat it for several.
    trip_counts
        NODE=N: how often a Loop of an ONNX file runs, where the file does not say; repeatable.
    depth
        Levels of the module tree to show.
    exact
        Whole numbers in the module tree, instead of SI prefixes.
    format
        What to write: a table to read, or JSON with everything in it.
    output
        File to write to, instead of standard output.
    strict
        Exit with 1 if any operator has no known cost.
    """
    options = measuring or Measuring()
    check_writable(output)
    options.check()
    if model.endswith(".onnx"):
        report = inspected_onnx(model, input_len, inputs or [], settings or [], trip_counts or [])
    elif trip_counts:
        raise UsageError("--trip-count is for ONNX files", "Other models run their own loops.")
    else:
        report = inspected(model, input_len, inputs or [], settings or [], options)

    from inspect_cost.reports import RENDERERS, View

    to_screen = output is None and sys.stdout.isatty()
    color = to_screen and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((100, 24)).columns if to_screen else 100
    view = View(depth=depth, exact=exact, width=width, color=color)
    write(RENDERERS[format](report, view), output)
    return exit_code(report, options, strict=strict)


def exit_code(report: Any, options: Measuring, *, strict: bool) -> int:
    """Whether what was asked for was there; the report is written by now."""
    if any(measurement.partial for measurement in report.measurements):
        complain("interrupted: the report has what was measured until then.")
        return INTERRUPTED
    if options.require_energy and report.measurement.energy_j is None:
        complain(
            "no energy was measured, and --require-energy asks for it.",
            "inspect-cost doctor says what each sensor lacks.",
        )
        return NO_SENSOR
    if report.count.uncounted and strict:
        complain(f"uncounted under --strict: {', '.join(report.count.uncounted)}.")
        return FAILED
    return OK


def inspected(
    model: str,
    input_len: str | None,
    inputs: Sequence[str],
    settings: Sequence[str],
    options: Measuring,
) -> Any:
    """The report on a preset or on a user's own model, measured unless that is not wanted."""
    length = parsed_option("--input-len", input_len)
    own = ":" in model
    preset = None if own else named_preset(model)
    check_inputs_and_settings(model, inputs, settings)
    overrides = dict(map(parsed_setting, settings))
    with without_garbage_collection():
        from inspect_cost import inputs as specs
        from inspect_cost import inspection

        given = [specs.parsed_input(text) for text in inputs]
        options.check_device()
        if preset:
            report = inspection.inspected_preset(preset, length, overrides, options.batch)
        else:
            report = inspection.inspected_model(model, given, length, options.batch)
    if options.no_measure:
        return report

    from inspect_cost.workload import OwnWorkload, PresetWorkload

    if preset:
        samples = length or preset.sample_rate
        return options.measured(
            report, PresetWorkload(preset.name, samples, overrides, options.conditions)
        )
    return options.measured(report, OwnWorkload(model, given, length, options.conditions))


def inspected_onnx(
    model: str,
    input_len: str | None,
    inputs: Sequence[str],
    settings: Sequence[str],
    trip_counts: Sequence[str],
) -> Any:
    """The report on an ONNX file."""
    if settings:
        raise UsageError("--set is for presets of the zoo", "Export the model with it instead.")
    length = parsed_option("--input-len", input_len)
    trips = dict(map(parsed_trip_count, trip_counts))

    from inspect_cost import inputs as specs
    from inspect_cost import onnx_inspection

    shapes = [specs.parsed_input(text) for text in inputs]
    return onnx_inspection.inspected_onnx(model, shapes, length, trips)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """No search for cyclic garbage meanwhile: a count makes next to none, and each walks torch."""
    import gc

    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
