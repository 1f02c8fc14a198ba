"""A bound on the time of what has none of its own, such as a compiler."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: The alarm rings again: what is raised while Python frees an object never reaches the block.
AGAIN_S = 0.5


class _TimeIsUpError(BaseException):
    """No `Exception`, which the code within would take for its own and wrap."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Stop the block after so many seconds, as Ctrl-C would.

    That takes an alarm, which only the main thread of a POSIX system gets: elsewhere there is no
    limit. An alarm that was set before is cancelled.

    Raises:
        TimeoutError: the block was not over.
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
