"""Counting against its peers in one run: what each finds, in its own unit, and how long it takes.

    python scripts/bench_counting.py [--repeat 3]

Models have no weights (the meta device). Times are the best of the repetitions, and are to be
compared with each other, not between machines.
"""

import argparse
import resource
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import model_zoo
from inspect_cost import count
from inspect_cost.counting.building import built_without_values


def peak_mb() -> int:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


class Generating(nn.Module):
    """FloWaveNet generating from a mel spectrogram alone: a forward that every tool can call."""

    def __init__(self) -> None:
        super().__init__()
        self.model = model_zoo.build("flowavenet")

    def forward(self, mel: Tensor, noise: Tensor) -> Tensor:
        """(1, 80, F), (1, 1, 256 F) -> (1, 1, 256 F)."""
        return self.model(mel, noise)


def encoder() -> nn.Module:
    """BERT-base's encoder."""
    layer = nn.TransformerEncoderLayer(768, 12, 3072, batch_first=True)
    return nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)


Make = Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]
CASES: dict[str, Make] = {
    "FloWaveNet, 16,128 samples": lambda: (
        Generating(),
        (torch.empty(1, 80, 63), torch.empty(1, 1, 16_128)),
    ),
    "LSTM, 2 layers of 512, 265 steps": lambda: (
        nn.LSTM(512, 512, 2),
        (torch.empty(265, 1, 512),),
    ),
    "transformer encoder, 12 x 768, 128 tokens": lambda: (encoder(), (torch.empty(1, 128, 768),)),
}


def ours(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """MACs."""
    return count(model, *inputs).macs


def torchs(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """2 FLOPs a MAC, as MACs."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 - timed on its own

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*inputs)
    return counter.get_total_flops() / 2


def fvcores(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """MACs, which it calls flops."""
    from fvcore.nn import FlopCountAnalysis  # noqa: PLC0415

    analysis = FlopCountAnalysis(model, inputs)
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    return analysis.total()


def thops(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """MACs."""
    from thop import profile  # noqa: PLC0415

    return profile(model, inputs, verbose=False)[0]


Tool = Callable[[nn.Module, tuple[Tensor, ...]], float]
TOOLS: dict[str, Tool] = {
    "inspect-cost": ours,
    "torch FlopCounterMode": torchs,
    "fvcore": fvcores,
    "thop": thops,
}


def with_weights(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[nn.Module, Any]:
    """The same on the CPU, for tools that cannot do without values."""
    return model.to_empty(device="cpu"), tuple(torch.zeros(x.shape) for x in inputs)


def timed(run: Callable[[], float], repeat: int) -> tuple[str, str]:
    """(result, best time)."""
    best, result = float("inf"), 0.0
    for _ in range(repeat):
        start = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - start)
    return f"{result:,.0f}", f"{best:.3f}"


def row(tool: Tool, make: Make, repeat: int) -> tuple[str, str, str]:
    """(result, best time, remark); a tool that fails is a row, not an end."""
    model, inputs = built_without_values(make)
    model.eval()
    try:
        return *timed(partial(tool, model, inputs), repeat), ""
    except Exception:  # noqa: BLE001 - whatever a peer raises
        real = with_weights(model, inputs)
    try:
        return *timed(partial(tool, *real), 1), "needs weights"
    except Exception as error:  # noqa: BLE001 - see above
        return "-", "-", f"fails: {type(error).__name__}"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    warnings.simplefilter("ignore")  # peers warn of what they do not know; the table shows it

    table = Table("case", "tool", "MACs", "seconds", "")
    before = peak_mb()
    for tool, run in TOOLS.items():
        for case, make in CASES.items():
            table.add_row(case, tool, *row(run, make, repeat))
        table.add_section()
        if tool == "inspect-cost":
            memory = peak_mb() - before
    Console(width=120).print(table)
    print(f"counting all cases added {memory} MB to our peak memory")


if __name__ == "__main__":
    main()
