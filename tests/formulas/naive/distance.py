"""Distances between rows, pair by pair."""

import numpy as np

from tests.formulas.naive.reduction import Row, norm1, norm2, norm_of_largest, summation
from tests.formulas.scalars import Real, absolute, compare, special


def distance(xs: Row, ys: Row, order: float) -> Real:
    if order == 0:
        differ = [compare(lambda a, b: a != b, x, y).value for x, y in zip(xs, ys, strict=True)]
        return Real(sum(differ), xs[0].tape)
    return norm([x - y for x, y in zip(xs, ys, strict=True)], order)


def norm(xs: Row, order: float) -> Real:
    if order == 0:
        return Real(sum(compare(lambda v: v != 0, x).value for x in xs), xs[0].tape)
    known = {1: norm1, 2: norm2, float("inf"): norm_of_largest}
    if order in known:
        return known[order](xs)
    powers = [special(lambda v: v**order, absolute(x)) for x in xs]
    return special(lambda v: v ** (1 / order), summation(powers))


def each_to_each(a: np.ndarray, b: np.ndarray, order: float) -> np.ndarray:
    return np.array([[distance(x, y, order) for y in b] for x in a], dtype=object)


def within(a: np.ndarray, order: float) -> np.ndarray:
    pairs = [(i, j) for i in range(len(a)) for j in range(i + 1, len(a))]
    return np.array([distance(a[i], a[j], order) for i, j in pairs], dtype=object)
