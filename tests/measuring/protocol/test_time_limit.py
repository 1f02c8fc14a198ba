"""What takes too long is stopped, and what was set before is set again."""

import signal
import threading
import time
from contextlib import suppress

import pytest
import torch
from torch import nn

from inspect_cost.calls.call import Call
from inspect_cost.measuring.backends import load_backend
from inspect_cost.measuring.backends.setup import Setup, SetupTimeoutError
from inspect_cost.measuring.protocol.time_limit import time_limit
from tests.extras import needs_compiler


def waits(seconds: float) -> None:
    """In a way that takes every `Exception` for its own."""
    try:
        time.sleep(seconds)
    except Exception as error:
        raise ValueError from error


def test_a_block_is_stopped_and_the_alarm_is_gone() -> None:
    handler = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeoutError, match=r"not over after 0\.05 s"), time_limit(0.05):
        waits(10)
    assert signal.getsignal(signal.SIGALRM) is handler
    with time_limit(600):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def loses_an_alarm() -> None:
    with suppress(BaseException):
        time.sleep(10)
    time.sleep(10)


def test_a_block_that_loses_the_first_alarm_is_stopped_by_the_next() -> None:
    with pytest.raises(TimeoutError), time_limit(0.05):
        loses_an_alarm()


def test_another_thread_has_no_limit() -> None:
    over = []

    def work() -> None:
        with time_limit(0.01):
            time.sleep(0.05)
        over.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert over


# The alarm may ring in a callback of the garbage collector, which Python can but report.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_compilation_that_takes_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_compiler()
    monkeypatch.setattr("inspect_cost.measuring.backends.setup.LEAST_LIMIT_S", 0.01)
    call = Call.of(nn.Linear(2, 2), torch.ones(1, 2))
    with pytest.raises(SetupTimeoutError, match=r"torch\.compile took longer than 0\.01 s"):
        load_backend("compile")(call, Setup(lambda: call, 1, 0.01))
    assert torch.ones(2).add(1).sum() == 4  # torch works on
