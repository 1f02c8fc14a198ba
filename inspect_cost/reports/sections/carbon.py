"""What a training took and emitted: results, the formula, and each input with its source."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from inspect_cost.reports.document import (
    Block,
    Cell,
    Column,
    Document,
    Fact,
    Facts,
    Heading,
    Notes,
    Prose,
    Row,
    Table,
    make_cells,
)
from inspect_cost.reports.view import View
from inspect_cost.values.quantity import Quantity

if TYPE_CHECKING:
    from inspect_cost.carbon.estimate import CarbonEstimate, Phase
    from inspect_cost.reports.results import TrainingCarbon

UNKNOWN = "not known"


def compose_carbon(estimate: "CarbonEstimate", view: View) -> Document:
    """Return the document of one training."""
    del view
    notes = Notes(make_cells(*estimate.notes, style="warning"))
    return Document.of(
        "Training carbon",
        [Heading("Training carbon"), Prose((Cell(estimate.formula),))],
        [Facts((*list_results(estimate), *list_inputs(estimate)))],
        [notes] if notes.lines else [],
    )


def list_results(estimate: "CarbonEstimate") -> Iterator[Fact]:
    """Yield energy and CO2e."""
    energy = estimate.energy_kwh
    yield Fact("Energy", show(energy), f"{energy.kind}: {energy.source}")
    yield Fact("CO2e", show(estimate.carbon_kgco2e), f"{energy.kind}: energy x intensity")


def list_inputs(estimate: "CarbonEstimate") -> Iterator[Fact]:
    """Yield what they follow from."""
    for phase in estimate.phases:
        power = Cell(describe_power(phase), kind=phase.power.kind)
        yield Fact("Power", power, f"{phase.power.kind}: {phase.power.source}")
        yield Fact("Time", Cell(f"{phase.hours} h", unit="h"))
    for name, given in (("CPUs", estimate.cpu_power_w), ("Memory", estimate.ram_power_w)):
        if given:
            yield Fact(name, show(given), given.source)
    yield Fact("Intensity", show(estimate.intensity), estimate.intensity.source)
    pue = estimate.pue
    yield Fact("PUE", show(pue), pue.source if pue else "in the energy")


def compose_models(models: "TrainingCarbon", view: View) -> Document:
    """Return the document of several models' trainings."""
    del view
    known = [estimate for estimate in models.estimates.values() if estimate]
    sources = dict.fromkeys(map(describe_source, known))
    notes = Notes(make_cells(*sources))
    return Document.of("Training carbon", present_models(models), [notes] if sources else [])


def present_models(models: "TrainingCarbon") -> Iterator[Block]:
    """Yield a line for each model."""
    names = ("Model", "Energy", "CO2e", "Kind", "Hardware", "Intensity")
    numbers = {"Energy", "CO2e"}
    columns = [Column(n, "right" if n in numbers else "left", wrap=True) for n in names]
    rows = [make_row(name, estimate) for name, estimate in models.estimates.items()]
    yield Table(tuple(columns), tuple(rows))


def make_row(name: str, estimate: "CarbonEstimate | None") -> Row:
    """Return the line of a model; one whose training is not published has no figures."""
    if estimate is None:
        return Row(make_cells(name, UNKNOWN, UNKNOWN, "", "", ""))
    hardware = ", ".join(dict.fromkeys(map(describe_power, estimate.phases)))
    energy, carbon = show(estimate.energy_kwh), show(estimate.carbon_kgco2e)
    kind, intensity = Cell(estimate.energy_kwh.kind), show(estimate.intensity)
    return Row((Cell(name), energy, carbon, kind, Cell(hardware), intensity))


def describe_source(estimate: "CarbonEstimate") -> str:
    """Return where intensity and PUE are from."""
    intensity, pue = estimate.intensity, estimate.pue
    overhead = f"{write_number(pue)}: {pue.source}." if pue else f"{UNKNOWN}."
    return f"{write_number(intensity)}: {intensity.source}. PUE {overhead}"


def describe_power(phase: "Phase") -> str:
    """Return a phase's devices: "4 x 250 W P100 PCIe"."""
    return f"{phase.count} x {phase.power.watts} W {phase.hardware}".rstrip()


def show(quantity: Quantity | None) -> Cell:
    """Return a quantity, or that it is not known."""
    if quantity is None:
        return Cell(UNKNOWN)
    return Cell(write_number(quantity), quantity.value, quantity.unit, quantity.kind)


def write_number(quantity: Quantity) -> str:
    """Return four significant digits, the range if there is one, and the unit."""
    unit = "kg" if quantity.unit == "kgCO2e" else quantity.unit
    value = f"{quantity.value:.4g}"
    if quantity.ci95:
        value = f"{quantity.ci95[0]:.4g}..{quantity.ci95[1]:.4g}"
    return f"{value} {unit}".rstrip()
