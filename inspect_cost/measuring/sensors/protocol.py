"""The interface of an energy sensor.

A *sensor* is one energy counter of one *domain* (a CPU package, its DRAM, a GPU) which only grows,
until it wraps. It is read at both ends of a *window*; the difference is what the domain consumed.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, Protocol, runtime_checkable

from inspect_cost.values.errors import InspectCostError, one_line


class SensorError(InspectCostError):
    """A sensor that was found can no longer be read, or contradicts itself."""


@runtime_checkable
class EnergySensor(Protocol):
    """One energy counter. A new source of energy figures is a class that has these.

    A sensor of something that may draw more than 2 kW (a meter at the wall of a large machine) says
    so in one more attribute, ``max_power_w``: steps of the counter beyond it are not believed.

    Attributes:
        domain: what it covers: "package-0", "dram-0", "gpu-0".
        source: its name in reports, with its place: "powercap intel-rapl:0".
        device: the torch device whose work it sees: "cpu", "cuda:0".
        period_s: how often its counter advances, as its maker says.
        range_j: the counter starts again at 0 after this; None where it never does.
        recommended_window_s: a window shorter than this measures the counter's period.
    """

    domain: str
    source: str
    device: str
    period_s: float
    range_j: float | None
    recommended_window_s: float

    def read_j(self) -> float:
        """Return joules since some moment in the past.

        Raises:
            SensorError: it cannot be read; the message names the file or the device.
        """

    def disturbance(self) -> str | None:
        """Return what disturbed the time since the last call, such as throttling, or None."""


@dataclass(frozen=True)
class Unavailable:
    """A source of energy figures that cannot be used here.

    Attributes:
        source: which: "powercap", "nvml".
        reason: why not, in one sentence.
        fix: what a user can do about it; "" if nothing.
        status: "absent": not found; "refused": found, but it cannot be read or trusted;
            "contained": readable, and left out because another sensor's figure includes it.
    """

    source: str
    reason: str
    fix: str = ""
    status: Literal["absent", "refused", "contained"] = "absent"


@dataclass(frozen=True)
class Sensors:
    """Sensors of this machine.

    Attributes:
        usable: those that can be read and added to each other.
        unavailable: those that cannot, with the reasons.
    """

    usable: tuple[EnergySensor, ...] = ()
    unavailable: tuple[Unavailable, ...] = ()

    def __add__(self, other: "Sensors") -> "Sensors":
        return Sensors(self.usable + other.usable, self.unavailable + other.unavailable)


def subtract_j(sensor: EnergySensor, before_j: float, after_j: float) -> float:
    """Return what was consumed between two readings, at most one wrap apart.

    Raises:
        SensorError: the counter went backwards, and does not wrap.
    """
    if after_j >= before_j:
        return after_j - before_j
    if sensor.range_j is None:
        raise SensorError(f"{sensor.source}: its counter went backwards, by {before_j - after_j} J")
    return (after_j - before_j) % sensor.range_j


def read_raw_j(sensor: EnergySensor) -> float:
    """Return what a sensor's counter shows; whatever goes wrong is a fault of the sensor.

    Raises:
        SensorError: it raises anything, or returns what is no number.
    """
    try:
        raw_j = float(sensor.read_j())
    except SensorError:
        raise
    except Exception as error:
        raise SensorError(f"{sensor.source}: {one_line(error)}") from error
    if not isfinite(raw_j):
        raise SensorError(f"{sensor.source}: it reads {raw_j}")
    return raw_j
