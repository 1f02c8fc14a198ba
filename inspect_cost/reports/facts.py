"""The facts that models are ranked by, from a report."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspect_cost.reports.data import read_report, whole_report
from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Quantity, check_number

#: Objective -> its section and key in a report.
COUNTED: Mapping[str, tuple[str, str]] = {
    "params": ("count", "params"),
    "param_bytes": ("count", "param_bytes"),
    "macs": ("count", "macs"),
    "macs_per_s": ("audio", "macs_per_second"),
    "flops": ("count", "flops"),
    "flops_per_s": ("audio", "flops_per_second"),
    "bytes_moved": ("count", "bytes_moved"),
}
#: Objective -> its key in a report's measurement.
MEASURED: Mapping[str, str] = {
    "latency_s": "latency_s",
    "real_time_factor": "real_time_factor",
    "energy_j": "energy_j",
    "energy_net_j": "energy_net_j",
    "energy_j_per_s": "energy_per_audio_second_j",
    "estimated_energy_j": "estimated_energy_j",
    "power_w": "power_w",
}
#: Keys of memory in a report's measurement, the most informative first.
MEMORY = ("cuda_peak_b", "peak_rss_b")


def facts_of_report(report: Mapping[str, Any], origin: str) -> dict[str, Quantity]:
    """Return objective -> value from a report as data, schema inspect-cost/report/1.

    If the cost of some operator is unknown, MACs, FLOPs and bytes are only lower bounds, and are
    left out.

    Args:
        report: what `Report.to_dict` returns.
        origin: the source of counted values: a file, or "preset sing".

    Raises:
        KeyError, TypeError, ValueError, AttributeError: the report is incomplete.
    """
    return _counted_facts(report, origin) | _measured_facts(report.get("measurement") or {})


def _counted_facts(report: Mapping[str, Any], origin: str) -> dict[str, Quantity]:
    complete = not report["count"].get("uncounted")
    facts: dict[str, Quantity] = {}
    for name, (section, key) in COUNTED.items():
        number = (report.get(section) or {}).get(key)
        if number is not None and (complete or name.startswith("param")):
            facts[name] = Quantity(check_number(number), "", "counted", origin)
    return facts


def _measured_facts(measurement: Mapping[str, Any]) -> dict[str, Quantity]:
    memory = measurement.get("memory") or {}
    written = {name: measurement.get(key) for name, key in MEASURED.items()}
    written["memory"] = next((memory[key] for key in MEMORY if memory.get(key)), None)
    return {name: Quantity.from_dict(entry) for name, entry in written.items() if entry is not None}


def read_measured_energies(paths: Iterable[Path]) -> dict[str, Quantity]:
    """Return model -> measured energy per second of audio, in J, from those reports that have it.

    Raises:
        UsageError: a file is not a report of this tool, or two measured the same model.
    """
    energies: dict[str, Quantity] = {}
    for path in paths:
        name, energy = _read_energy(path)
        if name in energies:
            raise UsageError(f"two reports measured {name}", "Give only one of them.")
        if energy is not None:
            energies[name] = energy
    return energies


def _read_energy(path: Path) -> tuple[str, Quantity | None]:
    report = read_report(path)
    with whole_report(path):
        name = str(report["model"]["name"])
        written = (report["measurement"] or {}).get(MEASURED["energy_j_per_s"])
        if written is None:
            return name, None
        energy = Quantity.from_dict(written)
    return name, replace(energy, source=f"{energy.source}, in {path}")
