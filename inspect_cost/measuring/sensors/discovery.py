"""Which sensors there are: the sources in order, and what is left out so as not to count twice."""

from collections.abc import Callable
from pathlib import Path

from inspect_cost.measuring.sensors.hwmon import hwmon_sensors
from inspect_cost.measuring.sensors.nvml import nvml_sensors
from inspect_cost.measuring.sensors.perf import perf_sensors
from inspect_cost.measuring.sensors.plugins import plugin_sensors
from inspect_cost.measuring.sensors.powercap import powercap_sensors
from inspect_cost.measuring.sensors.protocol import EnergySensor, Sensors, Unavailable

#: Doors to the same counters of the CPU: the first that opens is taken.
CPU_SOURCES: tuple[tuple[str, Callable[[], Sensors]], ...] = (
    ("powercap", powercap_sensors),
    ("perf", perf_sensors),
    ("hwmon", hwmon_sensors),
)


def find_sensors(device: str = "cpu", *, root: Path | str | None = None) -> Sensors:
    """The sensors that see what a call on a device takes, those of the device itself first.

    For a GPU, the CPU's are found as well: they are other domains (the host that feeds the GPU),
    and their ``device`` is "cpu".

    Args:
        device: as torch writes it: "cpu", "cuda", "cuda:1", "mps".
        root: the powercap tree, instead of the system's.
    """
    found = cpu_sensors(root) + plugin_sensors()
    if device.startswith("cuda"):
        found = nvml_sensors(device) + found
    fitting = [sensor for sensor in found.usable if sees(sensor, device)]
    fitting.sort(key=lambda sensor: sensor.device == "cpu")
    return Sensors(tuple(fitting), found.unavailable)


def every_sensor(*, root: Path | str | None = None) -> Sensors:
    """The sensors of all devices, for a machine's description."""
    return cpu_sensors(root) + nvml_sensors() + plugin_sensors()


def cpu_sensors(root: Path | str | None = None) -> Sensors:
    """From the first source that has any, with what the earlier ones lack."""
    sources: list[tuple[str, Callable[[], Sensors]]] = list(CPU_SOURCES)
    sources[0] = ("powercap", lambda: powercap_sensors(root))
    found = Sensors()
    for name, source in sources:
        if any(sensor.device == "cpu" for sensor in found.usable):
            reason = "not asked, since another source reads the same counters"
            found += Sensors((), (Unavailable(name, reason, "", "contained"),))
        else:
            found += source()
    return found


def sees(sensor: EnergySensor, device: str) -> bool:
    """Whether a sensor sees work on a device: its own, or that of the host which feeds it."""
    exact = f"{device}:0" if device == "cuda" else device
    return sensor.device in {"cpu", exact, exact.partition(":")[0]}
