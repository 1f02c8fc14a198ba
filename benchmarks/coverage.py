"""How often the protocol's 95 % intervals hold the truth, on simulated machines.

    python -m benchmarks.coverage [--runs 1000]

Time is virtual: calls and sleeps add to it, and whole runs of the protocol take milliseconds. What
calls take is drawn from processes whose median is known. Calls also draw a constant power, so that
energy has a truth too: power times the mean duration of a call.
"""

import argparse
import math
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.protocol.meter import Meter
from inspect_cost.measuring.protocol.run import Plan, run_protocol
from inspect_cost.measuring.protocol.summary import summarize
from inspect_cost.measuring.protocol.window import Bench, Work

BUSY_W, IDLE_W = 40.0, 10.0
#: How much windows differ, and calls of one window.
STATE, JITTER = 0.05, 0.005

Noise = random.Random
#: From the time to what a call takes, relative to the median of all calls.
Draw = Callable[[float], float]
Process = Callable[[Noise], Draw]


def independent(spread: float, noise: Noise) -> Draw:
    """Log-normal calls."""
    return lambda _now: noise.lognormvariate(0, spread)


def heavy_tailed(exponent: float, noise: Noise) -> Draw:
    """Calls whose tail falls as slowly as Pareto's: of exponent 1.5, the variance is infinite."""
    middle = 2 ** (1 / exponent)
    return lambda _now: noise.paretovariate(exponent) / middle


def mixture(slow_share: float, factor: float, jitter: float, noise: Noise) -> Draw:
    """Fast and slow calls; the median of all is a quantile of the fast ones."""
    middle = math.exp(jitter * NormalDist().inv_cdf(0.5 / (1 - slow_share)))

    def draw(_now: float) -> float:
        base = factor if noise.random() < slow_share else 1.0
        return base * noise.lognormvariate(0, jitter) / middle

    return draw


def correlated(time_s: float, noise: Noise) -> Draw:
    """A state that forgets itself over a time, and jitter of calls."""
    state, last = noise.gauss(0, STATE), 0.0

    def draw(now: float) -> float:
        nonlocal state, last
        keep = math.exp(-(now - last) / time_s)
        state = keep * state + noise.gauss(0, STATE * math.sqrt(1 - keep**2))
        last = now
        return math.exp(state + noise.gauss(0, JITTER))

    return draw


def periodic(time_s: float, noise: Noise) -> Draw:
    """A state that swings to and fro."""
    phase = noise.uniform(0, 2 * math.pi)
    return lambda now: math.exp(
        STATE * math.sin(2 * math.pi * now / time_s + phase) + noise.gauss(0, JITTER)
    )


def by_window(call_s: float, noise: Noise) -> Draw:
    """A state that is drawn anew whenever time has passed outside of calls."""
    state, ended = 0.0, -1.0

    def draw(now: float) -> float:
        nonlocal state, ended
        if not math.isclose(now, ended):
            state = noise.gauss(0, STATE)
        took = math.exp(state + noise.gauss(0, JITTER))
        ended = now + took * call_s
        return took

    return draw


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        name: in words.
        process: what calls take.
        call_s: median of a call.
        counter: whether there is an energy counter, and so idle time between windows.
        until: precision at which the run stops.
        budget_s: time that the run may take.
    """

    name: str
    process: Process
    call_s: float = 0.05
    counter: bool = True
    until: float | None = None
    budget_s: float = 30.0


CASES = (
    Case("independent calls, spread 30 %", partial(independent, 0.3)),
    Case("independent calls, no sensor", partial(independent, 0.3), counter=False),
    *(
        Case(f"windows differ by 5 %, {n} calls a window", partial(by_window, 1.001 / n), 1.001 / n)
        for n in (50, 7, 5, 4, 3, 2, 1)
    ),
    Case("log-normal calls, spread 100 %", partial(independent, 1.0)),
    Case("log-normal calls, spread 100 %, 3 a window", partial(independent, 1.0), 0.4),
    Case("heavy tail (Pareto, 1.5)", partial(heavy_tailed, 1.5)),
    Case("heavy tail (Pareto, 1.5), 4 a window", partial(heavy_tailed, 1.5), 0.25),
    Case("two kinds of calls, 60:40 at 1:1.5, 8 a window", partial(mixture, 0.4, 1.5, 0.02), 0.125),
    Case("two kinds of calls, 60:40 at 1:1.5, 2 a window", partial(mixture, 0.4, 1.5, 0.02), 0.5),
    Case("two kinds of calls, 70:30 at 1:3, 20 a window", partial(mixture, 0.3, 3.0, 0.05), 0.05),
    *(Case(f"correlated over {s} s", partial(correlated, s)) for s in (1, 3, 10, 30)),
    *(
        Case(f"correlated over {s} s, no sensor", partial(correlated, s), counter=False)
        for s in (1, 3, 10, 30)
    ),
    *(Case(f"swings with a period of {s} s", partial(periodic, s)) for s in (3, 10, 30)),
    Case(
        "until ± 1 %, windows differ by 5 %",
        partial(by_window, 0.1),
        0.1,
        until=0.01,
        budget_s=600.0,
    ),
    Case(
        "until ± 3 %, windows differ by 5 %",
        partial(by_window, 0.1),
        0.1,
        until=0.03,
        budget_s=600.0,
    ),
    Case(
        "until ± 3 %, calls spread by 30 %", partial(independent, 0.3), until=0.03, budget_s=600.0
    ),
)


class Machine:
    """A machine in virtual time, with an energy counter."""

    domain, source, device = "package-0", "simulated", "cpu"
    period_s, recommended_window_s = 0.001, 1.0
    range_j: float | None = None

    def __init__(self, case: Case, seed: int) -> None:
        self.time_s = self.energy_j = 0.0
        self.call_s = case.call_s
        self.draw = case.process(random.Random(seed))  # noqa: S311 - noise

    def spend(self, duration_s: float, power_w: float) -> None:
        """Let time pass."""
        self.time_s += duration_s
        self.energy_j += duration_s * power_w

    def call(self) -> None:
        """One inference."""
        self.spend(self.call_s * self.draw(self.time_s), BUSY_W)

    def sleep(self, duration_s: float) -> None:
        """Idle."""
        self.spend(duration_s, IDLE_W)

    def read_j(self) -> float:
        """The counter."""
        return self.energy_j

    def disturbance(self) -> None:
        """Nothing disturbs."""


def simulate(case: Case, seed: int) -> Measurement:
    """Follow the whole protocol on a simulated machine."""
    machine = Machine(case, seed)
    clock = Clock(lambda: machine.time_s, machine.sleep, lambda: machine.time_s)
    meter = Meter([machine] if case.counter else [])
    plan = Plan(case.budget_s, window_s=1.0 if case.counter else 0.5, until=case.until)
    return summarize(run_protocol(Bench(Work(machine.call), meter, clock), plan), meter, plan)


@dataclass(frozen=True)
class Coverage:
    """What became of many runs.

    Attributes:
        held: share of the runs with an interval whose interval held the median.
        given: share of the runs that gave an interval.
        half_width: median half-width, relative to the median.
        noted: share of the runs that said that windows are alike, or calls of two kinds.
    """

    held: float
    given: float
    half_width: float
    noted: float


def measure_coverage(case: Case, runs: int) -> Coverage:
    """Run the protocol many times on a case."""
    results = [simulate(case, seed) for seed in range(runs)]
    ends = [r.latency_s.ci95 for r in results if r.latency_s and r.latency_s.ci95]
    held = sum(low <= case.call_s <= high for low, high in ends)
    widths = sorted((high - low) / 2 / case.call_s for low, high in ends)
    telling = {"correlated-windows", "drift", "two-modes"}
    noted = sum(any(note.code in telling for note in r.notes) for r in results)
    return Coverage(held / len(ends), len(ends) / runs, widths[len(ends) // 2], noted / runs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    print("| process | held | half-width | says so |\n|---|---|---|---|")
    with ProcessPoolExecutor(2) as pool:
        found = pool.map(partial(measure_coverage, runs=runs), CASES)
        for case, coverage in zip(CASES, found, strict=True):
            row = f"{coverage.held:.1%} | {coverage.half_width:.1%} | {coverage.noted:.0%}"
            print(f"| {case.name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
