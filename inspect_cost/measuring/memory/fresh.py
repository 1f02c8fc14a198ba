"""Work for a fresh process: measuring the memory of one call, or what may take too long."""

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
from inspect_cost.measuring.memory.memory import Memory, make_bytes
from inspect_cost.values.errors import one_line

#: Time that a fresh process has for importing torch and building the model.
START_S = 60.0
#: Its calls, one cold and one under the profiler, as a multiple of a call here.
CALLS = 10

#: Makes the call that is measured; it is pickled, and run in the fresh process.
Make = Callable[[], Target]


def measure_memory(
    make: Make, threads: int | None, call_s: float, process_threads: int
) -> tuple[Memory | None, str]:
    """Measure the memory of one call in a process of its own; or return None and the reason.

    Args:
        make: makes the call.
        threads: CPU threads, or None for torch's choice.
        call_s: approximate duration of a call.
        process_threads: threads that torch uses in this process.
    """
    job = (make, threads or process_threads)
    figures, reason = ask_fresh_process("measuring.memory.child", job, START_S + CALLS * call_s)
    return (None, reason) if figures is None else (_memory(figures), "")


def ask_fresh_process(child: str, job: Any, timeout_s: float) -> tuple[dict[str, Any] | None, str]:
    """Run a job in a fresh process and return its answer; or None and the reason.

    Args:
        child: module of this package to run, with the paths of job and answer as arguments.
        job: anything that can be pickled.
        timeout_s: when the process is ended.
    """
    with TemporaryDirectory(prefix="inspect-cost-") as folder:
        written, answer = Path(folder, "job"), Path(folder, "answer.json")
        try:
            with written.open("wb") as file:
                pickle.dump(job, file)
        except Exception as error:  # noqa: BLE001 - an object's own pickling may raise anything
            return None, f"it cannot be copied to a fresh process ({one_line(error)})"
        reason = _run_child(child, written, answer, timeout_s)
        return (None, reason) if reason else (json.loads(answer.read_text()), "")


def _run_child(child: str, job: Path, answer: Path, timeout_s: float) -> str:
    """Run the fresh process, and return why it gave no answer, or ""."""
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
        peak_rss_b=make_bytes(peak, "peak resident set of a fresh process"),
        rss_increase_b=make_bytes(
            None if before is None else peak - before,
            "peak resident set, less that before the call",
        ),
        allocator_peak_b=make_bytes(figures["allocator_peak_b"], "torch profiler, CPU allocator"),
        cuda_peak_b=make_bytes(figures["cuda_peak_b"], "torch.cuda.max_memory_allocated"),
    )
