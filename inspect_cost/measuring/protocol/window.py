"""One window: calls between two readings of the counters, with idle time before and after."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from statistics import median
from typing import Any

from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.protocol.disturbance import ForeignLoad, foreign_load
from inspect_cost.measuring.protocol.meter import Consumption, Meter

#: Latency is timed over groups of calls that last about this long: reading a clock then costs
#: less than a ten-thousandth.
SHORTEST_SAMPLE_S = 1e-3
#: No window is shorter, whatever a coarse clock says.
SHORTEST_WINDOW_S = 1e-9


@dataclass(frozen=True)
class Work:
    """What is measured.

    Attributes:
        call: one inference.
        synchronize: waits until the device has done all that was asked of it.
    """

    call: Callable[[], Any]
    synchronize: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Window:
    """What one window saw.

    Attributes:
        duration_s: of its calls, the idle time not included.
        calls: how many there were.
        latencies_s: of each call, or of groups of calls where they are short, divided by the size.
        energy_j: during the calls by domain; None where no counter could be trusted.
        idle_before_w: power by domain of the idle time before; None where there was none.
        idle_after_w: power by domain of the idle time after.
        cpu_s: CPU time of this process during the calls.
        disturbances: what spoiled the window.
        redone: it was set aside, and another was made for it.
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

    @property
    def idle_power_w(self) -> dict[str, float] | None:
        """Power by domain in the middle of the window had it been idle, from both sides of it."""
        if self.idle_before_w is None or self.idle_after_w is None:
            return None
        after = self.idle_after_w
        return {d: (w + after[d]) / 2 for d, w in self.idle_before_w.items() if d in after}

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON; of the latencies, the median."""
        return {
            "duration_s": self.duration_s,
            "calls": self.calls,
            "latency_s": median(self.latencies_s),
            "energy_j": None if self.energy_j is None else dict(self.energy_j),
            "idle_power_w": self.idle_power_w,
            "cpu_s": self.cpu_s,
            "disturbances": list(self.disturbances),
            "redone": self.redone,
        }


@dataclass(frozen=True)
class Bench:
    """Everything that a window needs but its length.

    Attributes:
        work: what is measured.
        meter: the energy counters.
        clock: where time comes from.
        foreign: cumulative CPU seconds of other processes.
    """

    work: Work
    meter: Meter
    clock: Clock = field(default_factory=Clock)
    foreign: ForeignLoad = lambda: 0.0

    def window(self, calls: int, per_sample: int, idle_s: float) -> Window:
        """Idle, work, idle. No idle time is shared with other windows, so they are independent.

        Args:
            calls: how many, in whole groups.
            per_sample: calls in a group that is timed together.
            idle_s: of each idle stretch; 0 for none.
        """
        foreign, started = self.foreign(), self.clock.now()
        before = self.idle_w(idle_s)
        self.meter.disturbances()  # what was before is not this window's
        window = self._busy(calls, per_sample)
        spoiled = [*window.disturbances, *self.meter.disturbances()]
        after = self.idle_w(idle_s)
        elapsed = self.clock.now() - started
        load = foreign_load(self.foreign() - foreign, elapsed)
        return Window(
            window.duration_s,
            window.calls,
            window.latencies_s,
            window.energy_j,
            before,
            after,
            window.cpu_s,
            (*spoiled, *([load] if load else [])),
        )

    def idle_w(self, idle_s: float) -> dict[str, float] | None:
        """Power by domain while nothing is asked of the device."""
        if not idle_s or not self.meter.works:
            return None
        readings, started = self.meter.read(), self.clock.now()
        self.clock.sleep(idle_s)
        later, ended = self.meter.read(), self.clock.now()
        consumption = self.meter.between(readings, later, ended - started)
        if consumption is None:
            return None
        return {d: energy / (ended - started) for d, energy in consumption.energy_j.items()}

    def _busy(self, calls: int, per_sample: int) -> Window:
        """The calls alone; the device is synchronised before both readings."""
        self.work.synchronize()
        cpu = self.clock.cpu()
        before, started = self.meter.read(), self.clock.now()
        latencies = self.timed(calls, per_sample)
        ended, after = self.clock.now(), self.meter.read()
        duration_s = ended - started
        # Each counter also saw one round of readings; of a short window that is half a per cent.
        share = duration_s / max(self.clock.now() - started, duration_s, SHORTEST_WINDOW_S)
        consumption = self.meter.between(before, after, duration_s) or Consumption({})
        return Window(
            duration_s=duration_s,
            calls=calls,
            latencies_s=tuple(latencies),
            energy_j={d: e * share for d, e in consumption.energy_j.items()} or None,
            cpu_s=self.clock.cpu() - cpu,
            disturbances=tuple(f"the counter of {d} wrapped" for d in consumption.wrapped),
        )

    def timed(self, calls: int, per_sample: int) -> list[float]:
        """Seconds a call, for each group of calls; it ends synchronised."""
        call, synchronize, now = self.work.call, self.work.synchronize, self.clock.now
        latencies, started = [], now()
        for _ in range(calls // per_sample):
            for _ in repeat(None, per_sample):
                call()
            synchronize()
            ended = now()
            latencies.append((ended - started) / per_sample)
            started = ended
        return latencies
