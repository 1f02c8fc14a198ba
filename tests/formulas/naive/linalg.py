"""Factorisations and substitutions, entry by entry."""

from typing import Any

import numpy as np

from tests.formulas.scalars import absolute, compare, log, sqrt

Matrix = np.ndarray


def cholesky(a: Matrix) -> Matrix:
    n = len(a)
    L = np.full((n, n), 0.0, dtype=object)
    for j in range(n):
        for i in range(j, n):
            rest = a[i, j]
            for k in range(j):
                rest = rest - L[i, k] * L[j, k]
            L[i, j] = sqrt(rest) if i == j else rest / L[j, j]
    return L


def lu(a: Matrix) -> tuple[Matrix, list[int]]:
    """Return both factors in one matrix, and the rows' order; pivoting compares magnitudes.

    Telling the magnitude is part of the comparison.
    """
    a, n, order = a.copy(), len(a), list(range(len(a)))
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if compare(lambda x, y: abs(x) > abs(y), a[i, k], a[pivot, k]).value:
                pivot = i
        a[[k, pivot]] = a[[pivot, k]]
        order[k], order[pivot] = order[pivot], order[k]
        for i in range(k + 1, n):
            a[i, k] = a[i, k] / a[k, k]
            for j in range(k + 1, n):
                a[i, j] = a[i, j] - a[i, k] * a[k, j]
    return a, order


def forward(L: Matrix, b: Matrix, *, unit: bool) -> Matrix:
    x = b.copy()
    for c in range(b.shape[1]):
        for i in range(len(L)):
            for j in range(i):
                x[i, c] = x[i, c] - L[i, j] * x[j, c]
            x[i, c] = x[i, c] if unit else x[i, c] / L[i, i]
    return x


def backward(U: Matrix, b: Matrix) -> Matrix:
    return forward(U[::-1, ::-1], b[::-1], unit=False)[::-1]


def solve(a: Matrix, b: Matrix) -> Matrix:
    factors, order = lu(a)
    return backward(factors, forward(factors, b[order], unit=True))


def inverse(a: Matrix) -> Matrix:
    """Solve for the identity, whose columns cost as much as any other right-hand sides."""
    tape = a[0, 0].tape
    identity = np.array(
        [[type(a[0, 0])(float(i == j), tape) for j in range(len(a))] for i in range(len(a))],
        dtype=object,
    )
    return solve(a, identity)


def sign_of(order: list[int]) -> int:
    swaps = sum(order[i] > order[j] for j in range(len(order)) for i in range(j))
    return -1 if swaps % 2 else 1


def determinant(a: Matrix) -> Any:
    factors, order = lu(a)
    result = factors[0, 0]
    for i in range(1, len(a)):
        result = result * factors[i, i]
    result.value *= sign_of(order)  # free
    return result


def log_determinant(a: Matrix) -> Any:
    factors, _ = lu(a)
    logs = [log(absolute(factors[i, i])) for i in range(len(a))]
    result = logs[0]
    for x in logs[1:]:
        result = result + x
    return result


def cross(a: Matrix, b: Matrix) -> Matrix:
    out = np.empty(a.shape, dtype=object)
    for row, (x, y) in enumerate(zip(a, b, strict=True)):
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            out[row, i] = x[j] * y[k] - x[k] * y[j]
    return out
