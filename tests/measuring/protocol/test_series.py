"""Means of series: likelihoods against matrices, and what neighbours that are alike do to them."""

import math
import random

import numpy as np
import pytest

from inspect_cost.measuring.protocol.series import (
    FEWEST_VALUES,
    _fit,
    estimate_mean,
)
from inspect_cost.measuring.protocol.statistics import mean_interval


def autoregressive(seed: int, n: int, rho: float) -> list[float]:
    """Values of variance 1, each like the one before."""
    noise = random.Random(seed)  # noqa: S311 - noise
    values = [noise.gauss(0, 1)]
    for _ in range(n - 1):
        values.append(rho * values[-1] + math.sqrt(1 - rho**2) * noise.gauss(0, 1))
    return values


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("n", [8, 30])
def test_likelihood_and_error_are_those_of_the_whole_matrix(rho: float, n: int) -> None:
    values = np.array(autoregressive(n, n, 0.5)) + 7
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    matrix = rho**distance if rho else np.eye(n)
    inverse, ones = np.linalg.inv(matrix), np.ones(n)
    information = ones @ inverse @ ones
    centred = values - ones @ inverse @ values / information
    squares = centred @ inverse @ centred
    likelihood = -(np.linalg.slogdet(matrix)[1] + np.log(information)) / 2
    likelihood -= (n - 1) / 2 * np.log(squares)
    error = math.sqrt(squares / (n - 1) * matrix.mean())
    assert _fit(values.tolist(), rho) == pytest.approx((likelihood, error), rel=1e-6)


def test_independent_values_have_students_interval() -> None:
    values = autoregressive(5, 100, 0.0)
    found = estimate_mean(values, 1.0)
    assert found.correlation
    assert not found.correlation.is_suspect
    assert (found.value, found.ci95) == mean_interval(values)


def test_neighbours_that_are_alike_widen_the_interval() -> None:
    values = autoregressive(2, 400, 0.9)  # a correlation time of 9.5 distances
    found, (_, ends) = estimate_mean(values, 1.0), mean_interval(values)
    assert found.correlation
    assert found.correlation.is_likely
    assert found.ci95
    assert ends
    assert found.ci95[1] - found.ci95[0] > 2 * (ends[1] - ends[0])
    assert 4 < found.correlation.time_s < 25
    assert not found.correlation.outlasts_run


@pytest.mark.parametrize(
    "values", [[1.0, 2.0, 3.0], [0.1 * 3] * 5 + [0.3] * 5, list(range(FEWEST_VALUES - 1))]
)
def test_few_values_or_equal_ones_say_nothing_of_their_neighbours(values: list[float]) -> None:
    found = estimate_mean(values, 1.0)
    assert found.correlation is None
    assert found.ci95 == mean_interval(values)[1]


def test_without_times_nothing_is_said_of_neighbours() -> None:
    assert estimate_mean(autoregressive(2, 40, 0.9)).correlation is None
