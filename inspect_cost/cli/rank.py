"""``inspect-cost rank``: where models stand."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from inspect_cost.cli.arguments import named_preset
from inspect_cost.cli.terminal import OK, check_writable, progress_bar, say, write, write_bytes
from inspect_cost.errors import UsageError

if TYPE_CHECKING:
    from inspect_cost.pareto.candidates import Candidate

Names = Annotated[list[str] | None, Parameter(negative="")]


def rank(
    *sources: str,
    cost: Names = None,
    quality: Names = None,
    maximise: Names = None,
    minimise: Names = None,
    models: Path | None = None,
    seed: int = 0,
    draws: int = 10_000,
    plot: Path | None = None,
    format: Literal["table", "json", "csv"] = "table",  # noqa: A002 - the option's name
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
) -> int:
    """Rank models by two objectives or more: which of them no other beats in all.

    Parameters
    ----------
    sources
        Reports of this tool (.json), tables of anything (.csv, .tsv, .toml), presets of the zoo.
    cost
        What less is better of, separated by commas: energy_j_per_s,params.
    quality
        What more is better of, or a known loss: mos_ratio, mos_loss, a column of yours.
    maximise
        Objectives to maximise, whatever their names suggest.
    minimise
        Objectives to minimise, whatever their names suggest.
    models
        A TOML file with a table [model.NAME] for each: quality and more, of presets or others.
    seed
        Of the random draws behind probabilities.
    draws
        How many there are.
    plot
        Figure to write: .svg, .pdf, .png, or .html to explore.
    format
        What to write: a table to read, JSON with everything, or CSV.
    output
        File to write to, instead of standard output.
    """
    for path in (output, plot):
        check_writable(path)

    from inspect_cost.pareto.comparison import compared
    from inspect_cost.pareto.objectives import chosen
    from inspect_cost.pareto.saving import check_suffix, figure_bytes

    objectives = chosen(*map(split, (cost, quality, maximise, minimise)))
    suffix = check_suffix(plot) if plot else ""
    comparison = compared(gathered(sources, models), objectives, seed=seed, draws=draws)
    if plot:
        from inspect_cost.pareto.drawing import ranking_figure

        figure = ranking_figure(comparison.ranking, suffix)
        write_bytes(figure_bytes(figure, suffix), plot)
        say(f"wrote {plot}.")

    from inspect_cost.reports.ranking import RANKING_RENDERERS
    from inspect_cost.reports.view import View

    to_screen = output is None and sys.stdout.isatty()
    width = shutil.get_terminal_size((100, 24)).columns if to_screen else 120
    view = View(width=width, color=to_screen and "NO_COLOR" not in os.environ)
    write(RANKING_RENDERERS[format](comparison, view), output)
    return OK


def split(words: list[str] | None) -> list[str]:
    """Names that were separated by commas, or given one by one."""
    return [name.strip() for word in words or [] for name in word.split(",") if name.strip()]


def gathered(sources: tuple[str, ...], models: Path | None) -> list["Candidate"]:
    """The candidates that are named, with published facts of theirs."""
    if not sources and models is None:
        raise UsageError("nothing is named to rank", "Give reports, tables, or presets.")

    from inspect_cost.pareto.candidates import completed, merged
    from inspect_cost.pareto.sources import read_candidates

    own = read_candidates(models) if models else []
    with progress_bar("counting presets") as progress:
        found: list[Candidate] = []
        for done, source in enumerate(sources):
            path = Path(source)
            is_file = path.suffix or path.exists()
            found += read_candidates(path) if is_file else [from_preset(source)]
            progress((done + 1) / len(sources))
    return [completed(candidate) for candidate in merged([*found, *own])]


def from_preset(name: str) -> "Candidate":
    """A preset of the zoo, counted."""
    preset = named_preset(name)

    from inspect_cost.inspection import inspected_preset
    from inspect_cost.pareto.candidates import from_report

    return from_report(inspected_preset(preset).to_dict(), f"counted for preset {name}")
