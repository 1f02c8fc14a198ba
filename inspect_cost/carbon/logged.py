"""Contents of a tracker's file, before the grid's intensity is decided on."""

from dataclasses import dataclass

from inspect_cost.values.notes import Note
from inspect_cost.values.quantity import Kind


@dataclass(frozen=True)
class Logged:
    """Contents of a tracker's file.

    Attributes:
        energy_kwh: in total, with the overhead of the data centre that the tracker assumed.
        carbon_kgco2e: as logged; None where it is not.
        pue: the overhead in the energy; None where the file does not name it.
        kind: measured, if a sensor gave most of the energy.
        source: the tracker.
        grid: source of the tracker's intensity.
        notes: what to know about the figures.
    """

    energy_kwh: float
    carbon_kgco2e: float | None
    pue: float | None
    kind: Kind
    source: str
    grid: str
    notes: tuple[Note, ...]
