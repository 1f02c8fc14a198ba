"""Reductions of n numbers to one, repeated ``rows`` times; and functions built on them."""

from inspect_cost.formulas.pointwise import (
    ADD,
    COMPARE,
    COMPLEX_ADD,
    COMPLEX_MUL,
    COMPLEX_SHARE,
    DIV,
    LERP,
    MUL,
    SPECIAL,
    SQRT,
)
from inspect_cost.values.cost import FREE, OpCost


def summation(rows: int, n: int) -> OpCost:
    """`x_1 + ... + x_n`."""
    return ADD * (rows * max(0, n - 1))


def mean(rows: int, n: int) -> OpCost:
    """A sum and a division."""
    return summation(rows, n) + DIV * rows


def product(rows: int, n: int) -> OpCost:
    """`x_1 * ... * x_n`."""
    return MUL * (rows * max(0, n - 1))


def complex_summation(rows: int, n: int) -> OpCost:
    """`z_1 + ... + z_n`."""
    return COMPLEX_ADD * (rows * max(0, n - 1))


def complex_mean(rows: int, n: int) -> OpCost:
    """A sum, and one division for each of its two parts."""
    return complex_summation(rows, n) + COMPLEX_SHARE * rows


def complex_product(rows: int, n: int) -> OpCost:
    """`z_1 * ... * z_n`."""
    return COMPLEX_MUL * (rows * max(0, n - 1))


def complex_norm2(rows: int, n: int) -> OpCost:
    """`sqrt(|z_1|^2 + ... + |z_n|^2)`: the norm of twice as many real numbers."""
    return norm2(rows, 2 * n)


def extremum(rows: int, n: int) -> OpCost:
    """Maximum or minimum, with or without its position: `n - 1` comparisons."""
    return COMPARE * (rows * max(0, n - 1))


def variance(rows: int, n: int) -> OpCost:
    """Mean, deviations, their squares, and the mean of those: `4 n` a row."""
    return mean(rows, n) + (ADD + MUL) * (rows * n) + mean(rows, n)


def standard_deviation(rows: int, n: int) -> OpCost:
    """The square root of the variance."""
    return variance(rows, n) + SQRT * rows


def norm2(rows: int, n: int) -> OpCost:
    """`sqrt(x_1^2 + ... + x_n^2)`."""
    return MUL * (rows * n) + summation(rows, n) + SQRT * rows


def norm1(rows: int, n: int) -> OpCost:
    """`|x_1| + ... + |x_n|`, each absolute value one comparison."""
    return COMPARE * (rows * n) + summation(rows, n)


def log_sum_exp(rows: int, n: int) -> OpCost:
    """`m + log(sum(exp(x - m)))`, where m is the maximum."""
    shifted = extremum(rows, n) + (ADD + SPECIAL) * (rows * n)
    return shifted + summation(rows, n) + (SPECIAL + ADD) * rows


def softmax(rows: int, n: int) -> OpCost:
    """`exp(x - max) / sum(exp(x - max))`: `5 n - 2` a row."""
    return ragged_softmax(rows, rows * n)


def ragged_softmax(rows: int, elements: int) -> OpCost:
    """Softmax over rows of any lengths, with ``elements`` numbers in all."""
    sums = (COMPARE + ADD) * max(0, elements - rows)  # the maximum and the sum of each row
    return sums + (ADD + SPECIAL + DIV) * elements


def log_softmax(rows: int, n: int) -> OpCost:
    """`(x - max) - log(sum(exp(x - max)))`: `5 n - 1` a row."""
    shifted = extremum(rows, n) + (ADD + SPECIAL) * (rows * n)
    return shifted + summation(rows, n) + SPECIAL * rows + ADD * (rows * n)


def top_k(rows: int, n: int, k: int) -> OpCost:
    """The k largest of n numbers, by convention in k passes: `k n` comparisons."""
    return COMPARE * (rows * k * n)


def sort(rows: int, n: int) -> OpCost:
    """Sorting by comparison, by convention `n ceil(log2 n)` comparisons."""
    return COMPARE * (rows * n * max(0, n - 1).bit_length())


def quantile(rows: int, n: int, quantiles: int, *, interpolated: bool) -> OpCost:
    """Quantiles of sorted rows; if interpolated, each is a weighted mean of two neighbours.

    Finding the neighbours' positions is free.
    """
    return sort(rows, n) + (LERP if interpolated else FREE) * (rows * quantiles)


def binary_search(queries: int, n: int) -> OpCost:
    """Positions among n sorted numbers, by halving: `ceil(log2(n + 1))` comparisons."""
    return COMPARE * (queries * n.bit_length())


def renormalisation(rows: int, n: int) -> OpCost:
    """Rows scaled down to a norm of at most m, by convention all of them: `x (m / ||x||)`."""
    return norm2(rows, n) + (COMPARE + DIV) * rows + MUL * (rows * n)
