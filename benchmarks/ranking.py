"""Compare ranking with moocore itself in one run: how long each takes on random points.

    python -m benchmarks.ranking [--points 1000000] [--objectives 3] [--repeat 3]

Times are the best of the repetitions; compare them with each other, not between machines.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import moocore  # type: ignore[import-untyped]  # it has no annotations
import numpy as np
from rich.console import Console
from rich.table import Table

from inspect_cost import rank


def measure_best_s(run: Callable[[], Any], repeat: int) -> float:
    """Measure the fastest of several runs, in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--objectives", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    size = (options.points, options.objectives)
    points = np.random.default_rng(0).random(size)
    up = [True] + [False] * (options.objectives - 1)

    table = Table("what", "moocore, s", "rank, s", "ratio")
    for what, theirs, ours in (
        (
            "first front",
            lambda: moocore.is_nondominated(points, maximise=up, keep_weakly=True),
            lambda: rank(points, maximise=up).front,
        ),
        (
            "all fronts",
            lambda: moocore.pareto_rank(points, maximise=up),
            lambda: rank(points, maximise=up).rank,
        ),
    ):
        their_time, our_time = (measure_best_s(run, options.repeat) for run in (theirs, ours))
        table.add_row(what, f"{their_time:.2f}", f"{our_time:.2f}", f"{our_time / their_time:.2f}")
    Console().print(f"{options.points:,} points, {options.objectives} objectives")
    Console().print(table)


if __name__ == "__main__":
    main()
