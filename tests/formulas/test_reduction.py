"""Reductions, softmaxes, running totals and sorting, against loops over rows."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inspect_cost.formulas import reduction as formula
from inspect_cost.values.cost import OpCost
from tests.formulas.naive import reduction as naive
from tests.formulas.naive.pointwise import complex_add, complex_mul
from tests.formulas.proof import (
    EXACT,
    SIZE,
    count_cost,
    draw_normal,
    make_array,
    prove,
    run_reference,
)
from tests.formulas.scalars import Real, compare, maximum, minimum, special, value

Cost = Callable[[int, int], OpCost]

TO_ONE: dict[str, tuple[Callable[[Tensor, int], Tensor], Any, Cost]] = {
    "sum": (torch.sum, naive.summation, formula.summation),
    "nansum": (torch.nansum, naive.summation, formula.summation),
    "mean": (torch.mean, naive.mean, formula.mean),
    "prod": (torch.prod, naive.product, formula.product),
    "max": (lambda x, d: torch.max(x, d).values, naive.largest, formula.extremum),
    "min": (lambda x, d: torch.min(x, d).values, naive.smallest, formula.extremum),
    "amax": (torch.amax, naive.largest, formula.extremum),
    "amin": (torch.amin, naive.smallest, formula.extremum),
    "argmax": (torch.argmax, naive.position_of_largest, formula.extremum),
    "argmin": (
        torch.argmin,
        lambda xs: naive.position_of_largest([Real(-x.value, x.tape) for x in xs]),
        formula.extremum,
    ),
    "std_mean": (
        lambda x, d: torch.std_mean(x, d, correction=0)[0],
        naive.standard_deviation,
        formula.standard_deviation,
    ),
    "variance": (
        lambda x, d: torch.var(x, d, correction=0),
        naive.variance,
        formula.variance,
    ),
    "var_mean": (
        lambda x, d: torch.var_mean(x, d, correction=0)[0],
        naive.variance,
        formula.variance,
    ),
    "standard deviation": (
        lambda x, d: torch.std(x, d, correction=0),
        naive.standard_deviation,
        formula.standard_deviation,
    ),
    "norm 2": (
        lambda x, d: torch.linalg.vector_norm(x, 2, d),
        naive.norm2,
        formula.norm2,
    ),
    "norm 1": (lambda x, d: torch.linalg.vector_norm(x, 1, d), naive.norm1, formula.norm1),
    "older norm": (lambda x, d: torch.ops.aten.norm(x, 2, [d]), naive.norm2, formula.norm2),
    "logsumexp": (torch.logsumexp, naive.log_sum_exp, formula.log_sum_exp),
}

TO_AS_MANY: dict[str, tuple[Callable[[Tensor, int], Tensor], Any, Cost]] = {
    "softmax": (torch.softmax, naive.softmax, formula.softmax),
    "softmax below autograd": (
        lambda x, d: torch.ops.aten._softmax(x, d, half_to_float=False),  # noqa: SLF001
        naive.softmax,
        formula.softmax,
    ),
    "safe softmax": (torch.ops.aten._safe_softmax, naive.softmax, formula.softmax),  # noqa: SLF001
    "log_softmax": (F.log_softmax, naive.log_softmax, formula.log_softmax),
    "log_softmax below autograd": (
        lambda x, d: torch.ops.aten._log_softmax(x, d, half_to_float=False),  # noqa: SLF001
        naive.log_softmax,
        formula.log_softmax,
    ),
    "cummin": (lambda x, d: torch.cummin(x, d).values, naive.accumulate(minimum), formula.extremum),
    "cumsum": (torch.cumsum, naive.accumulate(lambda a, b: a + b), formula.summation),
    "cumprod": (torch.cumprod, naive.accumulate(lambda a, b: a * b), formula.product),
    "cummax": (lambda x, d: torch.cummax(x, d).values, naive.accumulate(maximum), formula.extremum),
}


@pytest.mark.parametrize("name", TO_ONE)
@EXACT
@given(shape=st.tuples(SIZE, SIZE, SIZE), dim=st.integers(-3, 2))
def test_a_row_to_one_number(name: str, shape: tuple[int, ...], dim: int) -> None:
    call, reference, cost = TO_ONE[name]
    (x,) = draw_normal(shape)
    n = shape[dim]
    prove(
        lambda x: call(x, dim),
        naive.over(dim, reference),
        x,
        formula=cost(x.numel() // n, n),
    )


@pytest.mark.parametrize("name", TO_AS_MANY)
@EXACT
@given(shape=st.tuples(SIZE, SIZE, SIZE), dim=st.integers(-3, 2))
def test_a_row_to_a_row(name: str, shape: tuple[int, ...], dim: int) -> None:
    call, reference, cost = TO_AS_MANY[name]
    (x,) = draw_normal(shape)
    n = shape[dim]
    prove(
        lambda x: call(x, dim),
        naive.along(dim, reference),
        x,
        formula=cost(x.numel() // n, n),
    )


OVER_SEVERAL: dict[str, tuple[Any, Any, Cost]] = {
    "sum": (torch.sum, naive.summation, formula.summation),
    "mean": (torch.mean, naive.mean, formula.mean),
    "amax": (torch.amax, naive.largest, formula.extremum),
    "unbiased variance": (torch.var, naive.unbiased_variance, formula.variance),
    "logsumexp": (torch.logsumexp, naive.log_sum_exp, formula.log_sum_exp),
}


@pytest.mark.parametrize("name", OVER_SEVERAL)
@EXACT
@given(m=SIZE, rows=SIZE, n=st.integers(2, 4))
def test_several_dimensions_at_once(name: str, m: int, rows: int, n: int) -> None:
    call, reference, cost = OVER_SEVERAL[name]
    (x,) = draw_normal((m, rows, n))
    prove(lambda x: call(x, (0, 2)), naive.over((0, 2), reference), x, formula=cost(rows, m * n))


WHOLE: dict[str, tuple[Any, Any, Cost]] = {
    "sum": (torch.sum, naive.summation, formula.summation),
    "mean": (torch.mean, naive.mean, formula.mean),
    "prod": (torch.prod, naive.product, formula.product),
    "max": (torch.max, naive.largest, formula.extremum),
    "min": (torch.min, naive.smallest, formula.extremum),
    "argmax": (torch.argmax, naive.position_of_largest, formula.extremum),
    "unbiased variance": (torch.var, naive.unbiased_variance, formula.variance),
    "flagged variance": (lambda x: torch.var(x, False), naive.variance, formula.variance),
    "norm": (torch.linalg.vector_norm, naive.norm2, formula.norm2),
}


@pytest.mark.parametrize("name", WHOLE)
@EXACT
@given(m=SIZE, n=st.integers(2, 4))
def test_all_elements(name: str, m: int, n: int) -> None:
    call, reference, cost = WHOLE[name]
    (x,) = draw_normal((m, n))
    prove(call, naive.over((0, 1), reference), x, formula=cost(1, m * n))


@EXACT
@given(n=SIZE)
def test_trace_adds_the_diagonal(n: int) -> None:
    (x,) = draw_normal((n, n))
    prove(torch.trace, lambda x: naive.summation(list(x.diagonal())), x)


@EXACT
@given(rows=SIZE, n=SIZE)
def test_largest_magnitude(rows: int, n: int) -> None:
    (x,) = draw_normal((rows, n))
    prove(
        lambda x: torch.linalg.vector_norm(x, float("inf"), 1),
        naive.over(1, naive.norm_of_largest),
        x,
    )


@EXACT
@given(rows=SIZE, n=SIZE)
def test_finding_both_extremes_is_two_searches(rows: int, n: int) -> None:
    def both(x: np.ndarray) -> np.ndarray:
        return np.stack([naive.over(1, f)(x) for f in (naive.smallest, naive.largest)])

    (x,) = draw_normal((rows, n))
    prove(lambda x: torch.stack(torch.aminmax(x, dim=1)), both, x)


@pytest.mark.parametrize(
    ("call", "reference"),
    [
        (torch.count_nonzero, naive.how_many_not_zero),
        (torch.any, naive.any_not_zero),
        (torch.all, naive.all_not_zero),
    ],
    ids=["count_nonzero", "any", "all"],
)
@EXACT
@given(rows=SIZE, n=SIZE)
def test_every_number_is_compared_with_zero(
    call: Callable[..., Tensor], reference: Any, rows: int, n: int
) -> None:
    (x,) = draw_normal((rows, n))
    prove(lambda x: call(x, 1), naive.over(1, reference), x)


@EXACT
@given(m=SIZE, n=SIZE)
def test_mean_squared_error(m: int, n: int) -> None:
    prove(F.mse_loss, naive.mean_squared_error, *draw_normal((m, n), (m, n)))


@EXACT
@given(rows=SIZE, n=st.integers(1, 9), k=st.integers(1, 9))
def test_top_k_follows_its_convention_of_k_passes(rows: int, n: int, k: int) -> None:
    (x,) = draw_normal((rows, n))
    k = min(k, n)
    call = lambda x: torch.topk(x, k).values  # noqa: E731
    expected = formula.top_k(rows, n, k)
    assert expected == count_cost(call, x)
    assert expected == OpCost(compare=rows * k * n)


@EXACT
@given(rows=SIZE, n=st.integers(1, 9))
def test_sorting_follows_its_convention(rows: int, n: int) -> None:
    (x,) = draw_normal((rows, n))
    halvings = 0
    while 2**halvings < n:
        halvings += 1
    expected = formula.sort(rows, n)
    assert expected == OpCost(compare=rows * n * halvings)
    assert expected == count_cost(lambda x: torch.sort(x).values, x)
    assert expected == count_cost(lambda x: torch.sort(x, stable=True).values, x)
    assert expected == count_cost(torch.argsort, x)


@pytest.mark.parametrize("call", [torch.sum, torch.max, torch.argmax, torch.any])
def test_reductions_of_integers_are_free(call: Callable[..., Tensor]) -> None:
    assert count_cost(call, torch.arange(6)) == OpCost()


COMPLEX: dict[str, tuple[Any, Any, Cost]] = {
    "sum": (torch.sum, naive.complex_running_total, formula.complex_summation),
    "mean": (torch.mean, naive.complex_mean, formula.complex_mean),
    "prod": (torch.prod, naive.complex_product, formula.complex_product),
    "norm": (
        lambda z, d: torch.linalg.vector_norm(z, 2, d),
        naive.complex_norm,
        formula.complex_norm2,
    ),
}


@pytest.mark.parametrize("name", COMPLEX)
@EXACT
@given(rows=SIZE, n=SIZE)
def test_reductions_of_complex_numbers(name: str, rows: int, n: int) -> None:
    call, reference, cost = COMPLEX[name]
    (z,) = draw_normal((rows, n), dtype=torch.complex128)
    prove(lambda z: call(z, 1), naive.over(1, reference), z, formula=cost(rows, n))


@pytest.mark.parametrize(
    ("call", "step"), [(torch.cumsum, complex_add), (torch.cumprod, complex_mul)]
)
def test_running_totals_of_complex_numbers(call: Any, step: Any) -> None:
    (z,) = draw_normal((2, 4), dtype=torch.complex128)
    prove(lambda z: call(z, 1), naive.along(1, naive.accumulate(step)), z)


def test_running_log_sum_exp_is_one_evaluation_a_step() -> None:
    (x,) = draw_normal((3, 5))

    def step(a: Real, b: Real) -> Real:
        return special(lambda v, w: math.log(math.exp(v) + math.exp(w)), a, b)

    prove(lambda x: torch.logcumsumexp(x, 1), naive.along(1, naive.accumulate(step)), x)


@EXACT
@given(queries=SIZE, n=st.integers(1, 9))
def test_binary_search_follows_its_convention(queries: int, n: int) -> None:
    """By convention every search takes as many comparisons as the longest."""
    places, x = torch.arange(n, dtype=torch.float64), draw_normal((queries,))[0]
    expected = formula.binary_search(queries, n)
    assert expected == OpCost(compare=queries * max(naive.halvings(n, q) for q in range(n + 1)))
    assert expected == count_cost(torch.searchsorted, places, x)
    assert expected == count_cost(torch.bucketize, x, places)
    assert count_cost(torch.bucketize, x.long(), places.long()) == OpCost()


@EXACT
@given(rows=SIZE, n=SIZE)
def test_renormalising_rows(rows: int, n: int) -> None:
    """Rows below the largest norm are scaled by 1, which counts like any other."""
    (x,) = draw_normal((rows, n))
    x = x + 2 * x.sign()
    prove(
        lambda x: torch.renorm(x, 2, 0, 1.0),
        naive.along(1, naive.renormalise),
        x,
        formula=formula.renormalisation(rows, n),
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda x: torch.median(x, 1).values,
        lambda x: torch.nanmedian(x, 1).values,
        lambda x: torch.mode(x, 1).values,
        lambda x: torch.kthvalue(x, 2, 1).values,
    ],
    ids=["median", "nanmedian", "mode", "kthvalue"],
)
def test_selection_is_by_sorting(call: Any) -> None:
    (x,) = draw_normal((3, 6))
    assert count_cost(call, x) == formula.sort(3, 6)
    assert count_cost(torch.median, x) == count_cost(torch.unique, x) == formula.sort(1, 18)


@EXACT
@given(rows=SIZE, n=st.integers(1, 9), quantiles=SIZE)
def test_quantiles_are_between_neighbours_of_sorted_rows(rows: int, n: int, quantiles: int) -> None:
    """Sorting follows its convention; the weighted means are counted one by one."""
    x, q = draw_normal((rows, n))[0], torch.linspace(0.1, 0.9, quantiles, dtype=torch.float64)

    def reference(x: np.ndarray, places: np.ndarray) -> np.ndarray:
        found = [naive.at_quantile(row, value(p)) for p in places for row in x]
        return make_array((len(places), len(x)), found)

    def call(x: Tensor, q: Tensor) -> Tensor:
        return torch.quantile(x, q, 1)

    between = run_reference(reference, x, q, expected=call(x, q))
    expected = formula.quantile(rows, n, quantiles, interpolated=True)
    assert expected == count_cost(call, x, q) == formula.sort(rows, n) + between
    assert count_cost(lambda x: torch.quantile(x, 0.3), x) == count_cost(
        lambda x: torch.nanquantile(x, torch.tensor(0.3).double()), x
    )
    nearest = count_cost(lambda x, q: torch.quantile(x, q, 1, interpolation="nearest"), x, q)
    assert nearest == formula.sort(rows, n)


def test_neighbours_are_compared_once() -> None:
    def changes(xs: Any) -> list[Real]:
        differ = [compare(lambda a, b: a != b, a, b).value for a, b in pairwise(xs)]
        return [xs[0], *(x for x, new in zip(xs[1:], differ, strict=True) if new)]

    x = torch.tensor([1.0, 1.0, 2.0, 2.0, 1.0])
    prove(torch.unique_consecutive, lambda xs: np.array(changes(list(xs)), dtype=object), x)
    rows = torch.ones(4, 3)
    assert count_cost(lambda x: torch.unique_consecutive(x, dim=0), rows) == OpCost(compare=9)
    assert count_cost(torch.unique_consecutive, x.long()) == OpCost()
