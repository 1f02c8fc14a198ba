"""``inspect-cost law``: costs as polynomials in the length."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from inspect_cost.cli.arguments import (
    named_preset,
    parsed_option,
    parsed_setting,
)
from inspect_cost.cli.figures import write_figure
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import OK, check_writable
from inspect_cost.values.errors import UsageError

PLOTTED = (100, 10_000_000)  # lengths


def law(
    *models: str,
    inputs: Annotated[list[str] | None, Parameter(name="--input", negative="")] = None,
    input_len: Annotated[str | None, Parameter(name="--input-len")] = None,
    period: Annotated[str | None, Parameter(name="--period")] = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    writing: Annotated[OutputOptions | None, Parameter(name="*")] = None,
    plot: Path | None = None,
) -> int:
    """Find what models cost as exact polynomials in the length of what they process.

    Parameters
    ----------
    models
        Presets' names, or models of your own, package.module:Class or path/to/file.py:Class.
    inputs
        [name=]SHAPE[:dtype] of an input of your own models, with L in a shape; repeat it for
        several.
    input_len
        A length that the law must hold for.
    period
        Lengths differ by multiples of this; found unless given. Presets know theirs.
    settings
        NAME=VALUE: a preset's setting to differ from the published one; repeat it for several.
    plot
        Draw MACs against length for all models into this file: .svg, .pdf or .png.
    """
    if not models:
        raise UsageError("no model is named", "Write, for example, inspect-cost law flowavenet.")
    wanted = writing or OutputOptions()
    wanted.check()
    check_plot(plot)
    length, step = parsed_option("--input-len", input_len), parsed_option("--period", period)
    overrides = dict(map(parsed_setting, settings or []))
    laws = {model: found(model, inputs or [], length, step, overrides) for model in models}

    from inspect_cost.reports.results import Laws

    wanted.write(Laws(laws))
    if plot:
        write_figure(drawn(laws), plot)
    return OK


def check_plot(plot: Path | None) -> None:
    """Refuse a figure that could not be written, before anything is counted."""
    check_writable(plot)
    if plot is None:
        return
    from inspect_cost.figures.saving import HTML, check_suffix

    if check_suffix(plot) == HTML:
        raise UsageError(f"laws are not drawn as {plot.name}", "Write a .svg, .pdf or .png.")


def drawn(laws: dict[str, Any]) -> Any:
    """The laws as curves."""
    from inspect_cost.figures.curves import draw_curves

    return draw_curves({name: law.sampled(*PLOTTED) for name, law in laws.items()})


def found(
    model: str, inputs: list[str], length: int | None, period: int | None, settings: dict[str, Any]
) -> Any:
    """The law of a preset or of a user's own model."""
    preset = None if ":" in model else named_preset(model)

    from inspect_cost.calls import inputs as specs
    from inspect_cost.subjects import inspection

    if preset:
        return inspection.preset_law(preset, settings)
    parsed = [specs.parsed_input(entry) for entry in inputs]
    return inspection.model_law(model, parsed, length, period=period)
