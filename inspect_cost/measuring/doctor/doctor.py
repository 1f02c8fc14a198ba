"""Whether energy can be measured on this machine, and what to do if not; as data."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from inspect_cost.measuring.doctor.examination import Examination, Load, examine_sensors
from inspect_cost.measuring.doctor.known_load import multiply_matrices
from inspect_cost.measuring.doctor.machine import describe_machine, describe_versions
from inspect_cost.measuring.sensors.discovery import find_every_sensor
from inspect_cost.measuring.sensors.protocol import Sensors, Unavailable
from inspect_cost.values.presentable import Presentable

SCHEMA = "inspect-cost/doctor/1"


@dataclass(frozen=True)
class Diagnosis(Presentable):
    """Findings on a machine's sensors.

    Attributes:
        sensors: those that could be opened, and how they behaved.
        unavailable: those that could not, with the reasons.
        machine: what decides speed and power here.
        versions: of the kernel, the driver and the packages.
    """

    sensors: tuple[Examination, ...]
    unavailable: tuple[Unavailable, ...]
    machine: Mapping[str, Any]
    versions: Mapping[str, str | None]

    @property
    def can_measure_energy(self) -> bool:
        """Whether at least one sensor works."""
        return any(not sensor.fault for sensor in self.sensors)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {
            "schema": SCHEMA,
            "can_measure_energy": self.can_measure_energy,
            "sensors": [_sensor_to_dict(sensor) for sensor in self.sensors],
            "unavailable": [_reason_to_dict(why) for why in self.unavailable],
            "machine": dict(self.machine),
            "versions": dict(self.versions),
        }


def _sensor_to_dict(sensor: Examination) -> dict[str, Any]:
    readable, usable = sensor.read_s is not None, not sensor.fault
    return {"found": True, "readable": readable, "usable": usable, **asdict(sensor)}


def _reason_to_dict(why: Unavailable) -> dict[str, Any]:
    found, readable = why.status != "absent", why.status == "contained"
    return {"found": found, "readable": readable, "usable": False, **asdict(why)}


def diagnose(
    time_s: float,
    *,
    sensors: Sensors | None = None,
    load: Load = multiply_matrices,
    progress: Callable[[float], None] = lambda _: None,
) -> Diagnosis:
    """Try every sensor.

    Args:
        time_s: approximate duration; without sensors it returns at once.
        sensors: tried instead of all of this machine's.
        load: keeps a device busy.
        progress: receives the share that is done.
    """
    found = find_every_sensor() if sensors is None else sensors
    results = examine_sensors(found.usable, time_s, load, progress) if found.usable else ()
    return Diagnosis(results, found.unavailable, describe_machine(), describe_versions())
