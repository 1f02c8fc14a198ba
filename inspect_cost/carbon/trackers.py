"""Training carbon from what a tracker wrote: codecarbon's emissions.csv, carbontracker's logs."""

from pathlib import Path

from inspect_cost.carbon.carbontracker import read_carbontracker
from inspect_cost.carbon.codecarbon import read_codecarbon
from inspect_cost.carbon.estimate import CarbonEstimate, choose_intensity
from inspect_cost.carbon.logged import Logged
from inspect_cost.hardware.grid import Intensity
from inspect_cost.values.bounds import PLAIN, Bounds, Given, parse_bounds
from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Quantity


def carbon_from_codecarbon(
    path: Path,
    *,
    intensity: Given | None = None,
    zone: str | None = None,
    year: int | None = None,
    pue: Given | None = None,
) -> CarbonEstimate:
    """Read the energy and CO2e in an ``emissions.csv`` of codecarbon, all its runs together.

    Args:
        path: the file.
        intensity: of the grid, instead of codecarbon's.
        zone: whose intensity to take instead of codecarbon's.
        year: of the zone's figure.
        pue: overhead of the data centre, if codecarbon assumed none.

    Raises:
        UsageError: the file is malformed, or an argument contradicts it.
    """
    return _estimate(read_codecarbon(path), intensity, zone, year, pue)


def carbon_from_carbontracker(
    path: Path,
    *,
    intensity: Given | None = None,
    zone: str | None = None,
    year: int | None = None,
    pue: Given | None = None,
) -> CarbonEstimate:
    """Read the energy and CO2e in a log of carbontracker.

    It is ``..._carbontracker_output.log`` or ``..._carbontracker.log``. The other of the two is
    read as well if it lies beside it.

    Args:
        path: the file.
        intensity: of the grid, instead of carbontracker's.
        zone: whose intensity to take instead of carbontracker's.
        year: of the zone's figure.
        pue: overhead of the data centre, if the log has energy without one.

    Raises:
        UsageError: the log has no consumption, or an argument contradicts it.
    """
    return _estimate(read_carbontracker(path), intensity, zone, year, pue)


def _estimate(
    logged: Logged,
    intensity: Given | None,
    zone: str | None,
    year: int | None,
    pue: Given | None,
) -> CarbonEstimate:
    if pue is not None and logged.pue != 1:
        has = "one of its own" if logged.pue is None else f"a PUE of {logged.pue:g}"
        raise UsageError(
            f"the energy of {logged.source} includes {has}", "Leave out `pue`.", field="pue"
        )
    overhead = Bounds.exactly(1) if pue is None else parse_bounds(pue, "pue", PLAIN, least=1)
    energy = overhead * logged.energy_kwh
    own = intensity is None and zone is None and year is None and logged.carbon_kgco2e is not None
    factor = _find_own_factor(logged) if own else choose_intensity(intensity, zone, year)
    carbon = energy * factor.kgco2e_per_kwh
    return CarbonEstimate(
        energy_kwh=Quantity(energy.value, "kWh", logged.kind, logged.source, energy.range),
        carbon_kgco2e=Quantity(
            carbon.value,
            "kgCO2e",
            logged.kind,
            f"energy x intensity ({factor.source})",
            carbon.range,
        ),
        intensity=Quantity(
            value=factor.kgco2e_per_kwh.value,
            unit="kgCO2e/kWh",
            kind="reported",
            source=factor.source,
            ci95=factor.kgco2e_per_kwh.range,
        ),
        pue=_compute_pue(overhead, logged, "given" if pue else logged.source),
        formula="CO2e = intensity x logged energy" + (" x PUE" if pue is not None else ""),
        notes=logged.notes,
    )


def _compute_pue(overhead: Bounds, logged: Logged, source: str) -> Quantity | None:
    """Return the PUE that is in the energy; a PUE is only given where the log has 1, or none."""
    if logged.pue is None:
        return None
    return Quantity(overhead.value * logged.pue, "", "reported", source)


def _find_own_factor(logged: Logged) -> Intensity:
    """Return the intensity that the tracker used; 0 where nothing was consumed."""
    carbon = logged.carbon_kgco2e or 0.0
    value = carbon / logged.energy_kwh if logged.energy_kwh else 0.0
    return Intensity(Bounds.exactly(value), logged.grid)
