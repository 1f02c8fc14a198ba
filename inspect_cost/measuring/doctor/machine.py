"""The machine that measures, for the provenance: what of it decides speed and power."""

import os
import platform
import re
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it has no annotations

CPU_INFO = Path("/proc/cpuinfo")
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
#: Chips whose sensors are the CPU's, as the kernel's drivers name them.
CPU_CHIPS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")


def cpu_model() -> str | None:
    """The processor's name, as it calls itself."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", CPU_INFO.read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or None


def sockets() -> int:
    """Processors in the machine; 1 where that is not told."""
    try:
        found = set(re.findall(r"^physical id\s*:\s*(\d+)$", CPU_INFO.read_text(), re.MULTILINE))
    except OSError:
        return 1
    return len(found) or 1


def governor() -> str | None:
    """How the kernel chooses the clock: "performance", "powersave"; None where not readable."""
    try:
        return GOVERNOR.read_text().strip()
    except OSError:
        return None


def clocks_mhz() -> dict[str, float] | None:
    """The CPU's clock now, and its bounds where they are known."""
    try:
        frequency = psutil.cpu_freq()
    except (AttributeError, OSError, NotImplementedError, RuntimeError):
        return None
    return None if frequency is None else {k: v for k, v in frequency._asdict().items() if v}


def temperature_c() -> float | None:
    """The hottest part of the CPU; None where there is no sensor."""
    readings: dict[str, Any] = getattr(psutil, "sensors_temperatures", dict)()
    values = [entry.current for chip in CPU_CHIPS for entry in readings.get(chip, ())]
    return max(values, default=None)


def machine() -> dict[str, Any]:
    """Of the CPU: model, threads, governor, clocks, temperature; None where not readable."""
    return {
        "cpu": cpu_model(),
        "sockets": sockets(),
        "cpu_threads": os.cpu_count(),
        "memory_b": psutil.virtual_memory().total,
        "governor": governor(),
        "clocks_mhz": clocks_mhz(),
        "temperature_c": temperature_c(),
    }


def provenance(device: str, dtype: str, threads: int | None) -> dict[str, Any]:
    """The machine, and how it was used; a powercap tree from the environment is named."""
    return {
        "device": device,
        "dtype": dtype or None,
        "threads": threads,
        "powercap_root": os.environ.get("INSPECT_COST_POWERCAP_ROOT"),
        **machine(),
    }
