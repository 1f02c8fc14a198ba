"""The parts of `scripts/prove_gpu.sh` that run models, each as a process of its own.

    python -m scripts.gpu_parts machine|counts|measurements FOLDER --device cuda [--quick]

A part writes FOLDER/PART.json after each of its steps, so that what it has found is kept if it is
cut off.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

import model_zoo
from benchmarks.counting.models import ResNet50
from inspect_cost import Call, CostReport, Measurement, count, measure
from inspect_cost.measuring.doctor import machine
from scripts.prove_gpu import write

#: Model of the zoo -> samples of a call: what it generates at least, or a fraction of a second.
SAMPLES = {
    "wavegan": 16_384,
    "sing": 64_000,
    "gansynth": 64_000,
    "flowavenet": 16_128,
    "samplernn": 640,
}
RESNET = "resnet50"
QUICK = ("wavegan", RESNET)
DTYPES = ("float32", "bfloat16")
WINDOWS = 3
#: Seconds for a measurement, at least and at most, and what each takes beside its own time.
SHORTEST_S, LONGEST_S, OVERHEAD_S = 8.0, 20.0, 8.0
QUICK_S = 1.0


def make_call(name: str) -> Call:
    """Return the call of a subject, on the CPU."""
    torch.manual_seed(0)
    if name == RESNET:
        return Call.of(make_resnet(), torch.rand(1, 3, 224, 224))
    entry = model_zoo.preset(name)
    generation = entry.call(entry.configuration(), SAMPLES[name], "cpu", 0)
    return Call.of(entry.build().generate, **generation.kwargs)


def make_resnet() -> nn.Module:
    """Return torchvision's ResNet-50, or one that is written out where torchvision is absent."""
    try:
        from torchvision.models import resnet50  # noqa: PLC0415 - it may be absent, or not fit
    except Exception:  # noqa: BLE001 - one that does not fit torch raises anything
        return ResNet50().eval()
    made: nn.Module = resnet50().eval()
    return made


def list_subjects(options: argparse.Namespace) -> Sequence[str]:
    """Return the names of the models."""
    return QUICK if options.quick else (RESNET, *SAMPLES)


def describe_machine(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Yield what runs here."""
    yield "machine", machine.describe_machine()
    yield "versions", machine.describe_versions()
    yield "cuda", torch.version.cuda
    count = torch.cuda.device_count()
    yield "gpus", [torch.cuda.get_device_name(index) for index in range(count)]
    if options.device == "cuda" and not count:
        raise SystemExit("torch sees no CUDA device here; --device cpu only tries the script")


def compare_counts(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Yield each subject's counts on the CPU and on the device, and whether they are equal."""
    for name in list_subjects(options):
        call = make_call(name)
        on_cpu = summarize_count(count(call))
        on_device = summarize_count(count(call.to(options.device)))
        equal = on_cpu == on_device
        yield name, {"equal": equal, "cpu": on_cpu, "device": on_device}
        if not equal:
            raise SystemExit(f"{name}: the counts differ")


def summarize_count(report: CostReport) -> dict[str, Any]:
    """Return the totals of a count."""
    return {
        "macs": report.macs,
        "flops": report.flops,
        "flops_by_class": dict(report.flops_by_class),
        "parameters": report.params,
    }


def measure_all(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Yield the measurement of each subject in each type, as far as the time goes."""
    ends_s = time.monotonic() + options.seconds - OVERHEAD_S
    todo = [(name, dtype) for dtype in DTYPES for name in list_subjects(options)]
    for number, (name, dtype) in enumerate(todo):
        left_s = ends_s - time.monotonic()
        share_s = left_s / (len(todo) - number) - OVERHEAD_S
        time_s = QUICK_S if options.quick else min(LONGEST_S, max(SHORTEST_S, share_s))
        if left_s < time_s:
            yield f"{name} {dtype}", {"error": "not reached: no time was left"}
            continue
        yield f"{name} {dtype}", try_measuring(name, dtype, time_s, options.device)


def try_measuring(name: str, dtype: str, time_s: float, device: str) -> dict[str, Any]:
    """Return a measurement, or what prevented it."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        found = measure(
            make_call(name),
            device=device,
            dtype=dtype,
            measure_time_s=time_s,
            windows=WINDOWS,
            peak_memory=dtype == DTYPES[0],  # a fresh process, which takes as long as the rest
        )
    except Exception as error:  # noqa: BLE001 - not every model runs in every type
        return {"error": f"{type(error).__name__}: {error}"}
    allocated_b = torch.cuda.max_memory_allocated() if device == "cuda" else None
    figures = summarize_measurement(found)
    return {**figures, "allocated_peak_b": allocated_b, "measured": found.to_dict()}


def summarize_measurement(found: Measurement) -> dict[str, Any]:
    """Return the figures that are to be looked at first."""
    names = ("latency_s", "energy_j", "energy_net_j", "power_w", "power_net_w", "idle_power_w")
    quantities = {name: getattr(found, name) for name in names}
    memory = found.memory
    return {
        **{name: q and {"value": q.value, "ci95": q.ci95} for name, q in quantities.items()},
        "cuda_peak_b": memory.cuda_peak_b.value if memory and memory.cuda_peak_b else None,
        "peak_rss_b": memory.peak_rss_b.value if memory and memory.peak_rss_b else None,
        "notes": list(map(str, found.notes)),
    }


STEPS: Mapping[str, Callable[[argparse.Namespace], Iterator[tuple[str, Any]]]] = {
    "machine": describe_machine,
    "counts": compare_counts,
    "measurements": measure_all,
}


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=STEPS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="two models, a second each")
    parser.add_argument("--seconds", type=float, default=300.0, help="for the measurements")
    return parser.parse_args()


def main() -> None:
    """Do a part, and write what it finds after each step."""
    options = parse_arguments()
    found: dict[str, Any] = {}
    for name, result in STEPS[options.part](options):
        found[name] = result
        write(options.folder / f"{options.part}.json", found)
        print(name, flush=True)


if __name__ == "__main__":
    main()
