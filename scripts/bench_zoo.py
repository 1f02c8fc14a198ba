"""How fast the zoo generates, against this machine's own matrix products in the same run.

    python scripts/bench_zoo.py [--threads 2] [--rounds 5] [PRESET ...]

For each preset: the time of one call (batch 1), the counted FLOPs of it per second as a share of
the float32 matrix-product rate measured beside every round, and the peak memory of the process.
SampleRNN is bound by streaming its weights, so it is held against its bare matrix-vector products,
with the same weights and in the same order.
Times are the best and the median of the rounds; give the machine nothing else to do.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

import model_zoo
from inspect_cost.counting.aten.contraction import CONTRACTIONS
from inspect_cost.inspection import inspected_preset

SIZE = 2048  # of the matrices whose product sets the rate
STEPWISE_SAMPLES = 1_280  # of SampleRNN, whose time is a straight line through them


def seconds(run: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def product_rate() -> float:
    """FLOP/s of a float32 matrix product, best of five."""
    a = torch.randn(SIZE, SIZE)
    return 2 * SIZE**3 / min(seconds(lambda: a @ a) for _ in range(5))


class Products(TorchDispatchMode):
    """Keeps the matrix products that are called, with their operands."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], object]] = []

    def __torch_dispatch__(
        self, func: OpOverload, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        """Run one operator, and keep it if it is a product."""
        del types
        options = kwargs or {}
        if f"aten.{func._opname}" in CONTRACTIONS:  # noqa: SLF001 - torch has no public name
            self.calls.append(partial(func, *args, **options))
        return func(*args, **options)


def bare_products(generate: Callable[..., Tensor], kwargs: Mapping[str, Any]) -> Callable[[], None]:
    """The products of one generation and nothing else, with its weights and in its order."""
    with Products() as products:
        generate(**kwargs)

    def run() -> None:
        for call in products.calls:
            call()

    return run


def measured(preset: model_zoo.Preset, rounds: int) -> tuple[str, ...]:
    """One row of the table."""
    samples = STEPWISE_SAMPLES if preset.period else preset.sample_rate
    report = inspected_preset(preset, samples)
    made = report.audio.samples_generated if report.audio else samples
    model = preset.build()
    call = preset.call(preset.configuration(), samples, "cpu", 0)
    generate: Callable[..., Tensor] = model.generate  # type: ignore[assignment]
    times, shares = [], []
    with torch.inference_mode():
        bare = bare_products(generate, call.kwargs) if preset.period else None
        generate(**call.kwargs)
        for _ in range(rounds):
            rate = product_rate()
            times.append(seconds(lambda: generate(**call.kwargs)))
            shares.append(
                times[-1] / seconds(bare) if bare else report.count.flops / times[-1] / rate
            )
    best = min(shares) if bare else max(shares)
    unit = "x bare products" if bare else "of products"
    return (
        preset.name,
        f"{made:,}",
        f"{min(times):.3f}",
        f"{statistics.median(times):.3f}",
        f"{best:.2f}",
        f"{statistics.median(shares):.2f} {unit}",
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,}",
    )


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=model_zoo.names())
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    heads = ("preset", "samples", "best s", "median s", "best share", "median share", "peak MB")
    table = Table(*heads)
    for name in options.presets:
        table.add_row(*measured(model_zoo.preset(name), options.rounds))
    Console(width=110).print(table)
    print(f"matrix products: {product_rate() / 1e9:.0f} GFLOP/s on {options.threads} threads")


if __name__ == "__main__":
    main()
