"""Time as the protocol sees it; simulations replace it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from inspect_cost.measuring.protocol.cpu_time import read_cpu_s


@dataclass(frozen=True)
class Clock:
    """Source of time.

    Attributes:
        now: seconds of a monotonic clock.
        sleep: waits for a number of seconds.
        cpu: CPU seconds that this process and its children have used, all threads together.
    """

    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
    cpu: Callable[[], float] = read_cpu_s
