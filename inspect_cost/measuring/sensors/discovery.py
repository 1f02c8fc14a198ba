"""Finding sensors: the sources in order, and what is left out so that nothing counts twice."""

from collections.abc import Callable, Iterable
from pathlib import Path

from inspect_cost.measuring.sensors.hwmon import find_hwmon_sensors
from inspect_cost.measuring.sensors.nvml import find_nvml_sensors
from inspect_cost.measuring.sensors.perf import find_perf_sensors
from inspect_cost.measuring.sensors.plugins import find_plugin_sensors
from inspect_cost.measuring.sensors.powercap import find_powercap_sensors
from inspect_cost.measuring.sensors.protocol import EnergySensor, Sensors, Unavailable

#: Several ways to read the same counters of the CPU: the first that works is used.
CPU_SOURCES: tuple[tuple[str, Callable[[], Sensors]], ...] = (
    ("powercap", find_powercap_sensors),
    ("perf", find_perf_sensors),
    ("hwmon", find_hwmon_sensors),
)


def find_sensors(*devices: str, root: Path | str | None = None) -> Sensors:
    """Find the sensors that see what a call on some devices consumes, the devices' own first.

    For a GPU, the CPU's are found as well: they are other domains (the host that feeds the GPU),
    and their ``device`` is "cpu".

    Args:
        *devices: in torch's notation: "cpu", "cuda", "cuda:1", "mps"; "cpu" unless given.
        root: a powercap tree, instead of the system's.
    """
    gpus = [find_nvml_sensors(device) for device in devices if device.startswith("cuda")]
    found = unite(gpus) + find_cpu_sensors(root) + find_plugin_sensors()
    fitting = [s for s in found.usable if any(sees(s, device) for device in devices or ("cpu",))]
    fitting.sort(key=lambda sensor: sensor.device == "cpu")
    return Sensors(tuple(fitting), found.unavailable)


def unite(found: Iterable[Sensors]) -> Sensors:
    """Add what searches for several devices found; what several of them lack is named once."""
    added = sum(found, Sensors())
    return Sensors(added.usable, tuple(dict.fromkeys(added.unavailable)))


def find_every_sensor(*, root: Path | str | None = None) -> Sensors:
    """Find the sensors of all devices, to describe a machine."""
    return find_cpu_sensors(root) + find_nvml_sensors() + find_plugin_sensors()


def find_cpu_sensors(root: Path | str | None = None) -> Sensors:
    """Find the CPU's sensors in the first source that has any; earlier ones say what they lack."""
    sources: list[tuple[str, Callable[[], Sensors]]] = list(CPU_SOURCES)
    sources[0] = ("powercap", lambda: find_powercap_sensors(root))
    found = Sensors()
    for name, source in sources:
        if any(sensor.device == "cpu" for sensor in found.usable):
            reason = "not tried, since another source reads the same counters"
            found += Sensors((), (Unavailable(name, reason, "", "contained"),))
        else:
            found += source()
    return found


def sees(sensor: EnergySensor, device: str) -> bool:
    """Whether a sensor sees work on a device: it is the device's own, or that of its host."""
    exact = f"{device}:0" if device == "cuda" else device
    return sensor.device in {"cpu", exact, exact.partition(":")[0]}
