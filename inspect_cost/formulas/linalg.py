"""Factorisations and solutions of `n x n` systems by textbook loops (Golub & Van Loan 2013).

Iterative ones (eigenvalues, singular values, the matrix exponential) have no exact count.
"""

from inspect_cost.formulas.pointwise import ADD, COMPARE, MUL, SPECIAL
from inspect_cost.values.cost import OpCost


def cholesky(n: int) -> OpCost:
    """`L L^T`, column by column: for each entry a dot product, then a root or a division."""
    products = n * (n * n - 1) // 6
    return OpCost(mul=products, add=products, div=n * (n - 1) // 2, sqrt=n)


def lu(n: int) -> OpCost:
    """`P L U` by elimination with partial pivoting: pivot search, factors, and updates."""
    below, updates = n * (n - 1) // 2, n * (n - 1) * (2 * n - 1) // 6
    return OpCost(compare=below, div=below, mul=updates, add=updates)


def triangular_solve(n: int, *, unit: bool) -> OpCost:
    """One right-hand side by substitution; a unit diagonal needs no divisions."""
    below = n * (n - 1) // 2
    return OpCost(mul=below, add=below, div=0 if unit else n)


def lu_solve(n: int, sides: int) -> OpCost:
    """Right-hand sides (``sides`` of them) solved with a given factorisation."""
    return (triangular_solve(n, unit=True) + triangular_solve(n, unit=False)) * sides


def solve(n: int, sides: int) -> OpCost:
    """A factorisation, then the right-hand sides; an inverse has n of them."""
    return lu(n) + lu_solve(n, sides)


def determinant(n: int) -> OpCost:
    """The product of U's diagonal; the sign comes from the permutation and is free."""
    return lu(n) + MUL * max(0, n - 1)


def log_determinant(n: int) -> OpCost:
    """The sum of the logarithms of the magnitudes on U's diagonal; signs are free."""
    return lu(n) + (COMPARE + SPECIAL) * n + ADD * max(0, n - 1)


def cross(vectors: int) -> OpCost:
    """Cross products of vectors of three numbers."""
    return OpCost(mul=6, add=3) * vectors
