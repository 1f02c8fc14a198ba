"""Fronts, dominators and volumes against their definitions."""

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspect_cost import rank
from inspect_cost.ranking.ranking import Ranking
from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Quantity
from tests.ranking import naive

INFINITY = float("inf")
#: Small whole numbers, so that ties and duplicates are frequent.
VALUES = st.one_of(st.integers(0, 4), st.sampled_from([INFINITY, -INFINITY, 0.5]))


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[float]], list[bool]]:
    k = draw(st.integers(2, 5))
    rows = draw(st.lists(st.lists(VALUES, min_size=k, max_size=k), min_size=1, max_size=25))
    return rows, draw(st.lists(st.booleans(), min_size=k, max_size=k))


def as_costs(rows: list[list[float]], maximise: list[bool]) -> list[list[float]]:
    return [[-v if m else v for v, m in zip(row, maximise, strict=True)] for row in rows]


@given(tables())
def test_ranks_are_those_of_the_definition(table: tuple[list[list[float]], list[bool]]) -> None:
    rows, maximise = table
    ranking = rank(rows, maximise=maximise)
    expected = naive.ranks(as_costs(rows, maximise))
    assert ranking.rank == expected
    assert ranking.front == [i for i, r in enumerate(expected) if r == 0]
    assert ranking.fronts[0] == ranking.front


def test_thousands_of_tables_with_ties() -> None:
    chance = random.Random(1)  # noqa: S311 - no secret
    for _ in range(3000):
        k, n, largest = chance.randint(2, 4), chance.randint(1, 12), chance.randint(1, 5)
        rows = [[float(chance.randint(0, largest)) for _ in range(k)] for _ in range(n)]
        assert rank(rows).rank == naive.ranks(rows)


@given(tables())
def test_who_dominates_whom(table: tuple[list[list[float]], list[bool]]) -> None:
    rows, maximise = table
    costs = as_costs(rows, maximise)
    ranking = rank(rows, maximise=maximise)
    for loser, dominators in enumerate(ranking.dominated_by):
        assert dominators == [
            winner for winner in range(len(rows)) if naive.dominates(costs[winner], costs[loser])
        ]


@given(tables())
def test_every_loser_is_dominated_from_the_front_before(
    table: tuple[list[list[float]], list[bool]],
) -> None:
    rows, maximise = table
    ranking = rank(rows, maximise=maximise)
    assert not any(ranking.dominated_by[member] for member in ranking.front)
    for before, after in pairwise(ranking.fronts):
        for loser in after:
            assert set(ranking.dominated_by[loser] or []) & set(before)
            assert not set(ranking.dominated_by[loser] or []) & set(after)


@given(tables(), st.randoms(use_true_random=False), st.floats(1e-6, 1e6))
def test_order_and_units_change_nothing(
    table: tuple[list[list[float]], list[bool]], chance: random.Random, factor: float
) -> None:
    rows, maximise = table
    ranks = list(rank(rows, maximise=maximise).rank)
    order = list(range(len(rows)))
    chance.shuffle(order)
    shuffled = rank([rows[i] for i in order], maximise=maximise)
    assert shuffled.rank == [ranks[i] for i in order]
    scaled = [[row[0] * factor, *row[1:]] for row in rows]
    assert rank(scaled, maximise=maximise).rank == ranks


@given(tables())
def test_ranking_a_front_again_keeps_it_whole(
    table: tuple[list[list[float]], list[bool]],
) -> None:
    rows, maximise = table
    front = [rows[int(i)] for i in rank(rows, maximise=maximise).front]
    assert set(rank(front, maximise=maximise).rank) == {0}


def test_duplicates_are_kept() -> None:
    ranking = rank([(1, 2), (2, 1), (1, 2), (3, 3), (3, 3)])
    assert ranking.rank == [0, 0, 0, 1, 1]
    assert ranking.front == [0, 1, 2]
    assert ranking.dominated_by[3] == [0, 1, 2]
    assert ranking.contributions[0] == ranking.contributions[2] == 0


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_value_is_never_a_winner(missing: float | None) -> None:
    ranking = rank({"a": (1, 2), "gone": (missing, 0), "b": (2, 3)}, objectives=["j", "loss"])
    assert ranking.front == ["a"]
    assert ranking.rank == [0, None, 1]
    assert ranking.unranked == {"gone": "no value for j"}
    for results in (
        ranking.dominated_by,
        ranking.contributions,
        ranking.probability_optimal,
        ranking.expected_rank,
    ):
        assert results["gone"] is None
    assert ranking.dominated_by["b"] == ["a"]


def test_nothing_left_to_rank() -> None:
    ranking = rank([(None, 1), (2, float("nan"))])
    assert ranking.rank == [None, None]
    assert not ranking.front
    assert not ranking.fronts
    assert ranking.hypervolume is None
    assert ranking.reference is None
    assert ranking.knee is None
    assert rank([]).front == []


def test_points_are_given_in_many_ways() -> None:
    rows = [(1.0, 0.5), (2.0, 0.4), (3.0, 0.9)]
    names = ["x", "y", "z"]
    named = dict(zip(names, rows, strict=True))
    by_objective = {name: {"cost": row[0], "mos": row[1]} for name, row in named.items()}
    quantities = {n: [Quantity(v, "", "measured", "t") for v in row] for n, row in named.items()}
    for ranking in (
        rank(rows, maximise=[False, True], names=names),
        rank(np.array(rows), maximise=[False, True], names=names),
        rank(named, maximise=[False, True]),
        rank(by_objective, maximise=["mos"]),
        rank(by_objective, maximise="mos", objectives=["cost", "mos"]),
        rank(quantities, maximise=(False, True)),
    ):
        assert ranking.front == ["x", "z"]
        assert ranking.rank["y"] == 1
        assert np.asarray(ranking.rank).tolist() == [0, 1, 0]
    assert rank(list(by_objective.values()), maximise=["mos"]).front == [0, 2]
    array = np.array(rows)
    front: list[Any] = rank(array, maximise=[False, True]).front
    assert array[front].shape == (2, 2), "a front is an index of an array"


def test_margins_are_in_the_objectives_units() -> None:
    ranking = rank({"a": (10, 0.9), "b": (12, 0.4)}, maximise=["q"], objectives=["j", "q"])
    assert ranking.margin("b", "a") == {"j": 2, "q": pytest.approx(0.5)}


def volume_of(ranking: Ranking) -> float:
    assert ranking.hypervolume is not None
    return ranking.hypervolume


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=8))
def test_hypervolume_counts_the_dominated_cells(rows: list[tuple[int, int, int]]) -> None:
    reference = (6, 6, 6)
    ranking = rank(rows, reference=reference)
    assert ranking.hypervolume == pytest.approx(naive.volume(rows, reference))
    front = ranking.front
    for member in front:
        rest = [rows[int(i)] for i in front if i != member]
        lost = volume_of(ranking) - naive.volume(rest, reference)
        assert ranking.contributions[member] == pytest.approx(lost)
    assert all(ranking.contributions[i] == 0 for i in range(len(rows)) if i not in front)


def test_the_reference_is_a_tenth_of_the_range_beyond_the_worst() -> None:
    ranking = rank([(10, 1), (20, 3), (30, 2)], maximise=[False, True])
    assert ranking.reference == pytest.approx((32, 0.8))
    assert ranking.hypervolume == pytest.approx(10 * 0.2 + 12 * 2.2)


def test_infinities_do_not_spoil_the_volume() -> None:
    ranking = rank([(1, 2), (2, 1), (INFINITY, 0)], reference=(3, 3))
    assert ranking.rank == [0, 0, 0]
    assert ranking.hypervolume == pytest.approx(3)
    assert ranking.contributions == [pytest.approx(1), pytest.approx(1), 0]


def test_the_knee() -> None:
    # From (0, 10) to (10, 0), the chord is x + y = 10: (2, 3) lies 5 / sqrt(2) below it.
    rows = [(0, 10), (2, 3), (5, 2), (10, 0)]
    assert rank(rows).knee == 1
    assert rank([(x * 1e9, y) for x, y in rows]).knee == 1
    assert rank([(x, -y) for x, y in rows], maximise=[False, True]).knee == 1
    assert rank([(0, 10), (5, 5), (10, 0)]).knee is None
    assert rank([(0, 10), (8, 8), (10, 0)]).knee is None
    assert rank([(0, 10), (10, 0)]).knee is None


#: Arguments of `rank` -> the parameter at fault.
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"points": [(1,), (2,)]}, "objectives"),
    ({"points": [(1, 2), (2,)]}, "points"),
    ({"points": [(1, "two")]}, "points"),
    ({"points": np.zeros((2, 2, 2))}, "points"),
    ({"points": [(1, 2)], "names": ["a", "b"]}, "names"),
    ({"points": [(1, 2), (3, 4)], "names": ["a", "a"]}, "names"),
    ({"points": {"a": (1, 2)}, "names": ["a"]}, "names"),
    ({"points": [(1, 2)], "maximise": [True]}, "maximise"),
    ({"points": [{"a": 1, "b": 2}], "maximise": ["c"]}, "maximise"),
    ({"points": [(1, 2)], "objectives": ["a", "a"]}, "objectives"),
    ({"points": [(1, (2, -1))]}, "uncertainty"),
    ({"points": [(1, 2)], "uncertainty": [1, 2, 3]}, "uncertainty"),
    ({"points": [(1, 2)], "draws": 0}, "draws"),
    ({"points": [(1, 2)], "seed": -1}, "seed"),
    ({"points": [(1, 2)], "reference": [1]}, "reference"),
]


@pytest.mark.parametrize(("arguments", "field"), MISTAKES)
def test_mistakes_name_the_parameter(arguments: dict[str, Any], field: str) -> None:
    options = {name: value for name, value in arguments.items() if name != "points"}
    with pytest.raises(UsageError) as raised:
        rank(arguments["points"], **options)
    assert raised.value.field == field
    assert raised.value.advice


def test_a_ranking_is_shown_in_one_line() -> None:
    points = {name: (place, -place) for place, name in enumerate("abcdefg")}
    text = repr(rank(points, objectives=["j", "loss"]))
    assert "\n" not in text
    assert len(text) < 80
    for part in ("7", "j, loss", "a, b, c, d, e, ..."):
        assert part in text
    assert "nobody" in repr(rank([]))
    assert "object at" not in repr(rank(np.ones((3, 2))))
