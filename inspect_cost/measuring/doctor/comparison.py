"""Whether a GPU's energy counter and its own power reading agree."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from threading import Event, Thread
from typing import Protocol, Self, runtime_checkable

from inspect_cost.measuring.protocol.counter import TrackedCounter
from inspect_cost.measuring.sensors.protocol import EnergySensor, SensorError

SAMPLE_S = 0.01
#: Readings of power are means over up to a second: that long, or for this share of a short stretch,
#: they show what was before.
LEAD_S, LEAD_SHARE = 1.0, 0.3
#: With fewer moves of the counter, its ends are too coarse for a comparison.
FEWEST_EDGES = 5
#: A larger difference is worth a note.
TOLERANCE = 0.05


@runtime_checkable
class PowerSensor(EnergySensor, Protocol):
    """A sensor that reads power as well, by another way than its counter."""

    def read_power_w(self) -> float:
        """Return the power now."""


@dataclass(frozen=True)
class Sample:
    """What a sensor says at one moment: its counter's total, and its power."""

    moment_s: float
    total_j: float
    power_w: float


@dataclass(frozen=True)
class Opinions:
    """Mean power of a stretch by a sensor's counter, and by its readings of power."""

    counter_w: float
    integrated_w: float

    @property
    def difference(self) -> float:
        """The counter's difference from the readings, as a share of them."""
        return self.counter_w / self.integrated_w - 1 if self.integrated_w else 0.0

    def describe(self, when: str) -> str | None:
        """Describe a difference that is notable; None if there is none."""
        if abs(self.difference) <= TOLERANCE:
            return None
        return (
            f"{when}, its counter says {self.counter_w:.3g} W and its readings of power "
            f"{self.integrated_w:.3g} W ({self.difference:+.0%}): one of them is wrong"
        )


class Recorder:
    """Samples a sensor in the background, while something else keeps its device busy."""

    def __init__(self, sensor: PowerSensor, counter: TrackedCounter) -> None:
        self.samples: list[Sample] = []
        self._sensor, self._counter, self._ended = sensor, counter, Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            with suppress(SensorError):  # whoever reads it for a figure reports that
                power_w, reading = self._sensor.read_power_w(), self._counter.read()
                self.samples.append(Sample(time.perf_counter(), reading.total_j, power_w))


def compare_opinions(samples: Sequence[Sample]) -> Opinions | None:
    """Return the mean power by counter and by power; None if the counter moved too seldom."""
    if not samples:
        return None
    duration_s = samples[-1].moment_s - samples[0].moment_s
    begins_s = samples[0].moment_s + min(LEAD_S, LEAD_SHARE * duration_s)
    steady = [sample for sample in samples if sample.moment_s >= begins_s]
    edges = [n for n, (a, b) in enumerate(pairwise(steady), 1) if b.total_j != a.total_j]
    if len(edges) < FEWEST_EDGES:
        return None
    between = steady[edges[0] : edges[-1] + 1]
    span_s = between[-1].moment_s - between[0].moment_s
    integrated_j = sum(
        (a.power_w + b.power_w) / 2 * (b.moment_s - a.moment_s) for a, b in pairwise(between)
    )
    return Opinions((between[-1].total_j - between[0].total_j) / span_s, integrated_j / span_s)
