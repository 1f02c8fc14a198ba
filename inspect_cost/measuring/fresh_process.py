"""Asking a fresh process to do what needs one: to see its own memory, or to be ended in time."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from inspect_cost.calls.call import Call
from inspect_cost.values.errors import MeasurementError

#: Makes a call; it is pickled, and called in the fresh process.
MakeCall = Callable[[], Call]


class NoAnswerError(MeasurementError):
    """A fresh process gave no answer.

    Attributes:
        timed_out: it was ended because it took too long.
    """

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


def ask_fresh_process(child: str, job: Any, timeout_s: float) -> dict[str, Any]:
    """Return what a fresh process answers.

    Args:
        child: module of this package that it runs, with the paths of the job and of the answer.
        job: what it is to do; it is pickled.
        timeout_s: seconds after which it is ended.

    Raises:
        NoAnswerError: the job cannot be pickled, or the process failed, died or took too long.
    """
    with TemporaryDirectory(prefix="inspect-cost-") as folder:
        written, answer = Path(folder, "job"), Path(folder, "answer.json")
        _write_job(job, written)
        _run(child, written, answer, timeout_s)
        answered: dict[str, Any] = json.loads(answer.read_text())
        return answered


def _write_job(job: Any, path: Path) -> None:
    try:
        with path.open("wb") as file:
            pickle.dump(job, file)
    except Exception as error:  # whatever an object's own pickling raises
        raise NoAnswerError(f"it cannot be copied to a fresh process ({error})") from error


def _run(child: str, job: Path, answer: Path, timeout_s: float) -> None:
    command = [sys.executable, "-m", f"inspect_cost.{child}", str(job), str(answer)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command, capture_output=True, text=True, timeout=timeout_s, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise NoAnswerError(
            f"a fresh process was not done after {timeout_s:.0f} s", timed_out=True
        ) from None
    if answer.exists():
        return
    if done.returncode < 0:
        raise NoAnswerError(
            f"a fresh process was ended by signal {-done.returncode}, likely for lack of memory"
        )
    last = done.stderr.strip().rpartition("\n")[2]
    raise NoAnswerError(f"a fresh process failed: {last}")
