"""Load from outside: CPU time of other processes."""

import os
from collections.abc import Callable

import psutil  # type: ignore[import-untyped]  # it has no annotations

from inspect_cost.measuring.protocol.cpu_time import read_cpu_s

#: Cumulative CPU seconds of everything but this process and its children.
ForeignLoad = Callable[[], float]

#: More CPU seconds of others, per second, disturb a window: a tenth of one core.
TOLERATED_CORES = 0.1
#: The system counts CPU time in ticks of 10 ms; two of them are within its error.
TICKS_S = 0.02
#: In a shorter stretch, ticks say nothing of a share.
SHORTEST_STRETCH_S = 10 * TICKS_S

IDLE_FIELDS = ("idle", "iowait", "guest", "guest_nice")  # guests are in user already


def read_foreign_cpu_s() -> float:
    """Return CPU seconds since boot that were not this process's or its children's."""
    times = psutil.cpu_times()._asdict()
    busy = sum(seconds for name, seconds in times.items() if name not in IDLE_FIELDS)
    return float(busy - read_cpu_s())


def describe_foreign_load(foreign_s: float, duration_s: float) -> str | None:
    """Describe the load of other processes, or return None if a window tolerates it."""
    if duration_s < SHORTEST_STRETCH_S or foreign_s <= TOLERATED_CORES * duration_s + TICKS_S:
        return None
    cores = min(foreign_s / duration_s, float(os.cpu_count() or 1))
    return f"other processes kept {cores:.1f} cores busy"
