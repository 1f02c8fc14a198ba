"""``inspect-cost paper``: the 2021 paper, recomputed."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inspect_cost.cli.figures import write_figure
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import OK, check_writable


def paper(
    *,
    reports: Annotated[list[Path] | None, Parameter(negative="", consume_multiple=True)] = None,
    models: Path | None = None,
    plot: Path | None = None,
    output: OutputOptions = OutputOptions(),
) -> int:
    """Recompute the tables and fronts of Douwes, Esling & Briot 2021.

    Printed figures stand beside those that follow from the paper's own inputs and
    beside exact counts of the published architectures; discrepancies are marked.

    Parameters
    ----------
    reports
        JSON reports of inspect-cost, whose measured energies give one more front.
    models
        TOML file of further models and publications, which join the fronts.
    plot
        Figure to write, the paper's Figure 3 and what changes it: .svg, .pdf, .png, or an
        interactive .html.
    """
    output.check()
    check_writable(plot)
    from inspect_cost.figures.saving import check_suffix

    suffix = check_suffix(plot) if plot else ""

    from inspect_cost.engine.standings import CountedPresets
    from inspect_cost.paper.reproduction import reproduce
    from inspect_cost.publications.publication import load_publications
    from inspect_cost.reports.measured_facts import read_measured_energies

    publications = load_publications(models) if models else ()
    energies = read_measured_energies(reports or ())
    reproduction = reproduce(CountedPresets(), energies, publications)
    if plot:
        from inspect_cost.figures.saving import HTML
        from inspect_cost.paper.figure import draw_figure_3, draw_interactive_figure_3

        draw = draw_interactive_figure_3 if suffix == HTML else draw_figure_3
        write_figure(draw(reproduction), plot)
    output.write(reproduction)
    return OK
