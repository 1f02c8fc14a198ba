"""Distances between vectors of n numbers, by the norm of the difference."""

from inspect_cost.formulas.pointwise import ADD, COMPARE, SPECIAL
from inspect_cost.formulas.reduction import extremum, norm1, norm2, summation
from inspect_cost.values.cost import OpCost


def distance(pairs: int, n: int, order: float) -> OpCost:
    """`||x - y||` of any order: 2 by squares and a root, 1 and infinity by magnitudes.

    Order 0 is the number of entries that differ. Other orders take a power of each magnitude, and
    of their sum.
    """
    if order == 0:
        return COMPARE * (pairs * n)
    return ADD * (pairs * n) + norm(pairs, n, order)


def norm(rows: int, n: int, order: float) -> OpCost:
    """`||x||` of any order."""
    if order == 0:
        return COMPARE * (rows * n)
    if order == float("inf") or order == float("-inf"):
        return COMPARE * (rows * n) + extremum(rows, n)
    if order in {1, 2}:
        return norm1(rows, n) if order == 1 else norm2(rows, n)
    return (COMPARE + SPECIAL) * (rows * n) + summation(rows, n) + SPECIAL * rows
