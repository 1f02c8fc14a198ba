"""Wording at the edge: parameters of Python, spelled as options of the command line.

Errors and results speak of parameters, so that they read right in Python and in the files that
`inspect_cost.load` reads. What a command prints speaks of its options.
"""

import re
from collections.abc import Mapping

from inspect_cost.values.units import S_PER_H, S_PER_MIN

#: Parameter -> option. Messages of the core name parameters in backticks: `` `year` ``.
OPTIONS: Mapping[str, str] = {
    "attention": "--attention",
    "axes": "--axis",
    "backend": "--backend",
    "backends": "--backend",
    "backward": "--backward",
    "batch": "--batch",
    "battery_wh": "--battery",
    "cpu_power_w": "--cpu-power",
    "depth": "--depth",
    "device": "--device",
    "draws": "--draws",
    "dtype": "--dtype",
    "energies": "--reports",
    "format": "--format",
    "gpu": "--gpu",
    "grid_intensity": "--grid-intensity",
    "hours": "--hours",
    "input_len": "--input-len",
    "input_shapes": "--input",
    "inputs": "--input",
    "intensity": "--intensity",
    "maximise": "--maximise",
    "max_power_w": "--max-power",
    "measure_time_s": "--measure-time",
    "minimise": "--minimise",
    "optimizer": "--optimizer",
    "period": "--period",
    "policy": "--policy",
    "power_kind": "--power-kind",
    "power_w": "--power",
    "pue": "--pue",
    "ram_power_w": "--ram-power",
    "report": "--report",
    "seed": "--seed",
    "settings": "--set",
    "threads": "--threads",
    "timeout_s": "--timeout",
    "trip_counts": "--trip-count",
    "until_ci": "--until-ci",
    "verify": "--verify",
    "weights": "--weights",
    "year": "--year",
    "zone": "--zone",
}
#: Call -> what one types instead of it.
COMMANDS: Mapping[str, str] = {
    "measure=False": "--no-measure",
    "verify=True": "--verify",
    "save(path)": "inspect-cost MODEL --format json -o FILE",
}
_QUOTED = re.compile(r"`([^`\n]+)`")
_PARAMETER = re.compile(r"(\w+)(?:=(.+))?")


def spell_options(text: str) -> str:
    """Replace every parameter in backticks by its option; leave everything else as it is.

    >>> spell_options("`year` needs a `zone`")
    '--year needs a --zone'
    >>> spell_options("`measure_time_s=420` for all.")
    '--measure-time 7m for all.'
    >>> spell_options("left out by `measure=False`")
    'left out by --no-measure'
    """
    return _QUOTED.sub(lambda found: _spell(found[1]) or found[0], text)


def _spell(code: str) -> str:
    """Return the option for a parameter or a call; "" if the command line has none."""
    if code in COMMANDS:
        return COMMANDS[code]
    found = _PARAMETER.fullmatch(code)
    if not found or found[1] not in OPTIONS:
        return ""
    parameter, value = found.groups()
    if value and parameter == "measure_time_s":
        value = spell_duration(float(value))
    return f"{OPTIONS[parameter]} {value}" if value else OPTIONS[parameter]


def spell_duration(seconds: float) -> str:
    """Return seconds in the form that --measure-time takes.

    >>> spell_duration(30), spell_duration(420), spell_duration(7200), spell_duration(90)
    ('30s', '7m', '2h', '90s')
    """
    for unit, name in ((S_PER_H, "h"), (S_PER_MIN, "m")):
        if seconds > unit and seconds % unit == 0:
            return f"{seconds / unit:g}{name}"
    return f"{seconds:g}s"
