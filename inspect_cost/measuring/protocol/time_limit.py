"""A limit on the time of code that has none of its own, such as a compiler."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Interval at which the alarm repeats, because an exception raised while Python frees an object
#: never reaches the block.
AGAIN_S = 0.5


class _TimeIsUpError(BaseException):
    """Not an `Exception`, which the code within the block would catch and wrap."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Stop the block after a number of seconds, as Ctrl-C would.

    This needs an alarm, which only the main thread of a POSIX system gets; elsewhere there is no
    limit. An alarm that was set before is cancelled.

    Raises:
        TimeoutError: the block did not end in time.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
    try:
        yield
    except _TimeIsUpError:
        raise TimeoutError(f"not over after {seconds:.3g} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _stop(*_: object) -> None:
    raise _TimeIsUpError
