"""Words of errors at the edge: parameters of Python, spelled as options of the command line."""

import re
from collections.abc import Mapping

#: Parameter -> option. Messages of the core name parameters in backticks: `` `year` ``.
OPTIONS: Mapping[str, str] = {
    "backend": "--backend",
    "backends": "--backend",
    "batch": "--batch",
    "battery_wh": "--battery",
    "cpu_power_w": "--cpu-power",
    "device": "--device",
    "dtype": "--dtype",
    "gpu": "--gpu",
    "grid_intensity": "--grid-intensity",
    "hours": "--hours",
    "input_len": "--input-len",
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
_PARAMETER = re.compile(r"`(\w+)`")


def spell_options(text: str) -> str:
    """Replace every parameter in backticks by its option; what is no parameter stays as it is.

    >>> spell_options("`year` needs a `zone`")
    '--year needs a --zone'
    """
    return _PARAMETER.sub(lambda match: OPTIONS.get(match[1], match[0]), text)
