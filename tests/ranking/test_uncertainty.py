"""Probabilities against closed forms."""

from math import erf, sqrt

import numpy as np
import pytest

from inspect_cost import rank
from inspect_cost.ranking import sorting
from inspect_cost.ranking.points import Point
from inspect_cost.ranking.uncertainty import LARGEST_SET, LARGEST_TABLE, rank_each
from inspect_cost.values.quantity import Quantity

Z95 = 1.959963984540054  # of a Gaussian's 97.5 % quantile


def below(difference: float, *half_widths: float) -> float:
    """P(A < B) of two Gaussians whose means differ by B - A."""
    deviation = sqrt(sum((h / Z95) ** 2 for h in half_widths))
    return (1 + erf(difference / deviation / sqrt(2))) / 2


def test_two_points_that_differ_in_one_uncertain_value() -> None:
    """At equal cost, one of two is optimal: the one of better quality."""
    ranking = rank([(1, (3.0, 0.5)), (1, (3.3, 0.9))], maximise=[False, True], draws=40_000)
    second = below(0.3, 0.5, 0.9)
    # Three standard errors of 40,000 draws are 0.0075.
    assert ranking.probability_optimal == [
        pytest.approx(1 - second, abs=0.0075),
        pytest.approx(second, abs=0.0075),
    ]
    assert ranking.expected_rank[0] == pytest.approx(second, abs=0.0075)


def test_two_points_uncertain_in_both() -> None:
    """The second is dominated where the first is better in both."""
    ranking = rank([((1.0, 0.4), (2.0, 0.3)), ((1.1, 0.2), (2.2, 0.5))], draws=40_000)
    dominated = below(0.1, 0.4, 0.2) * below(0.2, 0.3, 0.5)
    assert ranking.probability_optimal[1] == pytest.approx(1 - dominated, abs=0.0075)
    first = below(-0.1, 0.4, 0.2) * below(-0.2, 0.3, 0.5)
    assert ranking.probability_optimal[0] == pytest.approx(1 - first, abs=0.0075)
    assert ranking.expected_rank[0] == pytest.approx(first, abs=0.0075)


def test_without_intervals_all_is_certain() -> None:
    ranking = rank([(1, 1), (2, 2), (3, 0)])
    assert ranking.probability_optimal == [1, 0, 1]
    assert ranking.expected_rank == [0, 1, 0]
    assert ranking.significant
    assert ranking.warning is None


def test_a_front_that_is_not_significant_says_so() -> None:
    points: dict[str, Point] = {"sure": (1, 5), "close": (2, (5.1, 0.5)), "far": (3, (1, 0.5))}
    ranking = rank(points, maximise=[False, True])
    assert ranking.front == ["sure", "close"]
    assert ranking.doubtful == ["close"]
    assert ranking.warning is not None
    assert "close (" in ranking.warning
    assert "far" not in ranking.warning


def test_a_loser_that_may_be_a_winner_is_in_doubt_too() -> None:
    ranking = rank({"a": (1, (5, 1)), "b": (2, (4.8, 1))}, maximise=[False, True])
    assert ranking.front == ["a"]
    assert ranking.doubtful == ["b"]


def test_intervals_are_given_in_many_ways() -> None:
    plain = {"a": {"cost": 1, "mos": 3.0}, "b": {"cost": 2, "mos": 3.1}}
    paired = {"a": (1, (3.0, 0.2)), "b": (2, (3.1, 0.2))}
    quantities = {
        "a": (1, Quantity(3.0, "", "reported", "x", (2.8, 3.2))),
        "b": (2, Quantity(3.1, "", "reported", "x", (2.9, 3.3))),
    }
    expected = list(rank(paired, maximise=[False, True], seed=3, draws=2000).probability_optimal)
    assert 0.6 < (expected[1] or 0) < 0.9
    for uncertainty in (
        [[0, 0.2], [0, 0.2]],
        [0, 0.2],
        {"mos": 0.2},
        {"a": {"mos": 0.2}, "b": {"mos": 0.2}},
        {"a": (None, 0.2), "b": (0, 0.2)},
    ):
        ranking = rank(plain, maximise=["mos"], seed=3, draws=2000, uncertainty=uncertainty)
        assert ranking.probability_optimal == expected
    by_quantity = rank(quantities, maximise=[False, True], seed=3, draws=2000).probability_optimal
    assert list(by_quantity) == pytest.approx(expected, abs=1e-3)


def test_the_seed_decides() -> None:
    points = [(1, (3.0, 0.5)), (1, (3.3, 0.9))]
    first, again, other = (rank(points, draws=999, seed=s).probability_optimal for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_missing_values_are_left_out_of_the_draws() -> None:
    ranking = rank([(1, (3, 0.5)), (None, (9, 1)), (2, (3, 0.5))])
    assert ranking.probability_optimal[1] is None
    assert ranking.probability_optimal[0] == 1
    assert ranking.probability_optimal[2] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("objectives", [2, 3, 4])
@pytest.mark.parametrize("points", [1, 12, LARGEST_SET + 1])
def test_many_sets_at_once_rank_as_one_by_one(points: int, objectives: int) -> None:
    """With ties: small whole numbers."""
    shape = (20, points, objectives)
    costs = np.random.default_rng(3).integers(0, 4, shape).astype(float)
    one_by_one = np.stack([sorting.assign_ranks(of_one) for of_one in costs])
    assert np.array_equal(rank_each(costs), one_by_one)


def test_more_points_than_pairs_are_held_of() -> None:
    count = int(LARGEST_TABLE**0.5) + 1
    points = [(float(n), (float(-n), 0.1)) for n in range(count)]
    assert set(rank(points, draws=2).probability_optimal) == {1}


def test_draws_in_several_batches_are_as_many_as_asked_for() -> None:
    """Of 200 points, 52 draws are ranked at once: 100 take one whole batch and a part of one."""
    points = [(float(n), (float(-n), 0.01)) for n in range(200)]
    assert set(rank(points, draws=100).probability_optimal) == {1}
