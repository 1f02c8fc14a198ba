"""Where a model stands beside the paper's: its training carbon, its quality, its fronts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from inspect_cost.reports.document import Block, Cell, Document, Prose
from inspect_cost.reports.view import View
from inspect_cost.values.units import exact, si

if TYPE_CHECKING:
    from inspect_cost.paper.places import Place, Standing

#: Objective beside quality -> how a line about it begins.
NAMES = {
    "co2e_kg": "training CO2e",
    "params_exact": "parameters",
    "macs_per_s": "MACs per second of audio",
}


def compose_standing(standing: "Standing", view: View) -> Document:
    """Return the document of a standing."""
    del view
    return Document.of(f"{standing.model} beside others", present_standing(standing))


def present_standing(standing: "Standing") -> Iterator[Block]:
    """Yield a few lines: training, quality, and the place on each front."""
    yield Prose((Cell(f"{standing.model} as published, beside {', '.join(standing.beside)}"),))
    yield Prose(tuple(describe_standing(standing)), indent=2, listed=True)


def describe_standing(standing: "Standing") -> Iterator[Cell]:
    """Yield the lines."""
    yield describe_training(standing)
    if standing.unranked:
        yield Cell(f"quality    unranked: {standing.unranked}")
        return
    if loss := standing.mos_loss:
        text = f"quality    1 - %MOS = {loss.value:.4f} ({loss.kind})"
        yield Cell(text, loss.value, kind=loss.kind)
    yield from map(describe_place, standing.places)


def describe_training(standing: "Standing") -> Cell:
    """Return what the training emitted."""
    training = standing.training
    if not training:
        return Cell("training   not published")
    carbon, intensity = training.carbon_kgco2e, training.intensity
    text = (
        f"training   {carbon.value:.3g} kg CO2e ({carbon.kind}), "
        f"{training.energy_kwh.value:.3g} kWh at {intensity.value:.3g} kgCO2e/kWh"
    )
    return Cell(text, carbon.value, carbon.unit, carbon.kind)


def describe_place(place: "Place") -> Cell:
    """Return a model's place on one front."""
    value = place.value
    text = f"{NAMES[place.cost]}: {describe_verdict(place)}"
    return Cell(text, value.value, value.unit, value.kind) if value else Cell(text)


def describe_verdict(place: "Place") -> str:
    """Return whether a model is on a front, or who dominates it."""
    if place.value is None or place.rank is None:
        return f"unranked, {place.reason}"
    amount = describe_amount(place.cost, place.value.value)
    if place.rank:
        return f"{amount}, dominated by {', '.join(place.dominated_by)}, front {place.rank + 1}"
    chance = place.probability_optimal
    sure = "" if chance is None else f" (probability {chance:.0%})"
    return f"{amount}, Pareto-optimal{sure} among {place.of}"


def describe_amount(cost: str, value: float) -> str:
    """Return a value of an objective as people write it."""
    if cost == "co2e_kg":
        return f"{value:.3g} kg"
    return exact(int(value)) if cost == "params_exact" else si(value)
