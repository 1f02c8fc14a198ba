"""Polynomials through whole numbers at equal distances, by Newton's forward differences. Exact."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import comb

#: Several numbers at one place, each of which is a polynomial of its own.
Row = tuple[int, ...]


def format_polynomial(coefficients: Sequence[Fraction], variable: str = "L") -> str:
    """Return a polynomial as people write it, the highest power first.

    >>> format_polynomial([Fraction(9), Fraction(45, 4), Fraction(0), Fraction(-1)])
    '-L^3 + 45/4 L + 9'
    """
    terms = [
        (c, f"{variable}^{power}" if power > 1 else variable * power)
        for power, c in enumerate(coefficients)
        if c
    ]
    text = ""
    for c, factor in reversed(terms):
        size = abs(c)
        number = f"{size.numerator:,}" + (f"/{size.denominator:,}" if size.denominator > 1 else "")
        sign = ("-" if c < 0 else "") if not text else (" - " if c < 0 else " + ")
        text += sign + (factor if factor and size == 1 else f"{number} {factor}".strip())
    return text or "0"


def take_differences(values: list[Row]) -> tuple[Row, ...]:
    """Return the first entries of the difference table, up to the last row that is not all 0."""
    rows: list[Row] = []
    table = values
    while table and any(any(amounts) for amounts in table):
        rows.append(table[0])
        table = [tuple(b - a for a, b in zip(*pair, strict=True)) for pair in pairwise(table)]
    return tuple(rows)


def extrapolate(rows: tuple[Row, ...], steps: int) -> Row:
    """Return the values after n steps: Newton's `sum_k C(n, k) * (k-th difference)`."""
    columns = zip(*rows, strict=True)
    amounts = (sum(comb(steps, k) * d for k, d in enumerate(column)) for column in columns)
    return tuple(amounts)


def find_coefficients(values: list[int], start: int, period: int) -> tuple[Fraction, ...]:
    """Return those of the polynomial in L through values at start, start + period, ..."""
    rows = [row[0] for row in take_differences([(value,) for value in values])]
    total = [Fraction(0)] * max(1, len(rows))
    basis = [Fraction(1)]  # C((L - start) / period, k) as a polynomial in L
    for k, difference in enumerate(rows):
        total = [t + difference * b for t, b in zip(total, _pad(basis, len(total)), strict=True)]
        factor = (Fraction(-start - k * period, period * (k + 1)), Fraction(1, period * (k + 1)))
        basis = _multiply(basis, factor)
    return tuple(total)


def _pad(polynomial: list[Fraction], length: int) -> list[Fraction]:
    return polynomial[:length] + [Fraction(0)] * (length - len(polynomial))


def _multiply(polynomial: list[Fraction], factor: tuple[Fraction, Fraction]) -> list[Fraction]:
    """Return the polynomial times `factor[0] + factor[1] * L`."""
    low = [factor[0] * c for c in polynomial] + [Fraction(0)]
    high = [Fraction(0)] + [factor[1] * c for c in polynomial]
    return [a + b for a, b in zip(low, high, strict=True)]
