"""A machine in a simulation: its time, its energy counter, its noise, without waiting for any."""

import random
from collections.abc import Callable
from typing import TypeVar

from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.protocol.meter import Meter
from inspect_cost.measuring.protocol.run import Plan, Record, run_protocol
from inspect_cost.measuring.protocol.summary import summarize
from inspect_cost.measuring.protocol.window import Bench, Work
from inspect_cost.measuring.sensors.protocol import EnergySensor, SensorError
from inspect_cost.values.notes import Note

T = TypeVar("T")


class Machine:
    """Time passes only in calls and in sleep; energy flows meanwhile.

    Args:
        seed: of the noise.
        call_s: duration of a call, the median of a log-normal distribution.
        jitter: the logarithm's standard deviation.
        busy_w: power during calls.
        idle_w: power otherwise.
        noise_w: standard deviation of each sleep's and each call's power.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        call_s: float = 0.1,
        jitter: float = 0.0,
        busy_w: float = 30.0,
        idle_w: float = 10.0,
        noise_w: float = 0.0,
    ) -> None:
        self.random = random.Random(seed)  # noqa: S311 - noise
        self.time_s = self.cpu_s = self.foreign_s = self.energy_j = 0.0
        self.call_s, self.jitter = call_s, jitter
        self.busy_w, self.idle_w, self.noise_w = busy_w, idle_w, noise_w
        self.foreign_cores = 0.0
        self.calls = 0
        self.on_call: Callable[[int], None] = lambda _calls: None

    @property
    def clock(self) -> Clock:
        """The machine's time."""
        return Clock(lambda: self.time_s, self.sleep, lambda: self.cpu_s)

    def sleep(self, duration_s: float) -> None:
        """Idle."""
        self.spend(duration_s, self.idle_w)

    def call(self) -> None:
        """One inference."""
        self.calls += 1
        self.on_call(self.calls)
        duration_s = self.call_s * self.random.lognormvariate(0, self.jitter)
        self.spend(duration_s, self.busy_w)
        self.cpu_s += duration_s

    def spend(self, duration_s: float, power_w: float) -> None:
        """Let time pass."""
        self.time_s += duration_s
        self.energy_j += duration_s * self.random.gauss(power_w, self.noise_w)
        self.foreign_s += duration_s * self.foreign_cores


class Counter:
    """A machine's energy counter, which can be made to fail."""

    source = "simulated"
    device = "cpu"
    period_s = 0.001
    recommended_window_s = 1.0

    def __init__(
        self, machine: Machine, domain: str = "package-0", range_j: float | None = None
    ) -> None:
        self.machine, self.domain, self.range_j = machine, domain, range_j
        self.offset_j = 0.0
        self.stalled_at_j: float | None = None
        self.failure = ""
        self.spoiled: str | None = None

    def read_j(self) -> float:
        """The counter now."""
        if self.failure:
            raise SensorError(f"simulated: {self.failure}")
        if self.stalled_at_j is not None:
            return self.stalled_at_j
        energy_j = self.machine.energy_j + self.offset_j
        return energy_j if self.range_j is None else energy_j % self.range_j

    def stall(self) -> None:
        """Move no more."""
        self.stalled_at_j = self.read_j()

    def disturbance(self) -> str | None:
        """What spoiled the time since the last call."""
        spoiled, self.spoiled = self.spoiled, None
        return spoiled


def bench(machine: Machine, *counters: EnergySensor) -> Bench:
    """What measures a machine's calls."""
    meter = Meter(counters, machine.clock)
    return Bench(Work(machine.call), meter, machine.clock, lambda: machine.foreign_s)


def measured(machine: Machine, *counters: EnergySensor, plan: Plan | None = None) -> Measurement:
    """A measurement of a machine's calls."""
    plan = plan or Plan(budget_s=30)
    at = bench(machine, *counters)
    record: Record = run_protocol(at, plan)
    return summarize(record, at.meter, plan)


def known(value: T | None) -> T:
    """What a test takes to be known."""
    assert value is not None
    return value


def codes(measurement: Measurement) -> tuple[str, ...]:
    """The codes of a measurement's notes."""
    return tuple(note.code for note in measurement.notes if isinstance(note, Note))
