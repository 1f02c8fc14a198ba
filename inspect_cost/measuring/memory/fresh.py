"""Memory of one call, as a fresh process sees it."""

from collections.abc import Mapping
from math import inf
from typing import Any

from inspect_cost.measuring.fresh_process import MakeCall, NoAnswerError, ask_fresh_process
from inspect_cost.measuring.memory.memory import Memory, make_bytes

#: Seconds for importing torch and building the model.
START_S = 20.0
#: Time of a cold call and of another under the profiler, as a multiple of a call here.
CALLS = 10


def measure_memory(
    make: MakeCall,
    threads: int | None,
    call_s: float,
    process_threads: int,
    limit_s: float = inf,
) -> tuple[Memory | None, str]:
    """Measure the memory of one call in a process of its own; or return None and the reason.

    Args:
        make: makes the call.
        threads: CPU threads, or None for torch's choice.
        call_s: expected seconds of one call.
        process_threads: threads that torch uses in this process.
        limit_s: seconds that it may take, beyond those for starting.
    """
    job = (make, threads or process_threads)
    try:
        timeout_s = min(START_S + CALLS * call_s, max(START_S, limit_s))
        figures = ask_fresh_process("measuring.memory.child", job, timeout_s)
    except NoAnswerError as error:
        return None, str(error)
    return _memory(figures), ""


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
