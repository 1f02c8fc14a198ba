"""``inspect-cost MODEL``, the main job."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any

from cyclopts import Parameter

from inspect_cost.cli.arguments import (
    Flag,
    Whole,
    check_inputs_and_settings,
    named_preset,
    parsed_option,
    parsed_setting,
    parsed_trip_count,
)
from inspect_cost.cli.counting import Counting
from inspect_cost.cli.measuring import Measuring
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import (
    FAILED,
    INTERRUPTED,
    NO_SENSOR,
    OK,
    complain,
)
from inspect_cost.values.errors import InspectCostError, UsageError


def inspect(
    model: str,
    /,
    *,
    input_len: Annotated[str | None, Parameter(name="--input-len")] = None,
    inputs: Annotated[list[str] | None, Parameter(name="--input", negative="")] = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    trip_counts: Annotated[list[str] | None, Parameter(name="--trip-count", negative="")] = None,
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
    strict
        Exit with 1 if any operator has no known cost.
    """
    options, counted = measuring or Measuring(), counting or Counting()
    wanted = writing or OutputOptions()
    wanted.check()
    options.check()
    weights = counted.weights
    check_inputs_and_settings(model, inputs or [], settings or [])
    if trip_counts and not is_onnx(model):
        raise UsageError("--trip-count is for ONNX files", "Other models run their own loops.")
    if is_onnx(model):
        report = inspected_onnx(model, input_len, inputs or [], trip_counts or [], options, counted)
    else:
        report = inspected(model, input_len, inputs or [], settings or [], options, counted)
    report = replace(report, weights=weights, standing=standing_of(model, report, counted))

    wanted.write(report, depth=depth, exact=exact)
    return exit_code(report, options, strict=strict)


def is_onnx(model: str) -> bool:
    """Whether MODEL is an ONNX file."""
    return model.endswith(".onnx")


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
    counting: Counting,
) -> Any:
    """The report on a preset or on a user's own model, measured unless that is not wanted."""
    length = parsed_option("--input-len", input_len)
    preset = None if ":" in model else named_preset(model)
    overrides = dict(map(parsed_setting, settings))
    with without_garbage_collection():
        from inspect_cost.calls import inputs as specs
        from inspect_cost.subjects import inspection

        given = [specs.parsed_input(text) for text in inputs]
        options.check_device()
        how = counting.options
        if preset:
            report = inspection.inspected_preset(preset, length, overrides, options.batch, **how)
        else:
            report = inspection.inspected_model(model, given, length, options.batch, **how)
        if counting.law:
            report = inspection.with_law(report, model, given, length, **how)
    if options.no_measure or counting.backward:
        return report

    from inspect_cost.subjects.workload import OwnWorkload, PresetWorkload

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
    trip_counts: Sequence[str],
    options: Measuring,
    counting: Counting,
) -> Any:
    """The report on an ONNX file, run by onnxruntime unless that is not wanted."""
    if counting != Counting(flop_weights=counting.flop_weights):
        raise UsageError(
            "--policy, --attention, --backward and --law are for PyTorch models",
            "Count the model that the file was made from.",
        )
    length = parsed_option("--input-len", input_len)
    trips = dict(map(parsed_trip_count, trip_counts))

    from inspect_cost.calls import inputs as specs
    from inspect_cost.subjects import onnx_inspection

    shapes = [specs.parsed_input(text) for text in inputs]
    report = onnx_inspection.inspected_onnx(model, shapes, length, trips)
    if options.no_measure:
        return report

    from inspect_cost.subjects.onnx_workload import OnnxWorkload

    options.check_device()
    workload = OnnxWorkload(model, shapes, length, options.conditions, options.threads)
    return options.measured(report, workload)


def standing_of(model: str, report: Any, counting: Counting) -> Any:
    """Where a preset stands beside the paper's models; None for other models."""
    if ":" in model or is_onnx(model):
        return None
    from inspect_cost.subjects.counted_presets import (
        CountedPresets,
        find_preset_standing,
        summarize,
    )

    published = not report.subject.settings and counting.policy == "dense"
    try:
        with without_garbage_collection():
            own = summarize(report) if published else None
            return find_preset_standing(model, CountedPresets(), own=own)
    except InspectCostError as error:  # it must not cost the report
        complain(f"where it stands is not known: {error}")
        return None


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
