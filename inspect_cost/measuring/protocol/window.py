"""One window: calls between two readings of the counters, with idle time before and after."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from math import inf
from statistics import median
from typing import Any, Self

from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.protocol.disturbance import ForeignLoad, describe_foreign_load
from inspect_cost.measuring.protocol.meter import Consumption, Meter

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
        foreign, started = self.foreign(), self.clock.now()
        before = self.measure_idle_w(idle_s)
        self.meter.read_disturbances()  # drops what happened before this window
        window = self._run_calls(calls, per_sample, stop_at)
        spoiled = [*window.disturbances, *self.meter.read_disturbances()]
        after = self.measure_idle_w(idle_s)
        elapsed = self.clock.now() - started
        load = describe_foreign_load(self.foreign() - foreign, elapsed)
        return replace(
            window,
            idle_before_w=before,
            idle_after_w=after,
            disturbances=tuple([*spoiled, load] if load else spoiled),
        )

    def measure_idle_w(self, idle_s: float) -> dict[str, float] | None:
        """Sleep, and return the power by domain; None without idle time or counters."""
        if not idle_s or not self.meter.works:
            return None
        readings, started = self.meter.read(), self.clock.now()
        self.clock.sleep(idle_s)
        later, ended = self.meter.read(), self.clock.now()
        consumption = self.meter.compute_consumption(readings, later, ended - started)
        if consumption is None:
            return None
        return {d: energy / (ended - started) for d, energy in consumption.energy_j.items()}

    def _run_calls(self, calls: int, per_sample: int, stop_at: float) -> Window:
        """Run the calls between two readings; the device is synchronised before both."""
        self.work.synchronize()
        cpu = self.clock.cpu()
        before, started = self.meter.read(), self.clock.now()
        latencies = self.time_calls(calls, per_sample, stop_at)
        ended, after = self.clock.now(), self.meter.read()
        duration_s = ended - started
        # Each counter also saw one round of readings, which is half a per cent of a short window.
        share = duration_s / max(self.clock.now() - started, duration_s, SHORTEST_WINDOW_S)
        consumption = self.meter.compute_consumption(before, after, duration_s) or Consumption({})
        return Window(
            duration_s=duration_s,
            calls=len(latencies) * per_sample,
            latencies_s=tuple(latencies),
            energy_j={d: e * share for d, e in consumption.energy_j.items()} or None,
            cpu_s=self.clock.cpu() - cpu,
            disturbances=tuple(f"the counter of {d} wrapped" for d in consumption.wrapped),
            started_s=started,
        )

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
        return latencies
