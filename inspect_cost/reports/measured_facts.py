"""Measured facts from files of reports, each with the file in its source."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from inspect_cost.reports.data import load
from inspect_cost.reports.inspection import Inspection
from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Quantity


def read_measured_energies(paths: Iterable[Path]) -> dict[str, Quantity]:
    """Return model -> measured energy per second of audio, in J, from those reports that have it.

    Raises:
        UsageError: a file is not a report of this tool, or two measured the same model.
    """
    energies: dict[str, Quantity] = {}
    for path in paths:
        report = load(path, Inspection)
        name, energy = report.identity.name, _find_fact(report, "energy_j_per_s", path)
        if name in energies:
            raise UsageError(f"two reports measured {name}", "Give only one of them.")
        if energy is not None:
            energies[name] = energy
    return energies


def read_measured_power(path: Path) -> Quantity:
    """Return the mean power in a report of this tool, in W, with its interval and its sensor.

    Raises:
        UsageError: the file is not a report, or has no measured power.
    """
    power = _find_fact(load(path, Inspection), "power_w", path)
    if power is None:
        raise UsageError(
            f"{path} has no measured power",
            "Measure where there is an energy sensor, or give `power_w`.",
            field="report",
        )
    return power


def _find_fact(report: Inspection, name: str, path: Path) -> Quantity | None:
    found = report.facts().get(name)
    return found and replace(found, source=f"{found.source}, in {path}")
