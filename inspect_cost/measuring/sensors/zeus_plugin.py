"""AMD GPUs, Apple silicon and Jetson, through the package zeus (the extra ``zeus``).

Only for devices that no sensor of ours reads: its RAPL and NVML readers are not used.

Source: zeus.device of zeus 0.16.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from inspect_cost.measuring.sensors.protocol import SensorError, Sensors, Unavailable
from inspect_cost.values.units import MILLI

PERIOD_S = 0.1
WINDOW_S = 2.0

#: Field of zeus's measurement of a chip -> (domain, torch device). Fields that are part of these
#: are left out.
CHIP_FIELDS = {
    "cpu_total_mj": ("cpu-0", "cpu"),
    "dram_mj": ("dram-0", "cpu"),
    "gpu_mj": ("gpu-0", "mps"),
    "gpu_sram_mj": ("gpu-sram-0", "mps"),
    "cpu_energy_mj": ("cpu-0", "cpu"),
    "gpu_energy_mj": ("gpu-0", "cuda:0"),
}


@dataclass
class ZeusSensor:
    """A counter that zeus reads; see `EnergySensor` for the attributes.

    Attributes:
        read_mj: reads the counter, in mJ.
    """

    domain: str
    source: str
    device: str
    read_mj: Callable[[], float]
    period_s: float = PERIOD_S
    recommended_window_s: float = WINDOW_S
    range_j: float | None = None

    def read_j(self) -> float:
        """Return joules since some moment in the past."""
        try:
            return float(self.read_mj()) * MILLI
        except Exception as error:
            raise SensorError(f"{self.source}: {error}") from error

    def disturbance(self) -> str | None:
        """Return None: zeus does not report disturbances."""
        return None


def zeus_sensors() -> Sensors:
    """Find what zeus reads on this machine; this is the entry point."""
    try:
        amd, chips = import_module("zeus.device.gpu.amd"), import_module("zeus.device.soc")
    except ImportError:
        fix = "For AMD GPUs, Apple silicon or Jetson: pip install 'inspect-cost[zeus]'."
        return Sensors((), (Unavailable("zeus", "the package zeus is not installed", fix),))
    found = Sensors()
    if amd.amdsmi_is_available():
        found += find_amd_sensors(amd.AMDGPUs().gpus)
    with suppress(chips.ZeusSoCInitError):  # most machines have no such chip
        found += find_chip_sensors(chips.get_soc())
    if found == Sensors():
        reason = "it finds no AMD GPU, no Apple silicon and no Jetson"
        return Sensors((), (Unavailable("zeus", reason),))
    return found


def find_amd_sensors(gpus: Sequence[Any]) -> Sensors:
    """Find AMD's GPUs; zeus numbers the visible ones as torch does."""
    return sum((find_amd_sensor(index, gpu) for index, gpu in enumerate(gpus)), Sensors())


def find_amd_sensor(index: int, gpu: Any) -> Sensors:
    """Find the counter of one GPU, or explain why there is none."""
    source = f"zeus AMD gpu {index} ({gpu.get_name()})"
    if not gpu.supports_get_total_energy_consumption():
        return Sensors((), (Unavailable(source, "it has no energy counter", "", "refused"),))
    read_mj = gpu.get_total_energy_consumption
    return Sensors((ZeusSensor(f"gpu-{index}", source, f"cuda:{index}", read_mj),))


def find_chip_sensors(chip: Any) -> Sensors:
    """Find the parts of a system on a chip that do not contain each other."""
    metrics = [name for name in CHIP_FIELDS if name in chip.get_available_metrics()]
    return Sensors(tuple(make_chip_sensor(chip, name) for name in metrics))


def make_chip_sensor(chip: Any, name: str) -> ZeusSensor:
    """Make the sensor of one part of a system on a chip."""
    domain, device = CHIP_FIELDS[name]
    source = f"zeus {type(chip).__name__} {name}"
    return ZeusSensor(
        domain, source, device, lambda: getattr(chip.get_total_energy_consumption(), name)
    )
