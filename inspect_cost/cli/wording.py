"""Words of errors at the edge: parameters of Python, spelled as options of the command line."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from inspect_cost.values.notes import Note
from inspect_cost.values.units import S_PER_H, S_PER_MIN

if TYPE_CHECKING:
    from inspect_cost.reports.inspection import Inspection, PhaseResult

#: Parameter -> option. Messages of the core name parameters in backticks: `` `year` ``.
OPTIONS: Mapping[str, str] = {
    "backend": "--backend",
    "backends": "--backend",
    "batch": "--batch",
    "battery_wh": "--battery",
    "cpu_power_w": "--cpu-power",
    "device": "--device",
    "draws": "--draws",
    "dtype": "--dtype",
    "format": "--format",
    "gpu": "--gpu",
    "grid_intensity": "--grid-intensity",
    "hours": "--hours",
    "input_len": "--input-len",
    "input_shapes": "--input",
    "inputs": "--input",
    "intensity": "--intensity",
    "max_power_w": "--max-power",
    "measure_time_s": "--measure-time",
    "policy": "--policy",
    "power_kind": "--power-kind",
    "power_w": "--power",
    "pue": "--pue",
    "ram_power_w": "--ram-power",
    "report": "--report",
    "seed": "--seed",
    "settings": "--set",
    "threads": "--threads",
    "trip_counts": "--trip-count",
    "until_ci": "--until-ci",
    "weights": "--weights",
    "year": "--year",
    "zone": "--zone",
}
_PARAMETER = re.compile(r"`(\w+)(?:=([^`]+))?`")


def spell_options(text: str) -> str:
    """Replace every parameter in backticks by its option, and leave everything else as it is.

    >>> spell_options("`year` needs a `zone`")
    '--year needs a --zone'
    >>> spell_options("`measure_time_s=420` for all.")
    '--measure-time 7m for all.'
    """
    return _PARAMETER.sub(_spell, text)


def spell_note(note: Note) -> Note:
    """Return a note that speaks of options instead of parameters, with the same code."""
    return Note(note.code, spell_options(note), note.severity)


def _spell(match: re.Match[str]) -> str:
    parameter, value = match.groups()
    if parameter not in OPTIONS:
        return match[0]
    if value and parameter == "measure_time_s":
        value = spell_duration(float(value))
    return f"{OPTIONS[parameter]} {value}" if value else OPTIONS[parameter]


def spell_duration(seconds: float) -> str:
    """Return seconds as --measure-time takes them.

    >>> spell_duration(30), spell_duration(420), spell_duration(7200), spell_duration(90)
    ('30s', '7m', '2h', '90s')
    """
    for unit, name in ((S_PER_H, "h"), (S_PER_MIN, "m")):
        if seconds > unit and seconds % unit == 0:
            return f"{seconds / unit:g}{name}"
    return f"{seconds:g}s"


def spell_inspection(inspection: "Inspection") -> "Inspection":
    """Let the notes of a report speak of options instead of parameters."""
    return replace(inspection, phases=tuple(map(_spell_phase, inspection.phases)))


def _spell_phase(result: "PhaseResult") -> "PhaseResult":
    measurements = tuple(
        replace(measurement, notes=tuple(map(spell_note, measurement.notes)))
        for measurement in result.measurements
    )
    count = replace(result.count, notes=tuple(map(spell_note, result.count.notes)))
    return replace(result, count=count, measurements=measurements)
