"""All energy counters of a run, read together until one of them cannot be trusted."""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from threading import Event, Thread

from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.protocol.counter import (
    EDGE_PERIODS,
    Reading,
    TrackedCounter,
    track_sensors,
)
from inspect_cost.measuring.sensors.protocol import EnergySensor, SensorError
from inspect_cost.values.errors import one_line
from inspect_cost.values.notes import Note

#: Readings of all counters at one end of a stretch of time: domain -> reading. A counter whose
#: reading failed is absent.
Readings = Mapping[str, Reading]

#: A counter that stands still for this many of its periods is stalled.
STALLED_PERIODS = 4
#: With fewer periods of a counter in a window, the window's ends are too coarse.
FEWEST_PERIODS = 20
#: So many failures in a row end the energy of a run; fewer spoil a window each.
MOST_FAILURES = 3
#: Counters that wrap are read at least as often in the background, as it costs next to nothing.
WATCH_S = 1.0
SHORTEST_WATCH_S = 0.001


@dataclass(frozen=True)
class Consumption:
    """Energy consumed in one stretch of time.

    Attributes:
        energy_j: by domain.
        span_s: by domain: the time between the two readings of its counter.
    """

    energy_j: Mapping[str, float]
    span_s: Mapping[str, float]

    @property
    def power_w(self) -> dict[str, float]:
        """Mean power by domain."""
        return {d: e / self.span_s[d] if self.span_s[d] else 0.0 for d, e in self.energy_j.items()}


class Meter:
    """Reader of all counters. Three failures in a row of one end the energy of the whole run.

    While a stretch lasts, counters that wrap are read in the background too.

    Args:
        sensors: what is read.
        clock: source of time.

    Attributes:
        sensors: the counters that are still read, under names that differ.
        reason: why energy is no longer measured, or "".
        fault: what last cost a stretch its energy, or "".
        notes: sentences on counters that were left out.
        busy_until_s: the moment at which the work last ended.
    """

    def __init__(self, sensors: Iterable[EnergySensor], clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self.sensors = track_sensors(sensors, self._clock)
        self.reason = self.fault = ""
        self.notes: list[Note] = []
        self.busy_until_s = self._clock.now()
        self._faults: list[str] = []
        self._broken_in_a_row = 0
        self._random = Random()  # noqa: S311 - no secret; one that the measured code does not share
        self._watch: Callable[[], object] | None = None

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

    @property
    def ages_s(self) -> dict[str, float]:
        """By domain: the time by which its counter may misplace a step of power."""
        return {counter.domain: counter.age_s for counter in self.sensors}

    def read(self) -> Readings | None:
        """Read all counters at an end of an idle stretch; None if none can be trusted."""
        return self._read_in_order(self._coarse, self._fine)

    def read_before_work(self) -> Readings | None:
        """Read all counters, those that are exact to the moment last; then the work may begin."""
        coarse = self._read_in_order(self._coarse)
        if coarse is None:
            return None
        # Work that always began at an edge would lock onto the sensor's sampling of the power.
        self._sleep(self._random.uniform(0, max((c.period_s for c in self._coarse), default=0.0)))
        return {**coarse, **(self._read_in_order(self._fine) or {})}

    def read_after_work(self) -> Readings | None:
        """Read all counters, the coarse ones when they show all of the work that has ended."""
        self.busy_until_s = self._clock.now()
        fine = self._read_in_order(self._fine)
        if fine is None:
            return None
        self.settle()
        return {**fine, **(self._read_in_order(self._coarse) or {})}

    def settle(self) -> None:
        """Wait until coarse counters show all that the work consumed."""
        settled_s = self.busy_until_s + max((c.settle_s for c in self.sensors), default=0.0)
        self._sleep(settled_s - self._clock.now())

    def compute_consumption(
        self, before: Readings | None, after: Readings | None
    ) -> Consumption | None:
        """Return what was consumed between two readings; None if that is unknown."""
        if before is None or after is None or not self.works:
            return None
        pairs = {d: (before[d], after[d]) for d in before if d in after}
        if not self._check_continuity(pairs) or len(pairs) < len(self.sensors):
            return None
        energy_j = {d: end.total_j - start.total_j for d, (start, end) in pairs.items()}
        span_s = {d: end.moment_s - start.moment_s for d, (start, end) in pairs.items()}
        for counter in self.sensors:
            if not energy_j[counter.domain] and _is_stalled(counter, span_s[counter.domain]):
                self._give_up(counter, span_s[counter.domain])
        if not self.works:
            return None
        return Consumption({c.domain: energy_j[c.domain] for c in self.sensors}, span_s)

    def attribute_to_work(
        self, consumed: Consumption | None, duration_s: float, idle_w: Mapping[str, float] | None
    ) -> dict[str, float] | None:
        """Return the energy by domain of the work within a stretch; None if that is unknown.

        Args:
            consumed: in the stretch, from the reading before the work to that after it.
            duration_s: of the work.
            idle_w: power by domain without the work: what coarse counters saw around it.
        """
        if consumed is None:
            return None
        return {
            counter.domain: _cut(
                consumed.energy_j[counter.domain],
                consumed.span_s[counter.domain],
                duration_s,
                (idle_w or {}).get(counter.domain) if counter.is_coarse else None,
            )
            for counter in self.sensors
        }

    def collect_faults(self) -> list[str]:
        """Return what wraps, falls and failed readings there were since the last call."""
        faults, self._faults = list(dict.fromkeys(self._faults)), []
        return faults

    def read_disturbances(self) -> list[str]:
        """Return what disturbed the time since the last call, in the sensors' words."""
        if not self.works:
            return []
        return [text for text in map(self._ask, self.sensors) if text]

    def close(self) -> None:
        """Stop reading in the background."""
        if self._watch is not None:
            self._watch()
            self._watch = None

    @property
    def _coarse(self) -> list[TrackedCounter]:
        return [counter for counter in self.sensors if counter.is_coarse]

    @property
    def _fine(self) -> list[TrackedCounter]:
        return [counter for counter in self.sensors if not counter.is_coarse]

    def _sleep(self, duration_s: float) -> None:
        if duration_s > 0:
            self._clock.sleep(duration_s)

    def _read_in_order(self, *groups: Sequence[TrackedCounter]) -> Readings | None:
        if not self.works:
            return None
        self._watch = self._watch or watch_counters(self, self.sensors)
        readings: dict[str, Reading] = {}
        for counter in [counter for group in groups for counter in group]:
            try:
                readings[counter.domain] = counter.read_at_edge()
            except SensorError as error:
                self._note_failure(counter, str(error))
        return readings

    def _ask(self, counter: TrackedCounter) -> str | None:
        try:
            return counter.sensor.disturbance()
        except Exception as error:  # noqa: BLE001 - a plug-in's sensor may raise anything
            return f"{counter.source} cannot say what disturbed it: {one_line(error)}"

    def _note_failure(self, counter: TrackedCounter, text: str) -> None:
        counter.failures += 1
        self._spoil(text)
        if counter.failures >= MOST_FAILURES:
            self.reason = text

    def _spoil(self, text: str) -> None:
        self.fault = text
        self._faults.append(text)

    def _check_continuity(self, pairs: Mapping[str, tuple[Reading, Reading]]) -> bool:
        """Note wraps and breaks between two readings; return whether the totals hold."""
        faults = [
            counter.fault
            for counter in self.sensors
            if counter.domain in pairs and _differ(*pairs[counter.domain], "breaks")
        ]
        for text in faults:
            self._spoil(text)
        self._faults += [
            f"the counter of {domain} wrapped"
            for domain, pair in pairs.items()
            if _differ(*pair, "wraps")
        ]
        self._broken_in_a_row = self._broken_in_a_row + 1 if faults else 0
        if self._broken_in_a_row >= MOST_FAILURES:
            self.reason = faults[-1]
        return not faults

    def _give_up(self, counter: TrackedCounter, duration_s: float) -> None:
        stalled = (
            f"{counter.source} ({counter.domain}): its counter did not move in {duration_s:.3g} s"
        )
        # Many processors list a DRAM zone that never counts anything.
        if counter.domain.startswith("dram") and len(self.sensors) > 1:
            self.sensors = tuple(c for c in self.sensors if c is not counter)
            self.notes.append(Note("counter-left-out", f"{stalled}, and is left out."))
        else:
            self.reason = stalled


def watch_counters(owner: object, counters: Iterable[TrackedCounter]) -> Callable[[], object]:
    """Read counters that wrap in the background, often enough that no wrap is missed.

    It ends with its owner, or when the function that is returned is called.
    """
    gaps_s = {counter: counter.longest_gap_s for counter in counters}
    wrapping = {counter: gap_s for counter, gap_s in gaps_s.items() if gap_s is not None}
    ended = Event()
    if wrapping:
        every_s = max(SHORTEST_WATCH_S, min(WATCH_S, *wrapping.values()))
        Thread(target=_watch, args=(ended, every_s, tuple(wrapping)), daemon=True).start()
    return weakref.finalize(owner, ended.set)


def _watch(ended: Event, every_s: float, counters: Sequence[TrackedCounter]) -> None:
    while not ended.wait(every_s):
        for counter in counters:
            with suppress(SensorError):  # whoever reads it next reports that
                counter.read()


def _cut(energy_j: float, span_s: float, duration_s: float, around_w: float | None) -> float:
    """Return the energy of the work in a span, which may be a little longer than the work."""
    if around_w is not None:
        return energy_j - around_w * (span_s - duration_s)
    return energy_j * duration_s / span_s if span_s > duration_s else energy_j


def _differ(start: Reading, end: Reading, name: str) -> bool:
    return bool(getattr(start, name) != getattr(end, name))


def _is_stalled(counter: TrackedCounter, duration_s: float) -> bool:
    """Whether a counter that stood still for that long is stalled."""
    waiting = EDGE_PERIODS if counter.is_coarse else 0  # for an edge that did not come
    return duration_s >= (STALLED_PERIODS + waiting) * counter.period_s
