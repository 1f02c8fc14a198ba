"""Time as the protocol sees it; simulations bring their own."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Where time comes from.

    Attributes:
        now: seconds of a steady clock.
        sleep: waits for so many seconds.
        cpu: CPU seconds that this process has used, all threads together.
    """

    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
    cpu: Callable[[], float] = time.process_time
