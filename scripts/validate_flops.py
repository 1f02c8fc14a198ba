"""Counted FLOPs against those that the CPU says it retired, for standard blocks and the zoo.

    python scripts/validate_flops.py [--markdown] [SUBJECT ...]

Linux's `perf stat` reads the CPU's counter of retired floating-point operations, in user space, a
fused multiply-add being two. Each subject runs N and 2N times in processes of their own, on one
thread; the difference over N is one call. Exits with 3 where the counters cannot be seen.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from counting_models import Calls, ResNet50
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import model_zoo
from inspect_cost import CostReport, count
from inspect_cost.subjects.inspection import inspected_preset

#: Maker of the CPU -> event -> floating-point operations that one count of it stands for.
EVENTS: Mapping[str, Mapping[str, int]] = {
    "AuthenticAMD": {"fp_ret_sse_avx_ops.all": 1},
    "GenuineIntel": {
        "fp_arith_inst_retired.scalar_single": 1,
        "fp_arith_inst_retired.scalar_double": 1,
        "fp_arith_inst_retired.128b_packed_single": 4,
        "fp_arith_inst_retired.128b_packed_double": 2,
        "fp_arith_inst_retired.256b_packed_single": 8,
        "fp_arith_inst_retired.256b_packed_double": 4,
        "fp_arith_inst_retired.512b_packed_single": 16,
        "fp_arith_inst_retired.512b_packed_double": 8,
    },
}
NO_COUNTERS = 3
#: FLOPs that N calls shall add up to, so that the process's own are nothing beside them.
ENOUGH_FLOPS = 2 * 10**10
MOST_CALLS = 20_000
TOLERANCE = 0.03


class InvisibleCountersError(Exception):
    """The counters cannot be read; says why, and what to do."""


class Subject(NamedTuple):
    """Something that runs.

    Attributes:
        call: makes what is run.
        report: counts it.
    """

    call: Callable[[], Callable[[], object]]
    report: Callable[[], CostReport]


def block(make: Callable[[], nn.Module], *shapes: tuple[int, ...]) -> Subject:
    """A module on random inputs."""

    def inputs() -> list[Tensor]:
        return [torch.rand(shape) for shape in shapes]

    return Subject(lambda: partial(make().eval(), *inputs()), lambda: count(make(), *inputs()))


def function(run: Callable[..., Tensor], *shapes: tuple[int, ...]) -> Subject:
    """A function of tensors."""
    return block(lambda: Calls(run), *shapes)


def preset(name: str, samples: int) -> Subject:
    """A generating call of the zoo."""
    entry = model_zoo.preset(name)

    def call() -> Callable[[], object]:
        generate: Any = entry.build().generate
        return partial(generate, **entry.call(entry.configuration(), samples, "cpu", 0).kwargs)

    return Subject(call, lambda: inspected_preset(entry, samples).count)


def encoder() -> nn.Module:
    """One layer of a transformer, with its fast path."""
    return nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True)


SUBJECTS: Mapping[str, Subject] = {
    "matmul 256": function(torch.matmul, (256, 256), (256, 256)),
    "matmul 250": function(torch.matmul, (250, 250), (250, 250)),
    "linear": block(lambda: nn.Linear(512, 512), (64, 512)),
    "conv1d": block(lambda: nn.Conv1d(64, 64, 5), (4, 64, 1000)),
    "conv2d 1x1": block(lambda: nn.Conv2d(64, 64, 1), (1, 64, 56, 56)),
    "conv2d 3x3": block(lambda: nn.Conv2d(64, 64, 3, padding=1), (1, 64, 56, 56)),
    "conv2d depthwise": block(lambda: nn.Conv2d(64, 64, 3, padding=1, groups=64), (1, 64, 56, 56)),
    "conv transposed": block(lambda: nn.ConvTranspose1d(64, 32, 16, 8, 4), (1, 64, 200)),
    "LSTM": block(lambda: nn.LSTM(256, 256), (100, 1, 256)),
    "GRU": block(lambda: nn.GRU(256, 256), (100, 1, 256)),
    "attention": function(F.scaled_dot_product_attention, *[(1, 4, 256, 64)] * 3),
    "encoder layer": block(encoder, (1, 128, 256)),
    "layer norm": block(lambda: nn.LayerNorm(512), (256, 512)),
    "softmax": function(partial(torch.softmax, dim=-1), (256, 512)),
    "ReLU": function(torch.relu, (256, 512)),
    "GELU": function(F.gelu, (256, 512)),
    "tanh": function(torch.tanh, (256, 512)),
    "add": function(torch.add, (256, 512), (256, 512)),
    "FFT": function(torch.fft.rfft, (64, 1024)),
    "ResNet-50": block(ResNet50, (1, 3, 224, 224)),
    **{
        name: preset(name, samples)
        for name, samples in {
            "flowavenet": 16_128,
            "sing": 64_000,
            "wavegan": 16_384,
            "gansynth": 64_000,
            "samplernn": 640,
            "samplernn-2tier": 640,
            "samplernn-3tier": 640,
        }.items()
    },
}


def found_perf() -> str:
    """Where perf is.

    Raises:
        InvisibleCountersError: it is nowhere.
    """
    perf = shutil.which("perf")
    if perf is None:
        raise InvisibleCountersError(
            "There is no perf here.\nInstall it: Debian's package is linux-perf."
        )
    return perf


def visible_events(perf: str) -> Mapping[str, int]:
    """The events of this CPU that perf can read.

    Raises:
        InvisibleCountersError: there are none.
    """
    cpu = Path("/proc/cpuinfo").read_text()
    known = next((events for maker, events in EVENTS.items() if maker in cpu), {})
    said = "" if known else "the CPU is neither AMD's nor Intel's"
    seen = {}
    for event, operations in known.items():
        counts, words = counted_by(perf, [event], ["true"])
        said = words or said
        if counts:
            seen[event] = operations
    if seen:
        return seen
    raise InvisibleCountersError(
        f"perf cannot read this CPU's floating-point counters ({said}).\n"
        "Run this where the performance counters are passed on, such as a machine of one's own, "
        "with kernel.perf_event_paranoid at 2 or less."
    )


def counted_by(perf: str, events: Sequence[str], command: Sequence[str]) -> tuple[list[float], str]:
    """Counts of the events in user space while the command ran, and perf's words if there are none.

    Each line of perf's is: value, unit, event, nanoseconds, share of the time that it counted.
    """
    names = ",".join(f"{event}:u" for event in events)
    done = subprocess.run(  # noqa: S603 - perf, and our own script
        [perf, "stat", "-x;", "-e", names, "--", *command],
        env={**os.environ, "OMP_NUM_THREADS": "1", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split(";") for line in done.stderr.splitlines() if line.count(";") > 1]
    values = [float(line[0]) for line in lines if line[0].replace(".", "").isdigit()]
    if done.returncode == 0 and len(values) == len(events):
        return values, ""
    words = [line[0] for line in lines] or done.stderr.strip().splitlines()
    return [], words[0] if words else f"perf ended with {done.returncode}"


def retired(perf: str, events: Mapping[str, int], name: str, calls: int) -> float:
    """Floating-point operations of a process that runs a subject so many times."""
    command = [sys.executable, str(Path(__file__)), "--run", str(calls), name]
    counts, said = counted_by(perf, list(events), command)
    if not counts:
        raise InvisibleCountersError(
            f"{name} could not be run under perf: {said}.\nRun it with --run to see why."
        )
    return sum(operations * n for operations, n in zip(events.values(), counts, strict=True))


def row(perf: str, events: Mapping[str, int], name: str) -> tuple[str, ...]:
    """One subject: counted, retired, their ratio, and what the count is made of."""
    report = SUBJECTS[name].report()
    calls = min(MOST_CALLS, ceil(ENOUGH_FLOPS / report.flops))
    once = retired(perf, events, name, calls)
    flops = (retired(perf, events, name, 2 * calls) - once) / calls
    ratio = flops / report.flops
    remark = "" if abs(ratio - 1) <= TOLERANCE else "beyond 3 %"
    return (name, f"{report.flops:,}", f"{flops:,.0f}", f"{ratio:.3f}", made_of(report), remark)


def made_of(report: CostReport) -> str:
    """Shares of the counted FLOPs; those outside MACs retire as a library pleases."""
    parts = {"MACs": 2 * report.macs, **report.flops_by_class}
    shares = {name: round(100 * n / report.flops) for name, n in parts.items()}
    return ", ".join(f"{share} % {name}" for name, share in shares.items() if share)


def run(name: str, calls: int) -> None:
    """Run a subject, under perf."""
    torch.set_num_threads(1)
    call = SUBJECTS[name].call()
    with torch.inference_mode():
        for _ in range(1 + calls):
            call()


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("subjects", nargs="*", default=list(SUBJECTS), metavar="SUBJECT")
    parser.add_argument("--markdown", action="store_true", help="a table for docs/validation.md")
    parser.add_argument("--run", type=int, metavar="N", help="only run the subjects, N times each")
    options = parser.parse_args()
    unknown = [name for name in options.subjects if name not in SUBJECTS]
    if unknown:
        parser.error(f"no subject {', '.join(unknown)}; there are {', '.join(SUBJECTS)}")
    return options


HEADS = ("subject", "counted FLOPs", "retired", "retired / counted", "counted are", "")


def main() -> int:
    """Print the table."""
    options = parsed()
    if options.run is not None:
        for name in options.subjects:
            run(name, options.run)
        return 0
    try:
        perf = found_perf()
        events = visible_events(perf)
        rows = [row(perf, events, name) for name in options.subjects]
    except InvisibleCountersError as why:
        print(why, file=sys.stderr)
        return NO_COUNTERS
    if options.markdown:
        print("\n".join(f"| {' | '.join(r)} |" for r in (HEADS, ["---"] * len(HEADS), *rows)))
        return 0
    table = Table(*HEADS, title=f"by {', '.join(events)}")
    for cells in rows:
        table.add_row(*cells)
    Console(width=130).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
