"""CPU time of this process and of its children, those that have ended and those that live."""

import os
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no annotations

TASKS = Path("/proc/self/task")


def read_cpu_s() -> float:
    """Return CPU seconds that this process and all its children have used, all threads together.

    Those of children come in ticks of 10 ms.
    """
    ended = os.times()
    children_s = ended.children_user + ended.children_system + _read_living_s()
    return time.process_time() + children_s  # the own time last: looking at children costs some


def _read_living_s() -> float:
    """Return the CPU seconds of children that live, with those of theirs that have ended."""
    if not _may_have_children():
        return 0.0
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            spent = child.cpu_times()
        except psutil.Error:
            continue  # it has ended
        total += spent.user + spent.system
        total += getattr(spent, "children_user", 0.0) + getattr(spent, "children_system", 0.0)
    return total


def _may_have_children() -> bool:
    """Return whether there are children, where Linux lists them; looking for them is slow."""
    try:
        lists = [path.read_text() for path in TASKS.glob("*/children")]
    except OSError:
        return True
    return not lists or any(lists)
