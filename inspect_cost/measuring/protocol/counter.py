"""One energy counter as a total that only grows, whatever the counter does at the end of its range.

The difference of two raw readings is known only modulo the counter's range, and a counter that fell
back to 0 looks like one that wrapped. Both are told apart by what a domain can draw at most in the
time between two readings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.sensors.protocol import (
    EnergySensor,
    SensorError,
    read_raw_j,
    subtract_j,
)

#: No package, no memory of one and no GPU draws as much; a sensor of something larger (a meter at
#: the wall) has an attribute ``max_power_w`` of its own.
MAX_POWER_W = 2000.0
#: A reading may be this much older than its moment (or two periods), and the next one not at all.
SLACK_S = 0.1
SLACK_PERIODS = 2
#: Counters that advance no more often are read at the moment at which they do.
COARSE_S = 0.01
#: How often a coarse counter is read while it is waited for, and for how many periods at most.
POLL_S = 0.001
EDGE_PERIODS = 2
#: Time after the work in which a coarse counter may still be catching up with it.
SETTLE_PERIODS = 2


@dataclass(frozen=True)
class Reading:
    """A counter's total at one moment.

    Attributes:
        total_j: consumed since the first reading, whole ranges included.
        moment_s: when it was read.
        wraps: how often the counter had started again at 0.
        breaks: how often it had done what no counter does; the total leaves those stretches out.
    """

    total_j: float
    moment_s: float
    wraps: int = 0
    breaks: int = 0


class TrackedCounter:
    """A sensor's counter, followed from reading to reading; safe to read from several threads.

    Attributes:
        sensor: what is read.
        domain: a name that no other counter beside it has.
        fault: what last broke its total, in words; "" if nothing did.
        failures: readings in a row that failed.
    """

    def __init__(self, sensor: EnergySensor, domain: str, clock: Clock) -> None:
        self.sensor, self.domain, self.fault, self.failures = sensor, domain, "", 0
        self._clock, self._lock = clock, Lock()
        self._raw_j: float | None = None
        self._last = Reading(0.0, clock.now())

    @property
    def source(self) -> str:
        """Its name in reports, with its place."""
        return self.sensor.source

    @property
    def period_s(self) -> float:
        """How often it advances, as its maker says."""
        return self.sensor.period_s

    @property
    def recommended_window_s(self) -> float:
        """A window shorter than this measures the counter's period."""
        return self.sensor.recommended_window_s

    @property
    def is_coarse(self) -> bool:
        """Whether it advances so seldom that the moment of a reading matters."""
        return self.period_s >= COARSE_S

    @property
    def settle_s(self) -> float:
        """Time after which it shows all that was consumed before."""
        return SETTLE_PERIODS * self.period_s if self.is_coarse else 0.0

    @property
    def age_s(self) -> float:
        """Bound on the time by which a step of power may be misplaced: half a period."""
        return self.period_s / 2

    @property
    def longest_gap_s(self) -> float | None:
        """Time within which it has to be read again; None if it never starts again at 0."""
        limit_j = self.sensor.range_j
        return None if limit_j is None else limit_j / (4 * find_max_power_w(self.sensor))

    def read(self) -> Reading:
        """Read it now.

        Raises:
            SensorError: the sensor fails, in whatever way.
        """
        with self._lock:
            raw_j = read_raw_j(self.sensor)
            self.failures = 0
            self._last = self._follow(raw_j, self._clock.now())
            self._raw_j = raw_j
            return self._last

    def read_at_edge(self) -> Reading:
        """Read it when it advances, so that its age is known; at once if it is not coarse.

        Raises:
            SensorError: as `read`.
        """
        first = latest = self.read()
        if not self.is_coarse:
            return first
        ends_s = first.moment_s + EDGE_PERIODS * self.period_s
        while latest.total_j == first.total_j and latest.moment_s < ends_s:
            self._clock.sleep(POLL_S)
            latest = self.read()
        return latest

    def _follow(self, raw_j: float, moment_s: float) -> Reading:
        """Return the total after one more reading."""
        last, before_j = self._last, self._raw_j
        if before_j is None:
            return replace(last, moment_s=moment_s)
        try:
            piece_j = advance_j(self.sensor, before_j, raw_j, moment_s - last.moment_s)
        except SensorError as error:
            self.fault = f"{self.source} ({self.domain}): {error}"
            return replace(last, moment_s=moment_s, breaks=last.breaks + 1)
        wraps = last.wraps + (raw_j < before_j)
        return replace(last, total_j=last.total_j + piece_j, moment_s=moment_s, wraps=wraps)


def find_max_power_w(sensor: EnergySensor) -> float:
    """Return the most that a sensor's domain can draw."""
    return float(getattr(sensor, "max_power_w", MAX_POWER_W))


def advance_j(sensor: EnergySensor, before_j: float, after_j: float, elapsed_s: float) -> float:
    """Return what was consumed between two raw readings.

    A fall is a wrap only if the counter could reach its range in that time.

    Raises:
        SensorError: the readings contradict each other, or the counter may have wrapped unseen.
    """
    most_w, range_j = find_max_power_w(sensor), sensor.range_j
    most_j = most_w * (elapsed_s + max(SLACK_S, SLACK_PERIODS * sensor.period_s))
    fell_j = before_j - after_j
    if fell_j > 0 and (range_j is None or before_j > range_j):
        raise SensorError(f"its counter went backwards, by {fell_j:.6g} J")
    energy_j = subtract_j(sensor, before_j, after_j)
    if fell_j > 0 and energy_j > most_j:
        raise SensorError(
            f"its counter went backwards, by {fell_j:.6g} J: "
            f"it cannot have reached its range of {range_j:.6g} J in {elapsed_s:.3g} s"
        )
    if energy_j > most_j:
        raise SensorError(
            f"its counter rose by {energy_j:.6g} J in {elapsed_s:.3g} s, "
            f"more than any domain draws ({most_w:g} W)"
        )
    if range_j is not None and energy_j + range_j <= most_w * elapsed_s:
        raise SensorError(
            f"its counter was not read for {elapsed_s:.3g} s, in which {most_w:g} W would pass "
            f"its range of {range_j:.6g} J: how often it wrapped is not known"
        )
    return energy_j


def track_sensors(sensors: Iterable[EnergySensor], clock: Clock) -> tuple[TrackedCounter, ...]:
    """Follow the counters of sensors, each once, under names that differ."""
    once = tuple({id(sensor): sensor for sensor in sensors}.values())
    names = name_domains([sensor.domain for sensor in once])
    return tuple(TrackedCounter(s, name, clock) for s, name in zip(once, names, strict=True))


def name_domains(domains: Sequence[str]) -> list[str]:
    """Return names that differ: a second "package-0" becomes "package-0 (2)".

    >>> name_domains(["gpu-0", "gpu-0", "dram-0"])
    ['gpu-0', 'gpu-0 (2)', 'dram-0']
    """
    names: list[str] = []
    for domain in domains:
        number, name = 1, domain
        while name in names:
            number += 1
            name = f"{domain} ({number})"
        names.append(name)
    return names
