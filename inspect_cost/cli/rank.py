"""``inspect-cost rank``: Pareto fronts of models."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import FromOne, Seed
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
    subject: SubjectOptions = SubjectOptions(),
    seed: Annotated[int, Seed] = 0,
    draws: Annotated[int, FromOne] = 10_000,
    plot: Path | None = None,
    output: OutputOptions = OutputOptions(),
) -> int:
    """Rank models of any kind by two objectives or more, and find the Pareto front.

    Parameters
    ----------
    sources
        Reports of inspect-cost (.json), tables of anything (.csv, .tsv, .toml), and models, which
        are counted: presets, models of your own, ONNX files.
    cost
        Objectives to minimise, separated by commas: energy_j_per_s,params.
    quality
        Objectives to maximise (a known loss is minimised): mos_ratio, mos_loss, a column of yours.
    maximise
        Objectives to maximise, whatever their names suggest.
    minimise
        Objectives to minimise, whatever their names suggest.
    models
        TOML file of publications, a table [model.NAME] for each; they are ranked too.
    seed
        Seed of the random draws behind probabilities.
    draws
        Number of random draws.
    plot
        Figure to write: .svg, .pdf, .png, or an interactive .html.
    """
    if not sources and models is None:
        raise UsageError("there is nothing to rank", "Give reports, tables, or models to count.")
    check_writable(plot)

    from inspect_cost.figures.saving import check_suffix
    from inspect_cost.ranking.comparison import Comparison, compare
    from inspect_cost.ranking.objectives import choose_objectives

    output.check(Comparison)
    objectives = choose_objectives(*map(split_names, (cost, quality, maximise, minimise)))
    suffix = check_suffix(plot) if plot else ""
    request = subject.request()

    from inspect_cost.engine.candidates import gather_candidates

    names = [objective.name for objective in objectives]
    with progress_bar("counting models") as progress:
        candidates = gather_candidates(sources, request, names, models, progress)
    comparison = compare(candidates, objectives, seed=seed, draws=draws)
    if plot:
        from inspect_cost.figures.drawing import draw_ranking

        write_figure(draw_ranking(comparison.ranking, suffix), plot)
    output.write(comparison)
    return OK


def split_names(words: list[str] | None) -> list[str]:
    """Return names that were given one by one, or separated by commas."""
    return [name.strip() for word in words or [] for name in word.split(",") if name.strip()]
