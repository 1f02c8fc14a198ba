"""Running somebody else's code where it can neither hang, nor crash, nor change anything here."""

import faulthandler
import logging
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from inspect_cost.values.errors import CountError, one_line


def run_isolated(work: Callable[[], Any], timeout_s: float) -> Any:
    """Return what ``work()`` returns, from a forked process, which is a copy of this one.

    Raises:
        CountError: the work raised, died, or took longer than the time limit; says which.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work_and_send, args=(work, sender), daemon=True)
    with warnings.catch_warnings():
        # Python warns of forking beside other threads; the child uses none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    sender.close()
    try:
        if not receiver.poll(timeout_s):
            raise CountError(f"took longer than {timeout_s:g} s")
        result, failure = receiver.recv()
    except EOFError:
        process.join()
        raise CountError(f"its process {_describe_end(process.exitcode)}") from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    if failure:
        raise CountError(failure)
    return result


def _work_and_send(work: Callable[[], Any], sender: Connection) -> None:
    """Do the work in the child, and send what it returns or why it failed."""
    _silence()
    # Threads of the parent's pool do not exist here, and waiting for them would last for ever.
    torch.set_num_threads(1)
    with suppress(OSError):  # where memory runs out, this process shall be the one to end
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        outcome = (work(), "")
    except Exception as error:  # noqa: BLE001 - whatever somebody else's code raises
        outcome = (None, one_line(error))
    sender.send(outcome)
    sender.close()


def _silence() -> None:
    """Suppress warnings, logs and prints."""
    warnings.simplefilter("ignore")
    logging.disable()
    faulthandler.disable()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _describe_end(exit_code: int | None) -> str:
    """Return how a process ended, in words."""
    if exit_code is not None and exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with code {exit_code}"
