"""Compare how fast the zoo generates with this machine's matrix products in the same run.

    python -m benchmarks.zoo [--threads 2] [--rounds 5] [PRESET ...]

For each preset, in a process of its own: the time of one call (batch 1) and the process's peak
memory. The counted FLOPs of the call per second are given as a share of the float32 matrix-product
rate measured before and after every round. SING's decoder is also shown alone, and its LSTM against
torch's fused LSTM alone. SampleRNN is bound by streaming its weights: the time of one second of
audio, extrapolated from two shorter stretches, is compared with that of its matrix-vector products
alone. Times are the best and the median of the rounds, on a machine with nothing else to do.
"""

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import model_zoo
from inspect_cost import count
from inspect_cost.counting.options import CountOptions
from inspect_cost.subjects import resolve
from model_zoo.samplernn_layers import StreamedLayer, lay_out_for_streaming

SIZE = 2048  # of the matrices whose product sets the rate
WINDOW_S = 0.5  # duration of the calls whose times are averaged, in seconds
SAMPLES = 16_000  # one second at 16 kHz; 16,128 of FloWaveNet
STEPS = (640, 1_920)  # samples of SampleRNN from whose times a second is extrapolated


@dataclass(frozen=True)
class Row:
    """Times of one subject.

    Attributes:
        name: its name.
        samples: samples that one call generates.
        times: seconds of each round.
        ratios: comparison of each round.
        unit: unit of the ratios.
        best: whether the largest or the smallest ratio is the best one.
    """

    name: str
    samples: int
    times: list[float]
    ratios: list[float]
    unit: str
    best: Callable[..., float]


def measure_s(run: Callable[[], object]) -> float:
    """Measure one call, in seconds."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure_mean_s(run: Callable[[], object]) -> float:
    """Measure the mean time of calls that fill a window, in seconds."""
    taken: list[float] = []
    while sum(taken) < WINDOW_S:
        taken.append(measure_s(run))
    return statistics.mean(taken)


def measure_product_rate() -> float:
    """Measure the mean FLOP/s of a float32 matrix product over a window.

    It is a mean, as the models' rates are: a machine with other guests does not sustain the best
    rate of a few products for as long as a model runs.
    """
    a = torch.randn(SIZE, SIZE)
    return 2 * SIZE**3 / measure_mean_s(lambda: a @ a)


def compare_with_products(
    name: str, samples: int, flops: int, run: Callable[[], object], rounds: int
) -> Row:
    """Compare counted FLOPs per second with the rate of matrix products."""
    run()
    times, shares = [], []
    for _ in range(rounds):
        before = measure_product_rate()
        times.append(measure_mean_s(run))
        rate = (before + measure_product_rate()) / 2
        shares.append(flops / times[-1] / rate)
    return Row(name, samples, times, shares, "of products", max)


def run_clips(preset: model_zoo.Preset, rounds: int) -> Iterator[Row]:
    """Time a preset that generates all samples at once."""
    subject = resolve(preset.name, input_len=SAMPLES)
    report = subject.count(subject.phases[0], CountOptions())
    model, call = preset.build(), preset.call(preset.configuration(), SAMPLES, "cpu", 0)
    generate: Callable[..., Tensor] = model.generate  # type: ignore[assignment]
    yield compare_with_products(
        preset.name, call.samples, report.flops, lambda: generate(**call.kwargs), rounds
    )
    if isinstance(model, model_zoo.SING):
        yield from run_parts_of_sing(model, call.samples, rounds)


def run_parts_of_sing(model: Any, samples: int, rounds: int) -> Iterator[Row]:
    """Compare the decoder with matrix products, and the LSTM with torch's own."""
    config: Any = model.config
    frames = torch.randn(1, config.frame_dim, config.frames)
    flops = count(model.decoder, frames).flops
    yield compare_with_products(
        "  its decoder", samples, flops, partial(model.decoder, frames), rounds
    )
    sequence: Any = model.sequence_generator
    ids = torch.zeros(1, 1, dtype=torch.long)
    inputs = sequence.embed(ids, ids, ids, 0, config.frames)
    sequence(ids, ids, ids)
    times, ratios = [], []
    for _ in range(rounds):
        times.append(measure_mean_s(lambda: sequence(ids, ids, ids)))
        ratios.append(times[-1] / measure_mean_s(lambda: sequence.lstm(inputs)))
    yield Row("  its sequence generator", samples, times, ratios, "x torch's LSTM", min)


def list_products(model: Any) -> list[tuple[int, Callable[[], object]]]:
    """Return (period in samples, matrix-vector product) for each kernel that generation streams."""
    periods = [(tier.frame, tier) for tier in model.tiers] + [(1, model.mlp)]
    products: list[tuple[int, Callable[[], object]]] = []
    for period, part in periods:
        layers = [layer for layer in part.modules() if isinstance(layer, StreamedLayer)]
        for kernel in (kernel for layer in layers for kernel in layer.compute_kernels()):
            streamed = lay_out_for_streaming(kernel)
            x = torch.randn(streamed.shape[1])
            products.append((period, partial(torch.mv, streamed, x)))
    return products


def extrapolate_to_one_second(times: dict[int, float]) -> float:
    """Extrapolate the times of two lengths linearly to one second of audio."""
    (a, ta), (b, tb) = times.items()
    return ta + (SAMPLES - a) * (tb - ta) / (b - a)


def run_stepwise(preset: model_zoo.Preset, rounds: int) -> Iterator[Row]:
    """Time a preset that generates sample by sample."""
    model = preset.build()
    generate: Callable[..., Tensor] = model.generate  # type: ignore[assignment]
    calls = {n: preset.call(preset.configuration(), n, "cpu", 0) for n in STEPS}
    products = list_products(model)

    def run_products(samples: int) -> None:
        for t in range(samples):
            for period, product in products:
                if t % period == 0:
                    product()

    generate(**calls[STEPS[0]].kwargs)
    times, ratios = [], []
    for _ in range(rounds):
        taken = {n: measure_s(partial(generate, **call.kwargs)) for n, call in calls.items()}
        alone = {n: measure_s(partial(run_products, n)) for n in STEPS}
        times.append(extrapolate_to_one_second(taken))
        ratios.append(times[-1] / extrapolate_to_one_second(alone))
    yield Row(preset.name, SAMPLES, times, ratios, "x bare products", min)


def measure_preset(name: str, rounds: int, threads: int) -> list[tuple[str, ...]]:
    """Return the rows of one preset; run in a fresh process."""
    torch.set_num_threads(threads)
    preset = model_zoo.preset(name)
    with torch.inference_mode():
        rows = list((run_stepwise if preset.period else run_clips)(preset, rounds))
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
            rows = fresh.submit(measure_preset, name, options.rounds, options.threads).result()
        for row in rows:
            table.add_row(*row)
    Console(width=110).print(table)
    torch.set_num_threads(options.threads)
    print(
        f"matrix products: {measure_product_rate() / 1e9:.0f} GFLOP/s on {options.threads} threads"
    )


if __name__ == "__main__":
    main()
