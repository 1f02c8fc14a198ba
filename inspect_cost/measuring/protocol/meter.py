"""All energy counters of a run, read together until one of them cannot be trusted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inspect_cost.measuring.sensors.protocol import EnergySensor, SensorError, subtract_j
from inspect_cost.values.notes import Note

#: Readings of all counters at one moment: domain -> J.
Readings = Mapping[str, float]

#: A counter that stands still for this many of its periods is stalled.
STALLED_PERIODS = 4
#: With fewer periods of a counter in a window, the window's ends are too coarse.
FEWEST_PERIODS = 20


@dataclass(frozen=True)
class Consumption:
    """Energy consumed in one stretch of time.

    Attributes:
        energy_j: by domain.
        wrapped: the domains whose counter started again at 0 in that time.
    """

    energy_j: Mapping[str, float]
    wrapped: tuple[str, ...] = ()


class Meter:
    """Reader of all counters; one that fails ends the energy of the whole run, with a reason.

    Attributes:
        sensors: those that are still read.
        reason: why energy is no longer measured, or "".
        notes: sentences on counters that were left out.
    """

    def __init__(self, sensors: Iterable[EnergySensor]) -> None:
        self.sensors = tuple(sensors)
        self.reason = ""
        self.notes: list[Note] = []

    @property
    def works(self) -> bool:
        """Whether any counter can still be read."""
        return bool(self.sensors) and not self.reason

    @property
    def shortest_window_s(self) -> float:
        """Duration below which some counter cannot resolve a window."""
        return max(
            (min(s.recommended_window_s, FEWEST_PERIODS * s.period_s) for s in self.sensors),
            default=0.0,
        )

    def read(self) -> Readings | None:
        """Read all counters; None if there are none that can be trusted."""
        if not self.works:
            return None
        try:
            return {sensor.domain: sensor.read_j() for sensor in self.sensors}
        except SensorError as error:
            self.reason = str(error)
            return None

    def compute_consumption(
        self, before: Readings | None, after: Readings | None, duration_s: float
    ) -> Consumption | None:
        """Return what was consumed between two readings; None if that is unknown."""
        if before is None or after is None:
            return None
        energy_j, wrapped = {}, []
        try:
            for sensor in self.sensors:
                start, end = before[sensor.domain], after[sensor.domain]
                energy_j[sensor.domain] = _subtract(sensor, start, end)
                wrapped += [sensor.domain] if end < start else []
        except SensorError as error:
            self.reason = str(error)
            return None
        stalled = [
            s for s in self.sensors if not energy_j[s.domain] and _is_stalled_after(s, duration_s)
        ]
        for sensor in stalled:
            self._give_up(sensor, duration_s)
        if not self.works:
            return None
        remaining = {sensor.domain: energy_j[sensor.domain] for sensor in self.sensors}
        return Consumption(remaining, tuple(wrapped))

    def read_disturbances(self) -> list[str]:
        """Return what disturbed the time since the last call, in the sensors' words."""
        if not self.works:
            return []
        return [text for text in (sensor.disturbance() for sensor in self.sensors) if text]

    def _give_up(self, sensor: EnergySensor, duration_s: float) -> None:
        stalled = (
            f"{sensor.source} ({sensor.domain}): its counter did not move in {duration_s:.3g} s"
        )
        # Many processors list a DRAM zone that never counts anything.
        if sensor.domain.startswith("dram") and len(self.sensors) > 1:
            self.sensors = tuple(s for s in self.sensors if s is not sensor)
            self.notes.append(Note("counter-left-out", f"{stalled}, and is left out."))
        else:
            self.reason = stalled


def _subtract(sensor: EnergySensor, before_j: float, after_j: float) -> float:
    energy_j = subtract_j(sensor, before_j, after_j)
    # Windows are far shorter than a wrap, so what looks like most of one is a step backwards.
    if sensor.range_j is not None and after_j < before_j and energy_j > sensor.range_j / 2:
        raise SensorError(
            f"{sensor.source} ({sensor.domain}): its counter went backwards, "
            f"by {before_j - after_j:.6g} J"
        )
    return energy_j


def _is_stalled_after(sensor: EnergySensor, duration_s: float) -> bool:
    """Whether a counter that stood still for that long is stalled."""
    return duration_s >= STALLED_PERIODS * sensor.period_s
