"""What each counter of the benchmark is put through, in a process of its own.

    python scripts/counting_trials.py TRIAL TOOL [ARGUMENT]

Prints one line of JSON for each result.
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
from counting_cases import CASES
from counting_models import Raising
from counting_tools import TOOLS, Tool
from torch import Tensor, nn

#: Seconds for one count of one case.
LIMIT_S = 60
#: Counts at once.
CONCURRENT = 45
SPEED_CASES = ("ResNet-50", "GPT-2 small, 128 tokens")
#: Cases that are counted once only.
LARGE = {*SPEED_CASES, "ViT-B/16"}
LLAMAS = {
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
    """One count: MACs and a sign that some are missing, or the error in short."""
    signal.alarm(LIMIT_S)
    try:
        macs, incomplete = tool(model, inputs)
        return {"macs": float(macs), "incomplete": incomplete}
    except BaseException as error:  # noqa: BLE001 - whatever a tool raises, SystemExit included
        return {"error": f"{type(error).__name__}: {error}".partition("\n")[0][:80]}
    finally:
        signal.alarm(0)


def exactness(tool: Tool) -> Iterator[dict[str, Any]]:
    """Every case in eval mode, and what counting it in training mode changes.

    Each is in a process of its own, for some tools leave torch patched where they fail.
    """
    with suppress(ImportError):
        import_module(tool.__name__)  # once, and not in every fork
    for name, case in CASES.items():
        yield {"case": name, "truth": case.macs, "touched": []} | apart(counted_case, tool, name)
    yield {"case": "raising", "touched": ["died"]} | apart(raising_case, tool)


def apart(work: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """What the work returns from a fork of this process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        try:
            return pool.submit(work, *arguments).result()
        except BrokenExecutor:
            return {"error": "died"}


def counted_case(tool: Tool, name: str) -> dict[str, Any]:
    """One case."""
    case = CASES[name]
    answer = run(tool, case.make().eval(), case.inputs)
    touched = [] if name in LARGE else changed(tool, case.make(), case.inputs)
    return {**answer, "touched": touched}


def raising_case(tool: Tool) -> dict[str, Any]:
    """A forward that fails half-way."""
    return {"touched": changed(tool, Raising(), (torch.rand(4, 8),))}


def changed(tool: Tool, model: nn.Module, inputs: tuple[Tensor, ...]) -> list[str]:
    """What a count leaves otherwise than it was, whether it succeeds or not."""
    before = state(model.train())
    run(tool, model, inputs)
    return differences(model, before)


def state(model: nn.Module) -> dict[str, Any]:
    """What a count must leave alone: the model, and the functions of torch that tools patch."""
    modules = list(model.modules())
    return {
        "training": [module.training for module in modules],
        "state_dict": {k: v.clone() for k, v in model.state_dict().items() if torch.is_tensor(v)},
        "attributes": [sorted(vars(module)) for module in modules],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in modules],  # noqa: SLF001
        "torch": [id(f) for f in (F.linear, F.conv2d, torch.matmul, torch.bmm, torch.addmm)],
    }


def differences(model: nn.Module, before: dict[str, Any]) -> list[str]:
    """Which of it is not as before."""
    after = state(model)
    kept, now = before.pop("state_dict"), after.pop("state_dict")
    same = kept.keys() == now.keys() and all(torch.equal(kept[k], now[k]) for k in kept)
    return [key for key in before if before[key] != after[key]] + ([] if same else ["state_dict"])


def speed(tool: Tool) -> Iterator[dict[str, Any]]:
    """Times of a count, as multiples of the plain forward's beside it."""
    torch.set_num_threads(int(os.environ.get("BENCH_THREADS", "2")))
    cases = {name: (CASES[name].make, CASES[name].inputs) for name in SPEED_CASES}
    cases["LSTM 2 x 512, 265 steps"] = (lambda: nn.LSTM(512, 512, 2), (torch.rand(265, 1, 512),))
    for name, (make, inputs) in cases.items():
        model = make().eval()
        with torch.inference_mode():
            forward = median_s(partial(model, *inputs))
        answer = run(tool, model, inputs)
        if "error" in answer:
            yield {"case": name, **answer}
            continue
        counting = median_s(partial(tool, model, inputs))
        yield {"case": name, "forward_s": forward, "counting_s": counting}


def median_s(call: Callable[[], object], repetitions: int = 9) -> float:
    """Median time of a call after one to warm up."""
    call()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def threads(tool: Tool) -> Iterator[dict[str, Any]]:
    """How many of many counts at once are right."""
    models = [
        nn.Sequential(nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 2 * n))
        for n in range(1, CONCURRENT + 1)
    ]

    def is_right(model: nn.Module) -> bool:
        width = model[0].in_features  # type: ignore[index,union-attr]  # it is a Sequential
        try:
            return tool(model.eval(), (torch.rand(4, width),)).macs == 12 * width**2
        except BaseException:  # noqa: BLE001 - a count that fails is not right
            return False

    with ThreadPoolExecutor(8) as pool:
        yield {"right": sum(pool.map(is_right, models)), "of": CONCURRENT}


def llama(tool: Tool, size: str, masked: str) -> Iterator[dict[str, Any]]:
    """A model of `transformers` without weights; with an explicit mask where asked for."""
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415 - it takes seconds

    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(use_cache=False, **LLAMAS[size])).eval()
    ids = torch.zeros(1, TOKENS, dtype=torch.int64, device="meta" if masked == "masked" else "cpu")
    inputs: tuple[Tensor, ...] = (ids,)
    if masked == "masked":
        inputs = (ids, torch.zeros(1, 1, TOKENS, TOKENS, device="meta"))
    tool(nn.Linear(2, 2), (torch.rand(1, 2),))  # so that imports do not count
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


def out_of_time(*_: object) -> None:
    """Ends a count that takes too long."""
    raise TimeoutError(f"more than {LIMIT_S} s")


def main() -> None:
    """Print what one trial of one tool yields; whatever the tool prints goes nowhere."""
    trial, name, *arguments = sys.argv[1:]
    results = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    signal.signal(signal.SIGALRM, out_of_time)
    torch.manual_seed(0)
    for result in TRIALS[trial](TOOLS[name], *arguments):
        print(json.dumps(result), file=results, flush=True)


if __name__ == "__main__":
    main()
