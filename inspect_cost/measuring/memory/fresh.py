"""Asking a fresh process: what one call takes of memory, or to do what may take too long."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from inspect_cost.calls.target import Target
from inspect_cost.measuring.memory.memory import Memory, in_bytes

#: Of a fresh process: importing torch, and building the model.
START_S = 60.0
#: A call in it, cold and once more under the profiler, as a multiple of one here.
CALLS = 10
LARGEST_COPY_B = 2**31

#: Makes the call that is measured; it is pickled, and called in the fresh process.
Make = Callable[[], Target]


def memory_of(
    make: Make, threads: int | None, call_s: float, process_threads: int
) -> tuple[Memory | None, str]:
    """The memory of one call in a process of its own; or None, and why.

    Args:
        make: makes the call.
        threads: of the CPU, or None for torch's choice.
        call_s: about what one call takes.
        process_threads: threads that torch uses in this process.
    """
    job = (make, threads or process_threads)
    figures, reason = answered("measuring.memory.child", job, START_S + CALLS * call_s)
    return (None, reason) if figures is None else (_memory(figures), "")


def answered(child: str, job: Any, timeout_s: float) -> tuple[dict[str, Any] | None, str]:
    """What a fresh process answers; or None, and why there is no answer.

    Args:
        child: the module of this package that it runs, with the paths of job and answer.
        job: what it is to do; it is pickled.
        timeout_s: it is ended after so long.
    """
    with TemporaryDirectory(prefix="inspect-cost-") as folder:
        written, answer = Path(folder, "job"), Path(folder, "answer.json")
        try:
            with written.open("wb") as file:
                pickle.dump(job, file)
        except Exception as error:  # noqa: BLE001 - whatever an object's own pickling raises
            return None, f"it cannot be copied to a fresh process ({error})"
        reason = _ran(child, written, answer, timeout_s)
        return (None, reason) if reason else (json.loads(answer.read_text()), "")


def _ran(child: str, job: Path, answer: Path, timeout_s: float) -> str:
    """Run the fresh process; why it gave no answer, or ""."""
    command = [sys.executable, "-m", f"inspect_cost.{child}", str(job), str(answer)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command, capture_output=True, text=True, timeout=timeout_s, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return f"a fresh process was not done after {timeout_s:.0f} s"
    if answer.exists():
        return ""
    if done.returncode < 0:
        return f"a fresh process was ended by signal {-done.returncode}, likely for lack of memory"
    last = done.stderr.strip().rpartition("\n")[2]
    return f"a fresh process failed: {last}"


def _memory(figures: Mapping[str, Any]) -> Memory:
    before, peak = figures["rss_before_b"], figures["rss_peak_b"]
    return Memory(
        peak_rss_b=in_bytes(peak, "peak resident set of a fresh process"),
        rss_increase_b=in_bytes(
            None if before is None else peak - before,
            "peak resident set, less that before the call",
        ),
        allocator_peak_b=in_bytes(figures["allocator_peak_b"], "torch profiler, CPU allocator"),
        cuda_peak_b=in_bytes(figures["cuda_peak_b"], "torch.cuda.max_memory_allocated"),
    )
