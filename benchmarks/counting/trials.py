"""Trials of one counter of the benchmark, run in a process of their own.

    python -m benchmarks.counting.trials TRIAL TOOL [ARGUMENT]

Prints one line of JSON per result.
"""

import json
import multiprocessing
import os
import resource
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.counting.cases import CASES
from benchmarks.counting.models import Raising
from benchmarks.counting.tools import TOOLS, Tool

#: Time limit for one count of one case, in seconds.
LIMIT_S = 60
#: Number of concurrent counts.
CONCURRENT = 45
SPEED_CASES = ("ResNet-50", "GPT-2 small, 128 tokens")
#: Cases that are counted only once.
LARGE = {*SPEED_CASES, "ViT-B/16"}
LLAMAS: dict[str, dict[str, Any]] = {
    "Llama-7B": {},
    "Llama-70B": {
        "hidden_size": 8192,
        "num_hidden_layers": 80,
        "intermediate_size": 28672,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
    },
}
TOKENS = 128


def run(tool: Tool, model: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, Any]:
    """Count once; return MACs and whether some are missing, or a short error."""
    signal.alarm(LIMIT_S)
    try:
        macs, incomplete = tool.count(model, inputs)
        return {"macs": float(macs), "incomplete": incomplete}
    except BaseException as error:  # noqa: BLE001 - whatever a tool raises, SystemExit included
        return {"error": f"{type(error).__name__}: {error}".partition("\n")[0][:80]}
    finally:
        signal.alarm(0)


def exactness(tool: Tool) -> Iterator[dict[str, Any]]:
    """Count every case in eval mode, and find what counting it in training mode changes.

    Each case has a process of its own, since some tools leave torch patched when they fail.
    """
    with suppress(ImportError):
        import_module(tool.module)  # once, rather than in every fork
    for name, case in CASES.items():
        found = run_in_fork(count_case, tool, name)
        yield {"case": name, "truth": case.macs, "touched": []} | found
    yield {"case": "raising", "touched": ["died"]} | run_in_fork(count_raising_case, tool)


def run_in_fork(work: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """Run the work in a fork of this process, and return its result."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        try:
            return pool.submit(work, *arguments).result()
        except BrokenExecutor:
            return {"error": "died"}


def count_case(tool: Tool, name: str) -> dict[str, Any]:
    """Count one case."""
    case = CASES[name]
    answer = run(tool, case.make().eval(), case.inputs)
    touched = [] if name in LARGE else find_changes(tool, case.make(), case.inputs)
    return {**answer, "touched": touched}


def count_raising_case(tool: Tool) -> dict[str, Any]:
    """Count a forward that fails half-way."""
    return {"touched": find_changes(tool, Raising(), (torch.rand(4, 8),))}


def find_changes(tool: Tool, model: nn.Module, inputs: tuple[Tensor, ...]) -> list[str]:
    """Return what a count leaves changed, whether it succeeds or not."""
    before = record_state(model.train())
    run(tool, model, inputs)
    return compare_state(model, before)


def record_state(model: nn.Module) -> dict[str, Any]:
    """Record what a count must not change: the model, and functions of torch that tools patch."""
    modules = list(model.modules())
    return {
        "training": [module.training for module in modules],
        "state_dict": {k: v.clone() for k, v in model.state_dict().items() if torch.is_tensor(v)},
        "attributes": [sorted(vars(module)) for module in modules],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in modules],  # noqa: SLF001
        "torch": [id(f) for f in (F.linear, F.conv2d, torch.matmul, torch.bmm, torch.addmm)],
    }


def compare_state(model: nn.Module, before: dict[str, Any]) -> list[str]:
    """Return the names of what has changed."""
    after = record_state(model)
    kept, now = before.pop("state_dict"), after.pop("state_dict")
    same = kept.keys() == now.keys() and all(torch.equal(kept[k], now[k]) for k in kept)
    return [key for key in before if before[key] != after[key]] + ([] if same else ["state_dict"])


def speed(tool: Tool) -> Iterator[dict[str, Any]]:
    """Time a count, and the plain forward beside it."""
    torch.set_num_threads(int(os.environ.get("BENCH_THREADS", "2")))
    cases = {name: (CASES[name].make, CASES[name].inputs) for name in SPEED_CASES}
    cases["LSTM 2 x 512, 265 steps"] = (lambda: nn.LSTM(512, 512, 2), (torch.rand(265, 1, 512),))
    for name, (make, inputs) in cases.items():
        model = make().eval()
        with torch.inference_mode():
            forward = measure_median_s(partial(model, *inputs))
        answer = run(tool, model, inputs)
        if "error" in answer:
            yield {"case": name, **answer}
            continue
        counting = measure_median_s(partial(tool.count, model, inputs))
        yield {"case": name, "forward_s": forward, "counting_s": counting}


def measure_median_s(call: Callable[[], object], repetitions: int = 9) -> float:
    """Measure the median time of a call, after one call to warm up."""
    call()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def threads(tool: Tool) -> Iterator[dict[str, Any]]:
    """Count many models at once, and yield how many counts are right."""
    models = [
        nn.Sequential(nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 2 * n))
        for n in range(1, CONCURRENT + 1)
    ]

    def is_right(model: nn.Module) -> bool:
        width = model[0].in_features  # type: ignore[index]  # it is a Sequential
        try:
            return bool(tool.count(model.eval(), (torch.rand(4, width),)).macs == 12 * width**2)
        except BaseException:  # noqa: BLE001 - a count that fails is wrong
            return False

    with ThreadPoolExecutor(8) as pool:
        yield {"right": sum(pool.map(is_right, models)), "of": CONCURRENT}


def llama(tool: Tool, size: str, masked: str) -> Iterator[dict[str, Any]]:
    """Count a model of `transformers` without weights, with an explicit mask if asked for."""
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415 - it takes seconds

    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(use_cache=False, **LLAMAS[size])).eval()
    ids = torch.zeros(1, TOKENS, dtype=torch.int64, device="meta" if masked == "masked" else "cpu")
    inputs: tuple[Tensor, ...] = (ids,)
    if masked == "masked":
        inputs = (ids, torch.zeros(1, 1, TOKENS, TOKENS, device="meta"))
    tool.count(nn.Linear(2, 2), (torch.rand(1, 2),))  # so that imports are not timed
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    answer = run(tool, model, inputs)
    yield {
        "case": size,
        "seconds": time.perf_counter() - start,
        "added_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        "params": sum(p.numel() for p in model.parameters()),
        **answer,
    }


TRIALS: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {
    "exactness": exactness,
    "speed": speed,
    "threads": threads,
    "llama": llama,
}


def end_count(*_: object) -> None:
    """End a count that takes too long."""
    raise TimeoutError(f"more than {LIMIT_S} s")


def main() -> None:
    """Print what one trial of one tool yields; discard what the tool prints."""
    trial, name, *arguments = sys.argv[1:]
    results = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    signal.signal(signal.SIGALRM, end_count)
    torch.manual_seed(0)
    for result in TRIALS[trial](TOOLS[name], *arguments):
        print(json.dumps(result), file=results, flush=True)


if __name__ == "__main__":
    main()
