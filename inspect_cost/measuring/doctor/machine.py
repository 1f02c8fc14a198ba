"""The machine that measures: what about it decides speed and power, and which software runs it."""

import os
import platform
import re
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it has no annotations
import pynvml  # type: ignore[import-untyped] # nvidia-ml-py has no annotations

from inspect_cost.measuring.sensors.powercap import ROOT_VARIABLE
from inspect_cost.values.provenance import installed_version

CPU_INFO = Path("/proc/cpuinfo")
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
#: Chips whose temperature sensors are the CPU's, as the kernel's drivers name them.
CPU_CHIPS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
PACKAGES = ("inspect-cost", "torch", "nvidia-ml-py", "zeus")


def describe_machine() -> dict[str, Any]:
    """Return the CPU's model, threads, governor, clocks, temperature; None where not readable."""
    return {
        "cpu": read_cpu_model(),
        "sockets": count_sockets(),
        "cpu_threads": os.cpu_count(),
        "memory_b": psutil.virtual_memory().total,
        "governor": read_governor(),
        "clocks_mhz": read_clocks_mhz(),
        "temperature_c": read_temperature_c(),
    }


def describe_conditions(device: str, dtype: str, threads: int | None) -> dict[str, Any]:
    """Return the machine and how it was used; a powercap tree from the environment is named."""
    return {
        "device": device,
        "dtype": dtype or None,
        "threads": threads,
        "powercap_root": os.environ.get(ROOT_VARIABLE),
        **describe_machine(),
    }


def describe_versions() -> dict[str, str | None]:
    """Return versions of kernel, NVIDIA driver, Python and packages; None where not installed."""
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "nvidia_driver": read_nvidia_driver(),
        "python": platform.python_version(),
        **{name: installed_version(name) for name in PACKAGES},
    }


def read_cpu_model() -> str | None:
    """Return the processor's name for itself."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", CPU_INFO.read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or None


def count_sockets() -> int:
    """Return the number of processors in the machine; 1 where it is not readable."""
    try:
        found = set(re.findall(r"^physical id\s*:\s*(\d+)$", CPU_INFO.read_text(), re.MULTILINE))
    except OSError:
        return 1
    return len(found) or 1


def read_governor() -> str | None:
    """Return how the kernel chooses the clock: "performance", "powersave"; None if not readable."""
    try:
        return GOVERNOR.read_text().strip()
    except OSError:
        return None


def read_clocks_mhz() -> dict[str, float] | None:
    """Return the CPU's present clock, and its bounds where they are known."""
    try:
        frequency = psutil.cpu_freq()
    except (AttributeError, OSError, NotImplementedError, RuntimeError):
        return None
    return None if frequency is None else {k: v for k, v in frequency._asdict().items() if v}


def read_temperature_c() -> float | None:
    """Return the temperature of the CPU's hottest part; None without a sensor."""
    readings: dict[str, Any] = getattr(psutil, "sensors_temperatures", dict)()
    values = [entry.current for chip in CPU_CHIPS for entry in readings.get(chip, ())]
    return max(values, default=None)


def read_nvidia_driver(nvml: Any = pynvml) -> str | None:
    """Return the version of the NVIDIA driver that is loaded; None if none is."""
    try:
        nvml.nvmlInit()
        return str(nvml.nvmlSystemGetDriverVersion())
    except nvml.NVMLError:
        return None
