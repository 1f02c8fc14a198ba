"""Factorisations and systems of equations by their textbook loops."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor

from inspect_cost.formulas import linalg as formula
from inspect_cost.values.cost import OpCost
from tests.formulas.naive import linalg as naive
from tests.formulas.proof import EXACT, SIZE, count_cost, draw_normal, prove


def positive(n: int) -> Tensor:
    """Make a positive definite matrix."""
    (a,) = draw_normal((n, n))
    return a @ a.T + n * torch.eye(n, dtype=a.dtype)


OF_ONE_MATRIX: dict[str, tuple[Any, Any, Callable[[int], OpCost]]] = {
    "cholesky": (torch.linalg.cholesky, naive.cholesky, formula.cholesky),
    "lu": (
        lambda a: torch.linalg.lu_factor(a)[0],
        lambda a: naive.lu(a)[0],
        formula.lu,
    ),
    "det": (torch.linalg.det, naive.determinant, formula.determinant),
    "slogdet": (
        lambda a: torch.linalg.slogdet(a)[1],
        naive.log_determinant,
        formula.log_determinant,
    ),
    "inv": (torch.linalg.inv, naive.inverse, lambda n: formula.solve(n, n)),
}


@pytest.mark.parametrize("name", OF_ONE_MATRIX)
@EXACT
@given(n=SIZE)
def test_of_one_matrix(name: str, n: int) -> None:
    call, reference, cost = OF_ONE_MATRIX[name]
    prove(call, reference, positive(n), formula=cost(n))
    batch = positive(n).expand(2, 3, n, n)
    assert count_cost(call, batch) == cost(n) * 6


@EXACT
@given(n=SIZE, sides=SIZE)
def test_solving_a_system(n: int, sides: int) -> None:
    a, b = positive(n), draw_normal((n, sides))[0]
    prove(torch.linalg.solve, naive.solve, a, b, formula=formula.solve(n, sides))
    assert count_cost(torch.linalg.solve, a, b[:, 0]) == formula.solve(n, 1)

    def again(a: Tensor, b: Tensor) -> Tensor:
        factors, pivots = torch.linalg.lu_factor(a)
        x: Tensor = torch.linalg.lu_solve(factors, pivots, b)
        return x

    assert count_cost(again, a, b) == formula.lu(n) + formula.lu_solve(n, sides)


@pytest.mark.parametrize("unit", [False, True])
@EXACT
@given(n=SIZE, sides=SIZE)
def test_substitution(unit: bool, n: int, sides: int) -> None:
    L, b = positive(n).tril(), draw_normal((n, sides))[0]
    prove(
        lambda L, b: torch.linalg.solve_triangular(L, b, upper=False, unitriangular=unit),
        lambda L, b: naive.forward(L, b, unit=unit),
        L,
        b,
        formula=formula.triangular_solve(n, unit=unit) * sides,
    )


def test_a_cholesky_factor_is_substituted_twice() -> None:
    L, b = positive(4).tril(), draw_normal((4, 3))[0]
    expected = formula.triangular_solve(4, unit=False) * 6
    assert count_cost(torch.cholesky_solve, b, L) == expected


@EXACT
@given(vectors=SIZE)
def test_cross_products(vectors: int) -> None:
    prove(
        torch.linalg.cross,
        naive.cross,
        *draw_normal((vectors, 3), (vectors, 3)),
        formula=formula.cross(vectors),
    )


def test_the_inverse_of_a_cholesky_factor_is_a_solution_for_each_unit_vector() -> None:
    L = positive(4).tril()
    assert count_cost(torch.cholesky_inverse, L) == count_cost(
        torch.cholesky_solve, torch.eye(4, dtype=L.dtype), L
    )


@pytest.mark.parametrize(
    "call",
    [
        torch.linalg.solve,
        lambda a, b: torch.linalg.solve_triangular(a, b, upper=False),
        lambda a, b: torch.cholesky_solve(b, a),
        lambda a, b: torch.lu_solve(b, *torch.linalg.lu_factor(a)),
    ],
    ids=["solve", "triangular", "cholesky", "lu"],
)
def test_a_system_of_no_equations_is_free(call: Any) -> None:
    assert count_cost(call, torch.empty(0, 0), torch.empty(0, 3)) == OpCost()
