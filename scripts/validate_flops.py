"""Compare counted FLOPs with those that the CPU retires, for standard blocks and the zoo.

    python -m scripts.validate_flops [--markdown] [SUBJECT ...]

Linux's `perf stat` reads the CPU's counter of retired floating-point operations in user space; a
fused multiply-add is two. Each subject runs N and 2N times in processes of their own, on one
thread; the difference divided by N is one call. Exits with 3 if the counters are not accessible.
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
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import model_zoo
from benchmarks.counting.models import Calls, ResNet50
from inspect_cost import CostReport, count
from inspect_cost.counting.options import CountOptions
from inspect_cost.subjects import resolve

ROOT = Path(__file__).parents[1]

#: Maker of the CPU -> event -> floating-point operations per count of it.
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
#: FLOPs that N calls should reach, so that those of the process itself are negligible.
ENOUGH_FLOPS = 2 * 10**10
MOST_CALLS = 20_000
TOLERANCE = 0.03


class InvisibleCountersError(Exception):
    """The counters cannot be read; the message says why, and what to do."""


class Subject(NamedTuple):
    """What is run and counted.

    Attributes:
        call: makes the call that is run.
        report: counts that call.
    """

    call: Callable[[], Callable[[], object]]
    report: Callable[[], CostReport]


def make_block(make: Callable[[], nn.Module], *shapes: tuple[int, ...]) -> Subject:
    """Return a module on random inputs."""

    def inputs() -> list[Tensor]:
        return [torch.rand(shape) for shape in shapes]

    return Subject(lambda: partial(make().eval(), *inputs()), lambda: count(make(), *inputs()))


def make_function(run: Callable[..., Tensor], *shapes: tuple[int, ...]) -> Subject:
    """Return a function of tensors."""
    return make_block(lambda: Calls(run), *shapes)


def make_preset(name: str, samples: int) -> Subject:
    """Return a generating call of the zoo."""
    entry = model_zoo.preset(name)

    def call() -> Callable[[], object]:
        generate: Any = entry.build().generate
        return partial(generate, **entry.call(entry.configuration(), samples, "cpu", 0).kwargs)

    def report() -> CostReport:
        subject = resolve(name, input_len=samples)
        return subject.count(subject.phases[0], CountOptions())

    return Subject(call, report)


def make_encoder() -> nn.Module:
    """Return one layer of a transformer, with its fast path."""
    return nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True)


SUBJECTS: Mapping[str, Subject] = {
    "matmul 256": make_function(torch.matmul, (256, 256), (256, 256)),
    "matmul 250": make_function(torch.matmul, (250, 250), (250, 250)),
    "linear": make_block(lambda: nn.Linear(512, 512), (64, 512)),
    "conv1d": make_block(lambda: nn.Conv1d(64, 64, 5), (4, 64, 1000)),
    "conv2d 1x1": make_block(lambda: nn.Conv2d(64, 64, 1), (1, 64, 56, 56)),
    "conv2d 3x3": make_block(lambda: nn.Conv2d(64, 64, 3, padding=1), (1, 64, 56, 56)),
    "conv2d depthwise": make_block(
        lambda: nn.Conv2d(64, 64, 3, padding=1, groups=64), (1, 64, 56, 56)
    ),
    "conv transposed": make_block(lambda: nn.ConvTranspose1d(64, 32, 16, 8, 4), (1, 64, 200)),
    "LSTM": make_block(lambda: nn.LSTM(256, 256), (100, 1, 256)),
    "GRU": make_block(lambda: nn.GRU(256, 256), (100, 1, 256)),
    "attention": make_function(F.scaled_dot_product_attention, *[(1, 4, 256, 64)] * 3),
    "encoder layer": make_block(make_encoder, (1, 128, 256)),
    "layer norm": make_block(lambda: nn.LayerNorm(512), (256, 512)),
    "softmax": make_function(partial(torch.softmax, dim=-1), (256, 512)),
    "ReLU": make_function(torch.relu, (256, 512)),
    "GELU": make_function(F.gelu, (256, 512)),
    "tanh": make_function(torch.tanh, (256, 512)),
    "add": make_function(torch.add, (256, 512), (256, 512)),
    "FFT": make_function(torch.fft.rfft, (64, 1024)),
    "ResNet-50": make_block(ResNet50, (1, 3, 224, 224)),
    **{
        name: make_preset(name, samples)
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


def find_perf() -> str:
    """Return the path of perf.

    Raises:
        InvisibleCountersError: it is not installed.
    """
    perf = shutil.which("perf")
    if perf is None:
        raise InvisibleCountersError(
            "There is no perf here.\nInstall it: Debian's package is linux-perf."
        )
    return perf


def find_visible_events(perf: str) -> Mapping[str, int]:
    """Return the events of this CPU that perf can read.

    Raises:
        InvisibleCountersError: there are none.
    """
    cpu = Path("/proc/cpuinfo").read_text()
    known = next((events for maker, events in EVENTS.items() if maker in cpu), {})
    reason = "" if known else "the CPU is neither AMD's nor Intel's"
    seen = {}
    for event, operations in known.items():
        counts, complaint = count_with_perf(perf, [event], ["true"])
        reason = complaint or reason
        if counts:
            seen[event] = operations
    if seen:
        return seen
    raise InvisibleCountersError(
        f"perf cannot read this CPU's floating-point counters ({reason}).\n"
        "Run this on a machine that exposes them, which most virtual machines do not, "
        "with kernel.perf_event_paranoid at 2 or less."
    )


def count_with_perf(
    perf: str, events: Sequence[str], command: Sequence[str]
) -> tuple[list[float], str]:
    """Return the counts of events in user space during a command, or none and perf's complaint.

    Each of perf's lines is: value, unit, event, nanoseconds, share of the time that it counted.
    """
    names = ",".join(f"{event}:u" for event in events)
    done = subprocess.run(  # noqa: S603 - perf, and our own script
        [perf, "stat", "-x;", "-e", names, "--", *command],
        cwd=ROOT,
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


def count_retired(perf: str, events: Mapping[str, int], name: str, calls: int) -> float:
    """Count the floating-point operations of a process that runs a subject ``calls`` times."""
    command = [sys.executable, "-m", "scripts.validate_flops", "--run", str(calls), name]
    counts, complaint = count_with_perf(perf, list(events), command)
    if not counts:
        raise InvisibleCountersError(
            f"{name} could not be run under perf: {complaint}.\nRun it with --run to see why."
        )
    return sum(operations * n for operations, n in zip(events.values(), counts, strict=True))


def make_row(perf: str, events: Mapping[str, int], name: str) -> tuple[str, ...]:
    """Return one subject: counted, retired, their ratio, and the parts of the count."""
    report = SUBJECTS[name].report()
    calls = min(MOST_CALLS, ceil(ENOUGH_FLOPS / report.flops))
    once = count_retired(perf, events, name, calls)
    flops = (count_retired(perf, events, name, 2 * calls) - once) / calls
    ratio = flops / report.flops
    remark = "" if abs(ratio - 1) <= TOLERANCE else "beyond 3 %"
    return (
        name,
        f"{report.flops:,}",
        f"{flops:,.0f}",
        f"{ratio:.3f}",
        describe_parts(report),
        remark,
    )


def describe_parts(report: CostReport) -> str:
    """Return the shares of the counted FLOPs; those outside MACs depend on the library."""
    parts = {"MACs": 2 * report.macs, **report.flops_by_class}
    shares = {name: round(100 * n / report.flops) for name, n in parts.items()}
    return ", ".join(f"{share} % {name}" for name, share in shares.items() if share)


def run(name: str, calls: int) -> None:
    """Run a subject; called under perf."""
    torch.set_num_threads(1)
    call = SUBJECTS[name].call()
    with torch.inference_mode():
        for _ in range(1 + calls):
            call()


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
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
    options = parse_arguments()
    if options.run is not None:
        for name in options.subjects:
            run(name, options.run)
        return 0
    try:
        perf = find_perf()
        events = find_visible_events(perf)
        rows = [make_row(perf, events, name) for name in options.subjects]
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
