"""Whether energy can be measured on this machine, and if not, what to do: as data."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from inspect_cost.measuring.doctor.examination import Examined, Load, examined
from inspect_cost.measuring.doctor.known_load import multiply_matrices
from inspect_cost.measuring.doctor.machine import describe_machine, describe_versions
from inspect_cost.measuring.sensors.discovery import find_every_sensor
from inspect_cost.measuring.sensors.protocol import Sensors, Unavailable

SCHEMA = "inspect-cost/doctor/1"


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        sensors: those that could be opened, and what they did.
        unavailable: those that could not, and why.
        machine: what decides speed and power here.
        versions: of the kernel, the driver and the packages.
    """

    sensors: tuple[Examined, ...]
    unavailable: tuple[Unavailable, ...]
    machine: Mapping[str, Any]
    versions: Mapping[str, str | None]

    @property
    def can_measure_energy(self) -> bool:
        """Whether at least one sensor gives figures."""
        return any(not sensor.fault for sensor in self.sensors)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "schema": SCHEMA,
            "can_measure_energy": self.can_measure_energy,
            "sensors": [sensor_dict(sensor) for sensor in self.sensors],
            "unavailable": [reason_dict(why) for why in self.unavailable],
            "machine": dict(self.machine),
            "versions": dict(self.versions),
        }


def sensor_dict(sensor: Examined) -> dict[str, Any]:
    """A sensor as plain data."""
    readable, usable = sensor.read_s is not None, not sensor.fault
    return {"found": True, "readable": readable, "usable": usable, **asdict(sensor)}


def reason_dict(why: Unavailable) -> dict[str, Any]:
    """A sensor that is not used as plain data."""
    found, readable = why.status != "absent", why.status == "contained"
    return {"found": found, "readable": readable, "usable": False, **asdict(why)}


def diagnosis(
    time_s: float,
    *,
    sensors: Sensors | None = None,
    load: Load = multiply_matrices,
    progress: Callable[[float], None] = lambda _: None,
) -> Diagnosis:
    """Try every sensor.

    Args:
        time_s: about how long that may take; nothing is waited for where there is no sensor.
        sensors: instead of all of this machine's.
        load: what keeps a device busy.
        progress: is told the share that is done.
    """
    found = find_every_sensor() if sensors is None else sensors
    results = examined(found.usable, time_s, load, progress) if found.usable else ()
    return Diagnosis(results, found.unavailable, describe_machine(), describe_versions())
