"""Time as the protocol sees it; simulations replace it."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Source of time.

    Attributes:
        now: seconds of a monotonic clock.
        sleep: waits for a number of seconds.
        cpu: CPU seconds that this process has used, all threads together.
    """

    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
    cpu: Callable[[], float] = time.process_time
