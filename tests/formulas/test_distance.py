"""Distances between vectors, pair by pair."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from inspect_cost.formulas import distance as formula
from tests.formulas.naive import distance as naive
from tests.formulas.naive.reduction import over
from tests.formulas.proof import EXACT, SIZE, draw_normal, prove

ORDERS = [0.0, 1.0, 2.0, 3.0, float("inf")]


@pytest.mark.parametrize("p", ORDERS)
@EXACT
@given(m=SIZE, k=SIZE, n=SIZE)
def test_each_vector_to_each(p: float, m: int, k: int, n: int) -> None:
    a, b = draw_normal((m, n), (k, n))
    prove(
        lambda a, b: torch.cdist(a, b, p),
        lambda a, b: naive.each_to_each(a, b, p),
        a,
        b,
        formula=formula.distance(m * k, n, p),
    )


@pytest.mark.parametrize("mode", ["use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"])
def test_euclidean_distances_cost_the_same_by_products_or_not(mode: str) -> None:
    a, b = draw_normal((3, 4), (5, 4))
    prove(
        lambda a, b: torch.cdist(a, b, compute_mode=mode),
        lambda a, b: naive.each_to_each(a, b, 2),
        a,
        b,
        formula=formula.distance(15, 4, 2),
    )


@pytest.mark.parametrize("p", ORDERS)
@EXACT
@given(m=st.integers(2, 4), n=SIZE)
def test_each_pair_once(p: float, m: int, n: int) -> None:
    (a,) = draw_normal((m, n))
    prove(
        lambda a: F.pdist(a, p),
        lambda a: naive.within(a, p),
        a,
        formula=formula.distance(m * (m - 1) // 2, n, p),
    )


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, float("inf")])
@EXACT
@given(n=SIZE)
def test_two_tensors_as_vectors(p: float, n: int) -> None:
    prove(
        lambda a, b: torch.dist(a, b, p),
        lambda a, b: naive.distance(list(a), list(b), p),
        *draw_normal((n,), (n,)),
        formula=formula.distance(1, n, p),
    )


@pytest.mark.parametrize("p", [0.0, 3.0, 2.0, 1.0, float("inf")])
@EXACT
@given(rows=SIZE, n=SIZE)
def test_norms_of_every_order(p: float, rows: int, n: int) -> None:
    """A norm is a distance from zero, without the differences."""
    (x,) = draw_normal((rows, n))
    prove(
        lambda x: torch.linalg.vector_norm(x, p, 1),
        over(1, lambda xs: naive.norm(xs, p)),
        x,
        formula=formula.norm(rows, n, p),
    )
