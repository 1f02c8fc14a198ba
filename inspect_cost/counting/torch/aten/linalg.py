"""Rules of factorisations and systems of equations, batched.

Operators that iterate until convergence (eigenvalues, singular values) are in no table.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import linalg as formula
from inspect_cost.values.cost import OpCost


def each_matrix(cost: Callable[[int], OpCost]) -> Rule:
    """Make the rule of an operator on (..., n, n); complex numbers and other shapes are unknown."""

    def rule(out: Any, a: Tensor, *_args: Any, **_options: Any) -> OpCost | None:
        return cost(a.shape[-1]) * _matrices(a) if _is_square(a) else None

    return rule


def _is_square(a: Tensor) -> bool:
    return a.shape[-1] == a.shape[-2] and not a.is_complex()


def _sides(out: Tensor, n: int) -> int:
    """Count the solution vectors of n numbers each."""
    return out.numel() // n if n else 0


def _matrices(a: Tensor) -> int:
    return a.numel() // (a.shape[-1] * a.shape[-2]) if a.numel() else 0


def solve(out: Any, a: Tensor, b: Tensor, **_options: Any) -> OpCost | None:
    """Count `A x = b`; b has as many right-hand sides as numbers for each row of A."""
    n = a.shape[-1]
    if not _is_square(a):
        return None
    factors, sides = formula.lu(n) * _matrices(a), _sides(out[0], n)
    return factors + formula.lu_solve(n, sides)


def lu_solve(out: Tensor, factors: Tensor, pivots: Tensor, b: Tensor, **_options: Any) -> OpCost:
    """Count the solution of a system whose factors are given."""
    n = factors.shape[-1]
    return formula.lu_solve(n, _sides(out, n))


def solve_triangular(
    out: Tensor, a: Tensor, b: Tensor, *, unitriangular: bool = False, **_options: Any
) -> OpCost:
    """Count the solution of a triangular system by substitution."""
    n = a.shape[-1]
    return formula.triangular_solve(n, unit=unitriangular) * _sides(out, n)


def older_solve_triangular(
    out: tuple[Tensor, ...],
    b: Tensor,
    a: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> OpCost:
    """Count `solve_triangular` with its operands in the older order."""
    return solve_triangular(out[0], a, b, unitriangular=unitriangular)


def cholesky_solve(out: Tensor, b: Tensor, a: Tensor, upper: bool = False) -> OpCost:
    """Count two substitutions."""
    n = a.shape[-1]
    return 2 * formula.triangular_solve(n, unit=False) * _sides(out, n)


def cross(out: Tensor, a: Tensor, b: Tensor, *, dim: int = -1) -> OpCost | None:
    """Count cross products of vectors of three numbers."""
    return None if out.is_complex() else formula.cross(out.numel() // 3)


LINALG: dict[str, Rule] = {
    "aten.linalg_cholesky_ex": each_matrix(formula.cholesky),
    "aten.cholesky": each_matrix(formula.cholesky),
    "aten.linalg_lu_factor_ex": each_matrix(formula.lu),
    "aten.linalg_lu": each_matrix(formula.lu),
    "aten._linalg_det": each_matrix(formula.determinant),
    "aten._linalg_slogdet": each_matrix(formula.log_determinant),
    "aten.linalg_inv_ex": each_matrix(lambda n: formula.solve(n, n)),
    "aten._linalg_solve_ex": solve,
    "aten.linalg_lu_solve": lu_solve,
    "aten.linalg_solve_triangular": solve_triangular,
    "aten.triangular_solve": older_solve_triangular,
    "aten.cholesky_solve": cholesky_solve,
    "aten.cholesky_inverse": each_matrix(lambda n: 2 * formula.triangular_solve(n, unit=False) * n),
    "aten.linalg_cross": cross,
}
