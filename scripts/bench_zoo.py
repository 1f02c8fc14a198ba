"""How fast the zoo generates, against this machine's own matrix products in the same run.

    python scripts/bench_zoo.py [--threads 2] [--rounds 5] [PRESET ...]

For each preset, in a process of its own: the time of one call (batch 1) and the process's peak
memory. The counted FLOPs of the call per second are given as a share of the float32 matrix-product
rate measured before and after every round. SING's decoder is also shown alone, and its LSTM against
torch's fused LSTM alone. SampleRNN is bound by streaming its weights: the time of one second of
audio, a straight line through two shorter ones, is held against that of its bare matrix-vector
products.
Times are the best and the median of the rounds; give the machine nothing else to do.
"""

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import model_zoo
from inspect_cost import count
from inspect_cost.subjects.inspection import inspected_preset
from model_zoo.samplernn_layers import StreamedLayer, lay_out_for_streaming

SIZE = 2048  # of the matrices whose product sets the rate
WINDOW_S = 0.5  # seconds, of calls whose times are averaged
SAMPLES = 16_000  # one second at 16 kHz; 16,128 of FloWaveNet
STEPS = (640, 1_920)  # samples of SampleRNN, through whose times the straight line goes


@dataclass(frozen=True)
class Row:
    """Times of one thing, and what they are held against."""

    name: str
    samples: int
    times: list[float]
    ratios: list[float]
    unit: str
    best: Callable[..., float]


def seconds(run: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def mean_seconds(run: Callable[[], object]) -> float:
    """How long a call takes on average, over calls that fill a window."""
    taken: list[float] = []
    while sum(taken) < WINDOW_S:
        taken.append(seconds(run))
    return statistics.mean(taken)


def product_rate() -> float:
    """FLOP/s of a float32 matrix product, on average over a window.

    An average, as the models' rates are: the best of a few products would be a rate that a
    machine with other guests does not keep up for as long as a model runs.
    """
    a = torch.randn(SIZE, SIZE)
    return 2 * SIZE**3 / mean_seconds(lambda: a @ a)


def share_of_products(
    name: str, samples: int, flops: int, run: Callable[[], object], rounds: int
) -> Row:
    """Counted FLOPs a second beside the rate of matrix products."""
    run()
    times, shares = [], []
    for _ in range(rounds):
        before = product_rate()
        times.append(mean_seconds(run))
        rate = (before + product_rate()) / 2
        shares.append(flops / times[-1] / rate)
    return Row(name, samples, times, shares, "of products", max)


def clips(preset: model_zoo.Preset, rounds: int) -> Iterator[Row]:
    """A preset that makes its samples in one go."""
    report = inspected_preset(preset, SAMPLES)
    model, call = preset.build(), preset.call(preset.configuration(), SAMPLES, "cpu", 0)
    generate: Callable[..., Tensor] = model.generate  # type: ignore[assignment]
    yield share_of_products(
        preset.name, call.samples, report.count.flops, lambda: generate(**call.kwargs), rounds
    )
    if isinstance(model, model_zoo.SING):
        yield from parts_of_sing(model, call.samples, rounds)


def parts_of_sing(model: nn.Module, samples: int, rounds: int) -> Iterator[Row]:
    """The decoder beside matrix products, the LSTM beside torch's own."""
    config: Any = model.config
    frames = torch.randn(1, config.frame_dim, config.frames)
    flops = count(model.decoder, frames).flops
    yield share_of_products("  its decoder", samples, flops, lambda: model.decoder(frames), rounds)
    sequence: Any = model.sequence_generator
    ids = torch.zeros(1, 1, dtype=torch.long)
    inputs = sequence.embed(ids, ids, ids, 0, config.frames)
    sequence(ids, ids, ids)
    times, ratios = [], []
    for _ in range(rounds):
        times.append(mean_seconds(lambda: sequence(ids, ids, ids)))
        ratios.append(times[-1] / mean_seconds(lambda: sequence.lstm(inputs)))
    yield Row("  its sequence generator", samples, times, ratios, "x torch's LSTM", min)


def bare_products(model: Any) -> list[tuple[int, Callable[[], object]]]:
    """(samples between two, a matrix-vector product) for each kernel that generation streams."""
    periods = [(tier.frame, tier) for tier in model.tiers] + [(1, model.mlp)]
    products = []
    for period, part in periods:
        layers = [layer for layer in part.modules() if isinstance(layer, StreamedLayer)]
        for kernel in (kernel for layer in layers for kernel in layer.compute_kernels()):
            streamed = lay_out_for_streaming(kernel)
            x = torch.randn(streamed.shape[1])
            products.append((period, lambda W=streamed, x=x: torch.mv(W, x)))
    return products


def one_second(times: dict[int, float]) -> float:
    """The straight line through two lengths, at a second of audio."""
    (a, ta), (b, tb) = times.items()
    return ta + (SAMPLES - a) * (tb - ta) / (b - a)


def stepwise(preset: model_zoo.Preset, rounds: int) -> Iterator[Row]:
    """A preset that makes one sample after another."""
    model = preset.build()
    generate: Callable[..., Tensor] = model.generate  # type: ignore[assignment]
    calls = {n: preset.call(preset.configuration(), n, "cpu", 0) for n in STEPS}
    products = bare_products(model)

    def bare(samples: int) -> None:
        for t in range(samples):
            for period, product in products:
                if t % period == 0:
                    product()

    generate(**calls[STEPS[0]].kwargs)
    times, ratios = [], []
    for _ in range(rounds):
        taken = {n: seconds(lambda c=call: generate(**c.kwargs)) for n, call in calls.items()}
        alone = {n: seconds(lambda n=n: bare(n)) for n in STEPS}
        times.append(one_second(taken))
        ratios.append(times[-1] / one_second(alone))
    yield Row(preset.name, SAMPLES, times, ratios, "x bare products", min)


def measured(name: str, rounds: int, threads: int) -> list[tuple[str, ...]]:
    """The rows of one preset, in a fresh process."""
    torch.set_num_threads(threads)
    preset = model_zoo.preset(name)
    with torch.inference_mode():
        rows = list((stepwise if preset.period else clips)(preset, rounds))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return [
        (
            row.name,
            f"{row.samples:,}",
            f"{min(row.times):.3f}",
            f"{statistics.median(row.times):.3f}",
            f"{row.best(row.ratios):.2f}",
            f"{statistics.median(row.ratios):.2f} {row.unit}",
            f"{peak:,}" if row is rows[0] else "",
        )
        for row in rows
    ]


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=model_zoo.names())
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    heads = ("preset", "samples", "best s", "median s", "best", "median", "peak MB")
    table = Table(*heads)
    for name in options.presets:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as fresh:
            rows = fresh.submit(measured, name, options.rounds, options.threads).result()
        for row in rows:
            table.add_row(*row)
    Console(width=110).print(table)
    torch.set_num_threads(options.threads)
    print(f"matrix products: {product_rate() / 1e9:.0f} GFLOP/s on {options.threads} threads")


if __name__ == "__main__":
    main()
