"""``inspect-cost rank``: where models stand."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import Whole
from inspect_cost.cli.figures import write_figure
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.subjects import SubjectOptions
from inspect_cost.cli.terminal import OK, check_writable, progress_bar
from inspect_cost.values.errors import UsageError

Names = Annotated[list[str] | None, Parameter(negative="")]


def rank(
    *sources: str,
    cost: Names = None,
    quality: Names = None,
    maximise: Names = None,
    minimise: Names = None,
    models: Path | None = None,
    subject: Annotated[SubjectOptions | None, Parameter(name="*")] = None,
    seed: Annotated[int, Whole] = 0,
    draws: Annotated[int, Whole] = 10_000,
    plot: Path | None = None,
    writing: Annotated[OutputOptions | None, Parameter(name="*")] = None,
) -> int:
    """Rank models by two objectives or more: which of them no other beats in all.

    Parameters
    ----------
    sources
        Reports of this tool (.json), tables of anything (.csv, .tsv, .toml), and models, which
        are counted: presets of the zoo, models of your own, ONNX files.
    cost
        What less is better of, separated by commas: energy_j_per_s,params.
    quality
        What more is better of, or a known loss: mos_ratio, mos_loss, a column of yours.
    maximise
        Objectives to maximise, whatever their names suggest.
    minimise
        Objectives to minimise, whatever their names suggest.
    models
        A TOML file of publications, a table [model.NAME] for each; they are ranked too.
    seed
        Of the random draws behind probabilities.
    draws
        How many there are.
    plot
        Figure to write: .svg, .pdf, .png, or .html to explore.
    """
    if not sources and models is None:
        raise UsageError("nothing is named to rank", "Give reports, tables, or models to count.")
    wanted = writing or OutputOptions()
    check_writable(plot)

    from inspect_cost.figures.saving import check_suffix
    from inspect_cost.ranking.comparison import Comparison, compare
    from inspect_cost.ranking.objectives import choose_objectives

    wanted.check(Comparison)
    objectives = choose_objectives(*map(split, (cost, quality, maximise, minimise)))
    suffix = check_suffix(plot) if plot else ""
    request = (subject or SubjectOptions()).request()

    from inspect_cost.engine.candidates import gather_candidates

    asked = [objective.name for objective in objectives]
    with progress_bar("counting models") as progress:
        candidates = gather_candidates(sources, request, asked, models, progress)
    comparison = compare(candidates, objectives, seed=seed, draws=draws)
    if plot:
        from inspect_cost.figures.drawing import draw_ranking

        write_figure(draw_ranking(comparison.ranking, suffix), plot)
    wanted.write(comparison)
    return OK


def split(words: list[str] | None) -> list[str]:
    """Return names that were separated by commas, or given one by one."""
    return [name.strip() for word in words or [] for name in word.split(",") if name.strip()]
