"""The typical call, two kinds of calls, quantiles and histograms."""

import random
import time

import pytest

from inspect_cost.measuring.protocol.latency import (
    estimate_typical,
    find_modes,
    list_quantiles,
    make_histogram,
)

NOISE = random.Random(4)  # noqa: S311 - noise


def mixture(windows: int, calls: int, slow_share: float) -> list[list[float]]:
    """Calls of 120 ms and of 180 ms."""
    return [
        [
            NOISE.lognormvariate(0, 0.01) * (0.18 if NOISE.random() < slow_share else 0.12)
            for _ in range(calls)
        ]
        for _ in range(windows)
    ]


def test_two_kinds_of_calls_are_found_and_the_latency_is_their_median() -> None:
    groups = mixture(20, 8, 0.3)
    found = estimate_typical(groups)
    assert found.modes
    assert found.modes.fast_s == pytest.approx(0.12, rel=0.02)
    assert found.modes.slow_s == pytest.approx(0.18, rel=0.02)
    assert found.modes.fast_share == pytest.approx(0.7, abs=0.1)
    everything = sorted(value for group in groups for value in group)
    assert found.value_s == everything[len(everything) // 2 - 1]
    assert found.ci95
    assert found.ci95[0] <= found.value_s <= found.ci95[1]


@pytest.mark.parametrize("spread", [0.001, 0.1, 1.0])
def test_one_kind_is_not_taken_for_two(spread: float) -> None:
    for _ in range(50):
        groups = [[NOISE.lognormvariate(0, spread) for _ in range(8)] for _ in range(10)]
        assert find_modes(groups) is None


def test_a_few_outliers_are_no_kind() -> None:
    assert find_modes([[1.0] * 19 + [5.0]] * 10) is None


def test_quantiles_are_given_where_five_calls_are_beyond() -> None:
    names = {n: list(list_quantiles(range(n))) for n in (9, 10, 49, 50, 99, 100, 499, 500)}
    assert names == {
        9: [],
        10: ["p50"],
        49: ["p50"],
        50: ["p50", "p90"],
        99: ["p50", "p90"],
        100: ["p50", "p90", "p95"],
        499: ["p50", "p90", "p95"],
        500: ["p50", "p90", "p95", "p99"],
    }
    assert list_quantiles(range(1001))["p90"] == pytest.approx(900)


def test_a_histogram_holds_every_call_once() -> None:
    ordered = sorted(NOISE.lognormvariate(0, 1) for _ in range(1000))
    edges, counts = make_histogram(ordered)
    assert sum(counts) == 1000
    assert (edges[0], edges[-1]) == (ordered[0], ordered[-1])
    for low, high, count in zip(edges[:-2], edges[1:-1], counts, strict=False):
        inside = sum(low < value <= high for value in ordered) + (low == edges[0])
        assert count == inside
    assert make_histogram([2.0, 2.0]) == ([2.0, 2.0], [2])


def test_the_cost_is_bounded_for_any_number_of_calls() -> None:
    groups = [[1.0 + NOISE.random() for _ in range(n)] for n in [20_000] * 10 + [1]]
    began = time.process_time()
    estimate_typical(groups, 1.0)
    calls = sum(map(len, groups))
    assert time.process_time() - began < 0.01 * calls * 1e-3  # samples last a millisecond each
