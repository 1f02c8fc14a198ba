"""``inspect-cost law``: costs as polynomials in the length."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import parse_length_option
from inspect_cost.cli.figures import check_plot, write_figure
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.subjects import SubjectOptions
from inspect_cost.cli.terminal import OK
from inspect_cost.values.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from inspect_cost.counting.law import CostLaw

#: From the shortest to the longest length of a figure.
PLOTTED = (100, 10_000_000)


def law(
    *models: str,
    subject: SubjectOptions = SubjectOptions(),
    period: Annotated[str | None, Parameter(name="--period")] = None,
    output: OutputOptions = OutputOptions(),
    plot: Path | None = None,
) -> int:
    """Find the cost of models as exact polynomials in the length of their input or output.

    An L in the shape of an input is that length; the law must hold for --input-len.

    Parameters
    ----------
    models
        Presets, package.module:ClassOrFactory, or path/to/file.py:ClassOrFactory.
    period
        Step between the lengths for which the law holds; found unless given, known for presets.
    plot
        Figure to write, MACs against length: .svg, .pdf or .png.
    """
    if not models:
        raise UsageError("no model is named", "Write, for example, inspect-cost law flowavenet.")
    output.check()
    check_plot(plot, "laws")
    step = parse_length_option("period", period)
    subjects = subject.resolve_all(models)

    from inspect_cost.engine.inspecting import find_laws

    laws = find_laws(subjects, step)
    output.write(laws)
    if plot:
        write_figure(draw_laws(laws.laws), plot)
    return OK


def draw_laws(laws: "Mapping[str, CostLaw]") -> "Figure":
    """Draw MACs against length, a curve for each model."""
    from inspect_cost.figures.curves import draw_curves

    return draw_curves({name: law.sample(*PLOTTED) for name, law in laws.items()})
