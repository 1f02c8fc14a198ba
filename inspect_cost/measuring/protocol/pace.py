"""How many calls fill a window, by what calls are known to take; and when that proved wrong."""

from dataclasses import dataclass
from math import ceil

from inspect_cost.measuring.protocol.statistics import quantile
from inspect_cost.measuring.protocol.window import SHORTEST_SAMPLE_S, Window

#: A coarse clock may report no time at all; no call is shorter than this.
SHORTEST_CALL_S = 1e-8
#: A plan is wrong if calls take more than this times as long as it says, or less than that part.
WRONG = 1.5
#: Calls beyond this quantile may be of before a change, or slow for reasons of their own.
MOST = 0.1


@dataclass(frozen=True)
class Pace:
    """A plan for windows.

    Attributes:
        window_s: how long each should last.
        latency_s: what a call is known to take.
    """

    window_s: float
    latency_s: float

    @property
    def call_s(self) -> float:
        """Duration of a call, above 0."""
        return max(self.latency_s, SHORTEST_CALL_S)

    @property
    def per_sample(self) -> int:
        """Calls that are timed together."""
        return max(1, ceil(SHORTEST_SAMPLE_S / self.call_s))

    @property
    def groups(self) -> int:
        """Groups of calls in a window."""
        return max(1, ceil(self.window_s / self.call_s / self.per_sample))

    @property
    def calls(self) -> int:
        """Calls in a window."""
        return self.groups * self.per_sample

    def after(self, window: Window) -> "Pace":
        """Return the plan that a window suggests; many calls in a row tell more than few."""
        if self.was_wrong_for(window):  # some of its calls may be of before the change
            return Pace(self.window_s, window.latency_s)
        return Pace(self.window_s, window.duration_s / window.calls)

    def was_wrong_for(self, window: Window) -> bool:
        """Return whether nearly all calls were far slower or faster, and ask for another number."""
        ordered = sorted(window.latencies_s)
        fast_s, slow_s = quantile(ordered, MOST), quantile(ordered, 1 - MOST)
        changed = fast_s > WRONG * self.call_s or slow_s < self.call_s / WRONG
        return changed and Pace(self.window_s, window.latency_s).calls != self.calls
