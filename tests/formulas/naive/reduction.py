"""Functions from a row of numbers to one number, or to a row of the same length."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.formulas.naive.pointwise import complex_add, complex_mul
from tests.formulas.scalars import (
    Complex,
    Real,
    absolute,
    compare,
    exp,
    log,
    maximum,
    minimum,
    sqrt,
)

Row = Sequence[Real]


def over(dims: int | Sequence[int], function: Callable[[Row], Real]) -> Callable[..., np.ndarray]:
    """Turn a function of a row into one of arrays, over one or several dimensions."""

    def over_array(x: np.ndarray) -> np.ndarray:
        reduced = [d % x.ndim for d in ([dims] if isinstance(dims, int) else dims)]
        kept = [d for d in range(x.ndim) if d not in reduced]
        rows = x.transpose(kept + reduced).reshape(*(x.shape[d] for d in kept), -1)
        out = np.empty(rows.shape[:-1], dtype=object)
        for place in np.ndindex(out.shape):
            out[place] = function(list(rows[place]))
        return out

    return over_array


def along(dim: int, function: Callable[[Row], Row]) -> Callable[..., np.ndarray]:
    """Turn a function from row to row into one of arrays, along one dimension."""

    def along_array(x: np.ndarray) -> np.ndarray:
        out = np.empty(x.shape, dtype=object)
        rows, results = np.moveaxis(x, dim, -1), np.moveaxis(out, dim, -1)
        for place in np.ndindex(rows.shape[:-1]):
            results[place] = function(list(rows[place]))
        return out

    return along_array


# --- to one number ---


def summation(xs: Row) -> Real:
    total = xs[0]
    for x in xs[1:]:
        total = total + x
    return total


def mean(xs: Row) -> Real:
    return summation(xs) / len(xs)


def product(xs: Row) -> Real:
    total = xs[0]
    for x in xs[1:]:
        total = total * x
    return total


def largest(xs: Row) -> Real:
    best = xs[0]
    for x in xs[1:]:
        best = maximum(best, x)
    return best


def smallest(xs: Row) -> Real:
    best = xs[0]
    for x in xs[1:]:
        best = minimum(best, x)
    return best


def position_of_largest(xs: Row) -> Real:
    best = Real(0, xs[0].tape)
    for i, x in enumerate(xs[1:], start=1):
        if compare(lambda a, b: a > b, x, xs[int(best.value)]).value:
            best = Real(i, x.tape)
    return best


def how_many_not_zero(xs: Row) -> Real:
    """Compare each; adding up the results is integer arithmetic, which is free."""
    return Real(sum(compare(lambda v: v != 0, x).value for x in xs), xs[0].tape)


def any_not_zero(xs: Row) -> Real:
    """Compare each; combining the results is boolean arithmetic, which is free."""
    return Real(max(compare(lambda v: v != 0, x).value for x in xs), xs[0].tape)


def all_not_zero(xs: Row) -> Real:
    """Compare each; combining the results is boolean arithmetic, which is free."""
    return Real(min(compare(lambda v: v != 0, x).value for x in xs), xs[0].tape)


def squared_deviations(xs: Row) -> Row:
    centre = mean(xs)
    deviations = [x - centre for x in xs]
    return [d * d for d in deviations]


def variance(xs: Row) -> Real:
    return mean(squared_deviations(xs))


def unbiased_variance(xs: Row) -> Real:
    return summation(squared_deviations(xs)) / (len(xs) - 1)


def standard_deviation(xs: Row) -> Real:
    return sqrt(variance(xs))


def norm2(xs: Row) -> Real:
    return sqrt(summation([x * x for x in xs]))


def norm1(xs: Row) -> Real:
    return summation([absolute(x) for x in xs])


def norm_of_largest(xs: Row) -> Real:
    return largest([absolute(x) for x in xs])


def log_sum_exp(xs: Row) -> Real:
    m = largest(xs)
    return m + log(summation([exp(x - m) for x in xs]))


def mean_squared_error(x: np.ndarray, y: np.ndarray) -> Real:
    return mean([d * d for d in (x - y).flat])


# --- to as many ---


def softmax(xs: Row) -> Row:
    m = largest(xs)
    weights = [exp(x - m) for x in xs]
    total = summation(weights)
    return [w / total for w in weights]


def log_softmax(xs: Row) -> Row:
    m = largest(xs)
    shifted = [x - m for x in xs]
    log_total = log(summation([exp(s) for s in shifted]))
    return [s - log_total for s in shifted]


def accumulate(step: Callable[[Any, Any], Any]) -> Callable[[Sequence[Any]], list[Any]]:
    """Make a function that returns `x_1` and then combines each result with the next number."""

    def row(xs: Sequence[Any]) -> list[Any]:
        out = [xs[0]]
        for x in xs[1:]:
            out.append(step(out[-1], x))
        return out

    return row


# --- of complex numbers ---


def complex_running_total(zs: Sequence[Complex]) -> Complex:
    total: Complex = accumulate(complex_add)(zs)[-1]
    return total


def complex_mean(zs: Sequence[Complex]) -> Complex:
    total = complex_running_total(zs)
    return Complex(total.re / len(zs), total.im / len(zs))


def complex_product(zs: Sequence[Complex]) -> Complex:
    total: Complex = accumulate(complex_mul)(zs)[-1]
    return total


def complex_norm(zs: Sequence[Complex]) -> Real:
    return norm2([part for z in zs for part in (z.re, z.im)])


# --- of rows in order ---


def halvings(n: int, place: int) -> int:
    """Count the comparisons until one of `n + 1` places is left."""
    low, high, comparisons = 0, n, 0
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle < place else (low, middle)
        comparisons += 1
    return comparisons


def renormalise(xs: Row) -> Row:
    """Scale to a norm of at most 1; torch's epsilon on the norm is lost to rounding here."""
    length = norm2(xs)
    compare(lambda v: v > 1, length)
    factor = 1.0 / length
    return [x * factor for x in xs]


def at_quantile(xs: Row, q: float) -> Real:
    """Interpolate between the neighbours of place `q (n - 1)` of the sorted numbers."""
    in_order = sorted(xs, key=lambda x: x.value)
    place = q * (len(xs) - 1)
    low = in_order[int(place)]
    high = in_order[min(int(place) + 1, len(xs) - 1)]
    return low + (high - low) * (place - int(place))
