"""The fresh process that measures one call's memory: ``python -m ... JOB ANSWER``."""

import json
import pickle
import sys
import time
from itertools import accumulate
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no annotations
import torch
from torch.profiler import ProfilerActivity, profile

from inspect_cost.calls.call import Call

STATUS, REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # as proc(5) says
#: The profiler stores every operator; longer calls would make too many.
LONGEST_PROFILED_S = 5.0


def measure_peaks(call: Call, threads: int) -> dict[str, int | None]:
    """Measure the peaks of one call, in bytes; None where they are unknown."""
    cuda = call.device.type == "cuda"
    with call.inference(threads):
        if cuda:
            torch.cuda.reset_peak_memory_stats(call.device)
        before = psutil.Process().memory_info().rss if _reset_peak() else None
        started = time.perf_counter()
        call.run()
        call.synchronize()
        duration_s = time.perf_counter() - started
        peak = read_peak_rss_b()
        seen = duration_s < LONGEST_PROFILED_S and not cuda and call.by_torch
        return {
            "rss_before_b": before,
            "rss_peak_b": peak,
            "allocator_peak_b": measure_allocator_peak_b(call) if seen else None,
            "cuda_peak_b": torch.cuda.max_memory_allocated(call.device)
            if cuda and call.by_torch
            else None,
        }


def read_peak_rss_b() -> int:
    """Return the largest resident set since the last reset, or since the start without one."""
    if STATUS.exists():
        lines = STATUS.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    info = psutil.Process().memory_info()
    return int(getattr(info, "peak_wset", 0) or info.rss)


def _reset_peak() -> bool:
    """Forget the peak so far, which building the model made; return whether that works here."""
    try:
        REFERENCES.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def measure_allocator_peak_b(call: Call) -> int:
    """Return most bytes that torch's CPU allocator had handed out to the call's tensors at once."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call.run()
    events = profiler.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return int(max(accumulate((change for _, change in changes), initial=0)))


def main() -> None:
    """Read the job, do it, write the answer."""
    job, answer = map(Path, sys.argv[1:])
    # Written by the process that started this one, in a folder that only its user can write.
    make, threads = pickle.loads(job.read_bytes())  # noqa: S301
    answer.write_text(json.dumps(measure_peaks(make(), threads), allow_nan=False))


if __name__ == "__main__":
    main()
