"""One window: calls between two readings of the counters, with idle time before and after."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from math import inf
from statistics import median
from typing import Any, Self

from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.protocol.disturbance import ForeignLoad, describe_foreign_load
from inspect_cost.measuring.protocol.meter import Meter, Readings

#: Latency is timed over groups of calls that last about this long: reading a clock then costs
#: less than a ten-thousandth.
SHORTEST_SAMPLE_S = 1e-3
#: A coarse clock may report no time at all; no window is shorter than this.
SHORTEST_WINDOW_S = 1e-9
#: So many latencies of a window are written to files; of more, each second, third ... one.
MOST_WRITTEN = 500


@dataclass(frozen=True)
class Work:
    """The call that is measured.

    Attributes:
        call: one inference.
        synchronize: waits until the device has finished all that it was given.
    """

    call: Callable[[], Any]
    synchronize: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Window:
    """Calls between two readings of the counters, and the idle time around them.

    Attributes:
        duration_s: of its calls, without the idle time.
        calls: number of calls.
        latencies_s: of each call; short calls are timed in groups, whose mean it then is.
        energy_j: by domain, during the calls; None if no counter could be trusted.
        idle_before_w: power by domain of the idle time before; None without idle time.
        idle_after_w: power by domain of the idle time after.
        cpu_s: CPU time of this process and its children during the calls.
        disturbances: what disturbed it, in words.
        redone: whether it was set aside because it was disturbed.
        started_s: when its calls began, by a clock that all windows of a run share; None if that
            is unknown.
    """

    duration_s: float
    calls: int
    latencies_s: tuple[float, ...]
    energy_j: Mapping[str, float] | None = None
    idle_before_w: Mapping[str, float] | None = None
    idle_after_w: Mapping[str, float] | None = None
    cpu_s: float = 0.0
    disturbances: tuple[str, ...] = ()
    redone: bool = False
    started_s: float | None = None

    @cached_property
    def latency_s(self) -> float:
        """Median of the calls."""
        return median(self.latencies_s)

    @property
    def idle_power_w(self) -> dict[str, float] | None:
        """Power by domain that an idle machine would have drawn, as the mean of both sides."""
        if self.idle_before_w is None or self.idle_after_w is None:
            return None
        after = self.idle_after_w
        return {d: (w + after[d]) / 2 for d, w in self.idle_before_w.items() if d in after}

    def bound_age_error_j(self, ages_s: Mapping[str, float]) -> float:
        """Return by how much the age of counters may falsify its energy: age x step of power.

        Args:
            ages_s: by domain, of the counters to add up.
        """
        energy_j, idle_w = self.energy_j or {}, self.idle_power_w or {}
        duration_s = max(self.duration_s, SHORTEST_WINDOW_S)
        return sum(
            age_s * abs(energy_j[domain] / duration_s - idle_w.get(domain, 0.0))
            for domain, age_s in ages_s.items()
            if domain in energy_j
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON; of very many latencies, those of some calls."""
        step = -(-len(self.latencies_s) // MOST_WRITTEN)
        started = {} if self.started_s is None else {"started_s": self.started_s}
        return {
            **self.summarize(),
            **started,
            "latencies_s": list(self.latencies_s[::step]),
            "idle_before_w": _copy(self.idle_before_w),
            "idle_after_w": _copy(self.idle_after_w),
        }

    def summarize(self) -> dict[str, Any]:
        """Return plain data without single latencies and idle stretches: their means and median."""
        return {
            "duration_s": self.duration_s,
            "calls": self.calls,
            "latency_s": self.latency_s,
            "energy_j": _copy(self.energy_j),
            "idle_power_w": self.idle_power_w,
            "cpu_s": self.cpu_s,
            "disturbances": list(self.disturbances),
            "redone": self.redone,
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives.

        Of what `summarize` gives, the medians and means stand for what they summarise.
        """
        idle = written["idle_power_w"]
        return cls(
            duration_s=written["duration_s"],
            calls=written["calls"],
            latencies_s=tuple(written.get("latencies_s") or [written["latency_s"]]),
            energy_j=written["energy_j"],
            idle_before_w=written.get("idle_before_w", idle),
            idle_after_w=written.get("idle_after_w", idle),
            cpu_s=written["cpu_s"],
            disturbances=tuple(written["disturbances"]),
            redone=written["redone"],
            started_s=written.get("started_s"),
        )


def _copy(by_domain: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if by_domain is None else dict(by_domain)


@dataclass(frozen=True)
class Start:
    """The state of the instruments where the work of a window begins.

    Attributes:
        foreign_s: CPU seconds of other processes when the window was opened.
        opened_s: the moment of that, before the idle time.
        idle_w: power by domain of the idle time; None without any.
        readings: of the counters.
        cpu_s: CPU time of this process.
        started_s: the moment at which the work begins.
    """

    foreign_s: float
    opened_s: float
    idle_w: Mapping[str, float] | None
    readings: Readings | None
    cpu_s: float
    started_s: float


@dataclass(frozen=True)
class Bench:
    """Everything that a window needs except its length.

    Attributes:
        work: the call that is measured.
        meter: the energy counters.
        clock: source of time.
        foreign: returns cumulative CPU seconds of other processes.
    """

    work: Work
    meter: Meter
    clock: Clock = field(default_factory=Clock)
    foreign: ForeignLoad = lambda: 0.0

    def measure_window(
        self, calls: int, per_sample: int, idle_s: float, stop_at: float = inf
    ) -> Window:
        """Idle, run the calls, idle again.

        No idle time is shared with other windows, so that they are independent.

        Args:
            calls: number of calls, a multiple of ``per_sample``.
            per_sample: calls in a group that is timed together.
            idle_s: of each idle stretch; 0 for none.
            stop_at: no further group is begun after this moment.
        """
        start = self.open_window(idle_s)
        latencies_s = self.time_calls(calls, per_sample, stop_at)
        return self.close_window(start, len(latencies_s) * per_sample, latencies_s, idle_s)

    def open_window(self, idle_s: float) -> Start:
        """Idle, and read the counters; the device is synchronised before."""
        foreign_s, opened_s = self.foreign(), self.clock.now()
        self.meter.collect_faults()  # drops what happened before this window
        idle_w = self.measure_idle_w(idle_s)
        self.meter.read_disturbances()  # likewise
        self.work.synchronize()
        readings = self.meter.read_before_work()
        return Start(
            foreign_s, opened_s, idle_w, readings, self.clock.cpu(), started_s=self.clock.now()
        )

    def close_window(
        self, start: Start, calls: int, latencies_s: Sequence[float], idle_s: float
    ) -> Window:
        """Read the counters when the device has finished the calls, and idle again.

        Args:
            start: what `open_window` returned.
            calls: number of calls since.
            latencies_s: of each group of calls; empty if the calls are one group.
            idle_s: of the idle stretch; 0 for none.
        """
        self.work.synchronize()
        duration_s, cpu_s = self.clock.now() - start.started_s, self.clock.cpu() - start.cpu_s
        consumed = self.meter.compute_consumption(start.readings, self.meter.read_after_work())
        disturbances = self.meter.read_disturbances()
        idle_w = self.measure_idle_w(idle_s)
        disturbances += self.meter.collect_faults()
        foreign_s, elapsed_s = self.foreign() - start.foreign_s, self.clock.now() - start.opened_s
        load = describe_foreign_load(foreign_s, elapsed_s)
        return Window(
            duration_s=duration_s,
            calls=calls,
            latencies_s=tuple(latencies_s) or (duration_s / calls,),
            energy_j=self.meter.attribute_to_work(consumed, duration_s, idle_w or start.idle_w),
            idle_before_w=start.idle_w,
            idle_after_w=idle_w,
            cpu_s=cpu_s,
            disturbances=tuple([*disturbances, load] if load else disturbances),
            started_s=start.started_s,
        )

    def measure_idle_w(self, idle_s: float) -> dict[str, float] | None:
        """Sleep, and return the power by domain; None without idle time or counters."""
        if not idle_s or not self.meter.works:
            return None
        self.meter.settle()
        before = self.meter.read()
        self.clock.sleep(idle_s)
        consumption = self.meter.compute_consumption(before, self.meter.read())
        return None if consumption is None else consumption.power_w

    def time_calls(self, calls: int, per_sample: int, stop_at: float = inf) -> list[float]:
        """Return the seconds per call of each group of calls; the device ends synchronised.

        At least one group is timed, and none is begun after ``stop_at``.
        """
        call, synchronize, now = self.work.call, self.work.synchronize, self.clock.now
        latencies, started = [], now()
        for _ in range(calls // per_sample):
            for _ in repeat(None, per_sample):
                call()
            synchronize()
            ended = now()
            latencies.append((ended - started) / per_sample)
            if ended >= stop_at:
                break
            started = ended
        self.meter.busy_until_s = now()
        return latencies
