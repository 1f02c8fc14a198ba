"""The paper reproduced: printed, recomputed and exact figures side by side."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from inspect_cost.reports.document import (
    Block,
    Cell,
    Column,
    Document,
    Heading,
    Notes,
    Prose,
    Row,
    Table,
    make_cells,
)
from inspect_cost.reports.view import View
from inspect_cost.values.units import exact, si

if TYPE_CHECKING:
    from inspect_cost.paper.fronts import Front
    from inspect_cost.paper.results import (
        Alternative,
        Discrepancy,
        QualityRow,
        Reproduction,
        TrainingRow,
    )

#: After a printed figure that does not follow, and as much space after the others.
MARK, NO_MARK = " *", "  "
#: Quantity -> what a reader calls it.
NAMES = {"co2e_kg": "CO2e in kg", "mos_loss": "1 - %MOS", "params": "parameters", "kwh": "kWh"}
#: Objective of inference -> what a reader calls it.
COSTS = {
    "params_printed": "parameters as printed",
    "params_exact": "parameters, exact",
    "macs_per_s": "MACs per second of audio",
    "energy_j_per_s": "measured energy per second of audio",
}
TITLE = "Douwes, Esling & Briot 2021, recomputed"
LEGEND = "* printed figures that do not follow from the paper's own inputs; see below."
TRAINING_COLUMNS = ("Model", "Hardware", "W", "h", "kWh", "CO2e printed", "recomputed, kg")
QUALITY_COLUMNS = (
    "Model",
    "MOS",
    "MOS of\ntruth",
    "1 - %MOS\nprinted",
    "recom-\nputed",
    "Param.\nprinted",
    "Parameters\nexact",
    "MACs per\nsecond",
)
#: Larger numbers are parameters.
MANY = 10_000

#: (model, quantity) of the printed figures that do not follow.
Marked = set[tuple[str, str]]


def compose_paper(paper: "Reproduction", view: View) -> Document:
    """Return two tables, the fronts, and what does not follow."""
    del view
    marked = {(found.model, found.quantity) for found in paper.discrepancies}
    return Document.of(
        TITLE,
        [Heading(TITLE), Prose((Cell(LEGEND),))],
        present_training(paper, marked),
        present_quality(paper, marked),
        present_fronts(paper),
        present_lines("What does not follow", map(describe_discrepancy, paper.discrepancies)),
        present_lines(
            "What if: unverified, not the paper's figures", map(describe_what_if, paper.what_ifs)
        ),
    )


def make_table(names: tuple[str, ...], rows: Iterator[Row]) -> Table:
    """Return a table whose first column has names, and whose others have figures."""
    columns = (Column(name, "right" if index else "left") for index, name in enumerate(names))
    return Table(tuple(columns), tuple(rows), indent=2)


def present_training(paper: "Reproduction", marked: Marked) -> Iterator[Block]:
    """Yield Table 1."""
    yield Heading("Table 1, training: CO2e = 0.437 kg/kWh x n x p_max x t", level=2)
    rows = (make_training_row(row, marked) for row in paper.table1)
    yield make_table(TRAINING_COLUMNS, rows)


def make_training_row(row: "TrainingRow", marked: Marked) -> Row:
    """Return a line of Table 1."""
    of, energy, carbon = row.printed, row.recomputed.energy_kwh, row.recomputed.carbon_kgco2e
    return Row(
        (
            *make_cells(of.model, of.hardware),
            Cell(of.p_max_w.text, of.p_max_w.value, "W"),
            Cell(of.hours.text + mark(of.model, "hours", marked), of.hours.value, "h"),
            Cell(f"{energy.value:g}", energy.value, energy.unit, energy.kind),
            Cell(of.co2e_kg.text + mark(of.model, "co2e_kg", marked), of.co2e_kg.value, "kg"),
            Cell(f"{carbon.value:.3f}", carbon.value, carbon.unit, carbon.kind),
        )
    )


def mark(model: str, quantity: str, marked: Marked) -> str:
    """Return the mark of a printed figure that does not follow, or as much space."""
    return MARK if (model, quantity) in marked else NO_MARK


def present_quality(paper: "Reproduction", marked: Marked) -> Iterator[Block]:
    """Yield Table 2, with the other published sizes under their models."""
    yield Heading("Table 2, quality and parameters: %MOS = MOS / MOS of the truth", level=2)
    rows = (row for entry in paper.table2 for row in make_quality_rows(entry, marked))
    yield make_table(QUALITY_COLUMNS, rows)


def make_quality_rows(row: "QualityRow", marked: Marked) -> Iterator[Row]:
    """Yield a line of Table 2, and one for each other published size."""
    of, loss = row.printed, row.publication.mos_loss
    printed = (of.mos_loss.text if of.mos_loss else "-") + mark(of.model, "mos_loss", marked)
    params = f"{of.params.text}M"
    yield Row(
        (
            Cell(of.model),
            show_score(row, "mos"),
            show_score(row, "mos_truth"),
            Cell(printed, of.mos_loss.value if of.mos_loss else None),
            Cell(f"{loss.value:.4f}", loss.value, kind=loss.kind) if loss else Cell("-"),
            Cell(params + mark(of.model, "params", marked), of.params.value),
            Cell(exact(row.exact.params), row.exact.params, kind="counted"),
            Cell(si(row.exact.macs_per_s), row.exact.macs_per_s, "MAC", "counted"),
        )
    )
    for other in row.variants:
        params_cell = Cell(exact(other.params), other.params, kind="counted")
        macs = Cell(si(other.macs_per_s), other.macs_per_s, "MAC", "counted")
        yield Row((Cell(f"  {other.preset}"), *make_cells(*[""] * 5), params_cell, macs))


def show_score(row: "QualityRow", name: str) -> Cell:
    """Return an opinion score: 3.86±0.24, or a dash."""
    value = row.publication.values.get(name)
    if value is None:
        return Cell("-")
    spread = f"±{value.ci95[1] - value.value:.2g}" if value.ci95 else ""
    return Cell(f"{value.value:g}{spread}", value.value, kind=value.kind)


def present_fronts(paper: "Reproduction") -> Iterator[Block]:
    """Yield each front in a line with whom somebody dominates, and how sure the fronts are."""
    yield Heading("Figure 3, fronts of 1 - %MOS, the best in quality first", level=2)
    column = Column(wrap=True)
    rows = (Row(make_cells(*texts)) for texts in list_fronts(paper))
    yield Table((column, column, column), tuple(rows), indent=2)
    yield Prose(make_cells(*list_front_remarks(paper)), indent=2, listed=True)


def list_fronts(paper: "Reproduction") -> Iterator[tuple[str, str, str]]:
    """Yield the name of each front, its members, and who is dominated or why there is none."""
    yield "training CO2e", describe_members(paper.training), describe_dominated(paper.training)
    for cost, front in paper.inference.items():
        yield COSTS[cost], describe_members(front), describe_dominated(front)
    for cost, reason in paper.unavailable.items():
        yield COSTS[cost], "-", reason
    for variant in paper.variants:
        name = f"{COSTS['params_exact']}, {variant.counted.preset}"
        yield name, describe_members(variant.front), describe_dominated(variant.front)


def describe_members(front: "Front") -> str:
    """Return the models of the first front."""
    return ", ".join(front.names)


def describe_dominated(front: "Front") -> str:
    """Return who is dominated, and by whom."""
    return "; ".join(
        f"{name} is dominated by {', '.join(winners)}" for name, winners in front.dominated.items()
    )


def list_front_remarks(paper: "Reproduction") -> Iterator[str]:
    """Yield who is left out, and how sure the fronts are."""
    for name, reason in paper.training.unranked.items():
        yield f"unranked: {name}, {reason}"
    chances = paper.training.probability_optimal()
    listed = ", ".join(f"{name} {chance:.0%}" for name, chance in chances.items())
    yield f"probability to be in the training front, given the scores' intervals: {listed}"


def present_lines(title: str, lines: Iterator[str]) -> Iterator[Block]:
    """Yield a title and lines."""
    yield Heading(title, level=2)
    yield Notes(make_cells(*lines), indent=2)


def describe_discrepancy(found: "Discrepancy") -> str:
    """Return where a figure is, what is printed, what was found, and what may be behind it."""
    name = NAMES.get(found.quantity, found.quantity)
    return (
        f"{found.model}, {found.table}, {name}: printed {write_number(found.printed)}, "
        f"found {write_number(found.found)}. {found.remark}"
    )


def write_number(value: float) -> str:
    """Return parameters with all digits, and others with five."""
    return exact(int(value)) if value > MANY else f"{value:.5g}"


def describe_what_if(other: "Alternative") -> str:
    """Return another score, what follows, and where it is from."""
    given = other.given
    verified = "verified" if given.verified else "unverified"
    return (
        f"{given.model} with a MOS of {given.mos:g} ({verified}): 1 - %MOS = {other.mos_loss:.4f}; "
        f"fronts: training {describe_members(other.training)}; parameters as printed "
        f"{describe_members(other.inference)}. {given.remark}"
    )
