"""Confidence intervals, against definitions that the code does not use."""

import random
from math import exp, gamma, log, pi, sqrt
from statistics import fmean, stdev

import pytest

from inspect_cost.measuring.protocol.latency import median_interval
from inspect_cost.measuring.protocol.run import Plan
from inspect_cost.measuring.protocol.statistics import (
    mean_interval,
    quantile,
    student_share,
    student_t,
)
from inspect_cost.values.quantity import Quantity
from tests.measuring.simulated import Counter, Machine, measured


@pytest.mark.parametrize("freedom", [*range(1, 13), 15, 29, 100])
def test_students_quantile_leaves_two_and_a_half_percent_above(freedom: int) -> None:
    scale = gamma((freedom + 1) / 2) / sqrt(freedom * pi) / gamma(freedom / 2)
    steps, end = 20_000, student_t(freedom)
    width = end / steps
    density = [
        scale * (1 + ((i + 0.5) * width) ** 2 / freedom) ** (-(freedom + 1) / 2)
        for i in range(steps)
    ]
    assert 0.5 + sum(density) * width == pytest.approx(0.975, abs=1e-5)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 30, 99])
@pytest.mark.parametrize("t", [0.3, 1.0, 2.5, 8.0])
def test_students_probability_is_the_integral_of_its_density(freedom: int, t: float) -> None:
    scale = gamma((freedom + 1) / 2) / sqrt(freedom * pi) / gamma(freedom / 2)
    width = t / 20_000
    density = [
        scale * (1 + ((i + 0.5) * width) ** 2 / freedom) ** (-(freedom + 1) / 2)
        for i in range(20_000)
    ]
    assert student_share(t, freedom) == pytest.approx(2 * sum(density) * width, abs=1e-7)


def test_a_mean_of_known_values() -> None:
    mean, ends = mean_interval([1, 2, 3, 4])
    assert mean == 2.5
    assert ends == pytest.approx(
        (2.5 - 3.182446 * 1.290994 / 2, 2.5 + 3.182446 * 1.290994 / 2), rel=1e-5
    )
    assert mean_interval([7.0]) == (7.0, None)
    assert mean_interval([7.0, 9.0]) == (8.0, None)


def test_the_median_of_groups_has_the_interval_of_their_medians_in_logarithms() -> None:
    middle, ends = median_interval([[1, 2, 4, 8, 16], [2, 3, 5, 9, 17], [1, 2, 3, 7, 15]])
    logarithms = [log(median) for median in (4, 5, 3)]
    mean, width = fmean(logarithms), 4.302653 * stdev(logarithms) / sqrt(3)
    assert middle == pytest.approx(exp(mean))  # the middle of the same interval
    assert ends == pytest.approx((exp(mean - width), exp(mean + width)))


def test_medians_that_are_not_positive_have_no_logarithms() -> None:
    _, ends = median_interval([[0.0] * 5, [1.0] * 5, [2.0] * 5])
    assert ends == pytest.approx((1 - 4.302653 / sqrt(3), 1 + 4.302653 / sqrt(3)))


def test_quantiles() -> None:
    assert [quantile([0, 1, 2, 3, 4], share) for share in (0, 0.25, 0.95)] == [0, 1, 3.8]
    assert quantile([0, 10], 1) == 10
    assert quantile([7], 0.5) == 7


@pytest.mark.parametrize(("groups", "size"), [(10, 1), (6, 2), (10, 6), (10, 40), (3, 30)])
def test_intervals_of_medians_cover_the_truth(groups: int, size: int) -> None:
    noise = random.Random(5)  # noqa: S311 - noise
    covered = 0
    for _ in range(2000):
        values = [[noise.lognormvariate(0, 0.5) for _ in range(size)] for _ in range(groups)]
        low, high = median_interval(values)[1] or (0, 0)
        covered += low <= 1 <= high
    assert 0.93 <= covered / 2000 <= 0.97


def covers(quantity: Quantity | None, truth: float) -> bool:
    assert quantity
    assert quantity.ci95
    return quantity.ci95[0] <= truth <= quantity.ci95[1]


def test_intervals_cover_the_truth_in_95_percent_of_runs() -> None:
    """Noise on the power, idle power included; a thousand whole runs of the protocol."""
    runs, call_s = 1000, 0.25
    truths = {
        "energy_j": 30 * call_s,
        "energy_net_j": 20 * call_s,
        "power_w": 30.0,
        "power_net_w": 20.0,
        "idle_power_w": 10.0,
    }
    covered = dict.fromkeys(truths, 0)
    for seed in range(runs):
        machine = Machine(seed, call_s=call_s, noise_w=1.5)
        result = measured(machine, Counter(machine), plan=Plan(budget_s=30))
        assert len(result.windows) >= 10
        for name, truth in truths.items():
            covered[name] += covers(getattr(result, name), truth)
    shares = {name: count / runs for name, count in covered.items()}
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares


def test_latency_covers_its_median_in_95_percent_of_runs() -> None:
    runs = 1000
    covered = 0
    for seed in range(runs):
        result = measured(Machine(seed, call_s=0.125, jitter=0.3), plan=Plan(budget_s=30))
        covered += covers(result.latency_s, 0.125)
    assert 0.93 <= covered / runs <= 0.97
