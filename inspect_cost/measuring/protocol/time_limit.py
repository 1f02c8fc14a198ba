"""A limit on the time of code that has none of its own, such as a compiler."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Interval at which the alarm repeats, because an exception raised while Python frees an object
#: never reaches the block.
AGAIN_S = 0.5


#: An alarm that was due meanwhile goes off this soon afterwards.
SOON_S = 1e-3


class TimeLimitError(TimeoutError):
    """A block did not end in the time that it had; no other `TimeoutError` is meant."""


class _TimeIsUpError(BaseException):
    """Not an `Exception`, which the code within the block would catch and wrap."""


def can_limit() -> bool:
    """Return whether time can be limited here: in the main thread of a POSIX system."""
    main = threading.current_thread() is threading.main_thread()
    return main and hasattr(signal, "setitimer")


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Stop the block after a number of seconds, as Ctrl-C would.

    This needs an alarm, which only the main thread of a POSIX system gets; elsewhere there is no
    limit. An alarm that was set before goes off afterwards, if it was due meanwhile.

    Raises:
        TimeLimitError: the block did not end in time.
    """
    if not can_limit():
        yield
        return
    began = time.monotonic()
    before = signal.signal(signal.SIGALRM, _stop)
    due_s, again_s = signal.setitimer(signal.ITIMER_REAL, max(seconds, SOON_S), AGAIN_S)
    try:
        yield
    except _TimeIsUpError:
        raise TimeLimitError(f"not over after {seconds:.3g} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if due_s:
            left_s = due_s - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left_s, SOON_S), again_s)


def _stop(*_: object) -> None:
    raise _TimeIsUpError
