"""``inspect-cost law``: costs as polynomials in the length."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import parse_length_option
from inspect_cost.cli.figures import write_figure
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.subjects import SubjectOptions
from inspect_cost.cli.terminal import OK, check_writable
from inspect_cost.values.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from inspect_cost.counting.law import CostLaw

PLOTTED = (100, 10_000_000)  # lengths


def law(
    *models: str,
    subject: Annotated[SubjectOptions | None, Parameter(name="*")] = None,
    period: Annotated[str | None, Parameter(name="--period")] = None,
    writing: Annotated[OutputOptions | None, Parameter(name="*")] = None,
    plot: Path | None = None,
) -> int:
    """Find what models cost as exact polynomials in the length of what they process.

    An L in the shape of an input is that length; the law must hold for --input-len.

    Parameters
    ----------
    models
        Presets' names, or models of your own, package.module:Class or path/to/file.py:Class.
    period
        Lengths differ by multiples of this; found unless given. Presets know theirs.
    plot
        Draw MACs against length for all models into this file: .svg, .pdf or .png.
    """
    if not models:
        raise UsageError("no model is named", "Write, for example, inspect-cost law flowavenet.")
    wanted = writing or OutputOptions()
    wanted.check()
    check_plot(plot)
    step = parse_length_option("period", period)
    subjects = (subject or SubjectOptions()).resolve_all(models)

    from inspect_cost.engine.inspecting import find_laws

    found = find_laws(subjects, step)
    wanted.write(found)
    if plot:
        write_figure(draw(found.laws), plot)
    return OK


def check_plot(plot: Path | None) -> None:
    """Refuse a figure that could not be written, before anything is counted."""
    check_writable(plot)
    if plot is None:
        return
    from inspect_cost.figures.saving import HTML, check_suffix

    if check_suffix(plot) == HTML:
        raise UsageError(f"laws cannot be drawn as {plot.name}", "Write a .svg, .pdf or .png.")


def draw(laws: "Mapping[str, CostLaw]") -> "Figure":
    """Draw the laws as curves."""
    from inspect_cost.figures.curves import draw_curves

    return draw_curves({name: law.sample(*PLOTTED) for name, law in laws.items()})
