"""The paper reproduced, as a table: printed, recomputed and exact figures side by side."""

import json
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from inspect_cost.paper.as_data import as_data
from inspect_cost.paper.fronts import INFERENCE, Front
from inspect_cost.paper.reproduction import Alternative, Discrepancy, QualityRow, Reproduction
from inspect_cost.reports.text import rendered
from inspect_cost.reports.view import View
from inspect_cost.values.units import exact, si

MARK = " *"
#: Quantity -> what a reader calls it.
NAMES = {"co2e_kg": "CO2e in kg", "mos_loss": "1 - %MOS", "params": "parameters", "kwh": "kWh"}


def paper_json(paper: Reproduction) -> str:
    """Everything, indented."""
    return json.dumps(as_data(paper), indent=2, ensure_ascii=False)


def paper_table(paper: Reproduction, view: View) -> str:
    """Two tables, the fronts, and what does not follow."""
    marked = {(found.model, found.quantity) for found in paper.discrepancies}
    parts: list[RenderableType] = [
        Text("Douwes, Esling & Briot 2021, recomputed", style="bold"),
        Text("* printed figures that do not follow from the paper's own inputs; see below."),
        Text("\nTable 1, training: CO2e = 0.437 kg/kWh x n x p_max x t", style="bold"),
        training(paper, marked),
        Text("\nTable 2, quality and parameters: %MOS = MOS / MOS of the truth", style="bold"),
        quality(paper, marked),
        Text("\nFigure 3, fronts of 1 - %MOS, the best in quality first", style="bold"),
        fronts(paper),
        *(Text(line) for line in front_remarks(paper)),
        Text("\nWhat does not follow", style="bold"),
        *(Padding(Text(line), (0, 0, 0, 2)) for line in map(discrepancy, paper.discrepancies)),
        Text("\nWhat if: unverified, not the paper's figures", style="bold"),
        *(Padding(Text(line), (0, 0, 0, 2)) for line in map(what_if, paper.what_ifs)),
    ]
    return rendered(Group(*parts), view)


def _columns(names: str) -> Table:
    """A plain table: the first column is a name, the others are figures."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for index, name in enumerate(names.split("|")):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)
    return table


def training(paper: Reproduction, marked: set[tuple[str, str]]) -> Padding:
    """Table 1."""
    table = _columns("Model|Hardware|W|h|kWh|CO2e printed|recomputed, kg")
    for row in paper.table1:
        of, found = row.printed, row.recomputed
        table.add_row(
            of.model,
            of.hardware,
            of.p_max_w.text,
            of.hours.text + (MARK if (of.model, "hours") in marked else "  "),
            f"{found.energy_kwh.value:g}",
            of.co2e_kg.text + (MARK if (of.model, "co2e_kg") in marked else "  "),
            f"{found.carbon_kgco2e.value:.3f}",
        )
    return Padding(table, (0, 0, 0, 2))


def quality(paper: Reproduction, marked: set[tuple[str, str]]) -> Padding:
    """Table 2, and the other published sizes under their models."""
    table = _columns(
        "Model|MOS|MOS of\ntruth|1 - %MOS\nprinted|recom-\nputed|Param.\nprinted|Parameters\nexact|"
        "MACs per\nsecond"
    )
    for row in paper.table2:
        model, loss = row.printed.model, row.publication.mos_loss
        printed = row.printed.mos_loss.text if row.printed.mos_loss else "-"
        table.add_row(
            model,
            score(row, "mos"),
            score(row, "mos_truth"),
            printed + (MARK if (model, "mos_loss") in marked else "  "),
            f"{loss.value:.4f}" if loss else "-",
            row.printed.params.text + "M" + (MARK if (model, "params") in marked else "  "),
            exact(row.exact.params),
            si(row.exact.macs_per_s),
        )
        for other in row.variants:
            blank = [""] * 5
            table.add_row(f"  {other.preset}", *blank, exact(other.params), si(other.macs_per_s))
    return Padding(table, (0, 0, 0, 2))


def score(row: QualityRow, name: str) -> str:
    """3.86±0.24, or a dash."""
    value = row.publication.values.get(name)
    if value is None:
        return "-"
    spread = f"±{value.ci95[1] - value.value:.2g}" if value.ci95 else ""
    return f"{value.value:g}{spread}"


def fronts(paper: Reproduction) -> Padding:
    """Each front in a line, with those whom somebody dominates."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("training CO2e", members(paper.training), dominated(paper.training))
    for cost, front in paper.inference.items():
        grid.add_row(INFERENCE[cost], members(front), dominated(front))
    for cost, reason in paper.unavailable.items():
        grid.add_row(INFERENCE[cost], "-", reason)
    for variant in paper.variants:
        name = f"{INFERENCE['params_exact']}, {variant.counted.preset}"
        grid.add_row(name, members(variant.front), dominated(variant.front))
    return Padding(grid, (0, 0, 0, 2))


def members(front: Front) -> str:
    """The models of the first front."""
    return ", ".join(front.names)


def dominated(front: Front) -> str:
    """Who is dominated, and by whom."""
    found = [(name, front.dominators(name)) for name in front.by_quality]
    losers = [f"{name} is dominated by {', '.join(winners)}" for name, winners in found if winners]
    return "; ".join(losers)


def front_remarks(paper: Reproduction) -> Iterator[str]:
    """Who is left out, and how sure the fronts are."""
    for name, reason in paper.training.unranked.items():
        yield f"  unranked: {name}, {reason}"
    chances = paper.training.probability_optimal()
    listed = ", ".join(f"{name} {chance:.0%}" for name, chance in chances.items())
    yield f"  probability to be in the training front, given the scores' intervals: {listed}"


def discrepancy(found: Discrepancy) -> str:
    """One line: where, printed, found, and what may be behind it."""
    name = NAMES.get(found.quantity, found.quantity)
    return (
        f"{found.model}, {found.table}, {name}: printed {_number(found.printed)}, "
        f"found {_number(found.found)}. {found.remark}"
    )


def _number(value: float) -> str:
    return exact(int(value)) if value > 10_000 else f"{value:.5g}"  # noqa: PLR2004 - parameters


def what_if(other: Alternative) -> str:
    """One line: the score, what follows, and whence it is."""
    given = other.given
    verified = "verified" if given.verified else "unverified"
    return (
        f"{given.model} with a MOS of {given.mos:g} ({verified}): 1 - %MOS = {other.mos_loss:.4f}; "
        f"fronts: training {members(other.training)}; parameters as printed "
        f"{members(other.inference)}. {given.remark}"
    )
