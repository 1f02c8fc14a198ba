"""A training's energy and CO2e, as a table or as JSON."""

import json
from collections.abc import Mapping

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from inspect_cost.carbon.estimate import CarbonEstimate, Phase
from inspect_cost.reports.text import rendered
from inspect_cost.reports.view import View
from inspect_cost.values.provenance import describe_run
from inspect_cost.values.quantity import Quantity

UNKNOWN = "not known"


def carbon_json(estimate: CarbonEstimate) -> str:
    """Everything, with the inputs and their sources."""
    content = {**estimate.to_dict(), "provenance": describe_run()}
    return json.dumps(content, indent=2, ensure_ascii=False)


def carbon_table(estimate: CarbonEstimate, view: View) -> str:
    """Results, the formula, and each input with its source."""
    grid = Table.grid(padding=(0, 3))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(style="dim")
    kind = estimate.energy_kwh.kind
    grid.add_row("Energy", number(estimate.energy_kwh), f"{kind}: {estimate.energy_kwh.source}")
    grid.add_row("CO2e", number(estimate.carbon_kgco2e), f"{kind}: energy x intensity")
    for phase in estimate.phases:
        grid.add_row("Power", power(phase), f"{phase.power.kind}: {phase.power.source}")
        grid.add_row("Time", f"{phase.hours} h", "")
    for name, given in (("CPUs", estimate.cpu_power_w), ("Memory", estimate.ram_power_w)):
        if given:
            grid.add_row(name, number(given), given.source)
    grid.add_row("Intensity", number(estimate.intensity), estimate.intensity.source)
    pue = estimate.pue
    grid.add_row("PUE", number(pue) if pue else UNKNOWN, pue.source if pue else "in the energy")
    notes = [Text(note, style="yellow") for note in estimate.notes]
    parts = [Text("Training carbon", style="bold"), Text(estimate.formula), Text()]
    return rendered(
        Group(*parts, Padding(grid, (0, 0, 0, 2)), Text() if notes else "", *notes), view
    )


def models_json(found: Mapping[str, CarbonEstimate | None]) -> str:
    """Every model's estimate, null where its training is not published."""
    models = {name: estimate and estimate.to_dict() for name, estimate in found.items()}
    content = {"schema": "inspect-cost/carbon-models/1", "models": models}
    return json.dumps({**content, "provenance": describe_run()}, indent=2, ensure_ascii=False)


def models_table(found: Mapping[str, CarbonEstimate | None], view: View) -> str:
    """A line for each model."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for column in ("Model", "Energy", "CO2e", "Kind", "Hardware", "Intensity"):
        table.add_column(column, justify="right" if column in {"Energy", "CO2e"} else "left")
    for name, estimate in found.items():
        if estimate is None:
            table.add_row(name, UNKNOWN, UNKNOWN, "", "", "")
            continue
        hardware = ", ".join(dict.fromkeys(power(phase) for phase in estimate.phases))
        results = number(estimate.energy_kwh), number(estimate.carbon_kgco2e)
        row = (*results, estimate.energy_kwh.kind, hardware, number(estimate.intensity))
        table.add_row(name, *row)
    known = [estimate for estimate in found.values() if estimate]
    sources = dict.fromkeys(
        f"{number(e.intensity)}: {e.intensity.source}. PUE {_pue(e)}" for e in known
    )
    return rendered(Group(table, Text(), *map(Text, sources)), view)


def _pue(estimate: CarbonEstimate) -> str:
    pue = estimate.pue
    return f"{number(pue)}: {pue.source}." if pue else f"{UNKNOWN}."


def power(phase: Phase) -> str:
    """4 x 250 W P100 PCIe."""
    return f"{phase.count} x {phase.power.watts} W {phase.hardware}".rstrip()


def number(quantity: Quantity) -> str:
    """Four significant digits, the range where there is one, and the unit."""
    unit = quantity.unit.replace("kgCO2e", "kg", 1) if quantity.unit == "kgCO2e" else quantity.unit
    value = f"{quantity.value:.4g}"
    if quantity.ci95:
        value = f"{quantity.ci95[0]:.4g}..{quantity.ci95[1]:.4g}"
    return f"{value} {unit}".rstrip()
