"""Rules of reductions, softmaxes, running sums and sorting."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Dims, Rule, cost_groups, group_size, reduction
from inspect_cost.formulas import reduction as formula
from inspect_cost.formulas.distance import norm as any_norm
from inspect_cost.formulas.pointwise import ADD, COMPARE, COMPLEX_ADD, COMPLEX_MUL, MUL, SPECIAL
from inspect_cost.values.cost import FREE, OpCost


def variance(
    out: Any, x: Tensor, dim: Dims | bool = None, *_rest: Any, **_kwargs: Any
) -> OpCost | None:
    """Of all elements, or over dims; the second argument of the oldest form is a flag."""
    n = x.numel() if isinstance(dim, bool) else group_size(x, dim)
    return cost_groups(formula.variance, x, n)


def standard_deviation(
    out: Any, x: Tensor, dim: Dims | bool = None, *_rest: Any, **_kwargs: Any
) -> OpCost | None:
    """The root of `variance`."""
    n = x.numel() if isinstance(dim, bool) else group_size(x, dim)
    return cost_groups(formula.standard_deviation, x, n)


def norm(
    out: Any, x: Tensor, order: Any = 2, dim: Dims = None, *_rest: Any, **_kwargs: Any
) -> OpCost | None:
    """Vector norms of any order; of complex numbers, of order 2."""
    known = 2 if order is None else order
    if not isinstance(known, int | float):
        return None
    of_complex = formula.complex_norm2 if known == EUCLIDEAN else None
    return cost_groups(lambda rows, n: any_norm(rows, n, known), x, group_size(x, dim), of_complex)


EUCLIDEAN = 2


def softmax(out: Tensor, x: Tensor, dim: int, *_rest: Any) -> OpCost | None:
    """Over one dimension."""
    return cost_groups(formula.softmax, out, group_size(x, dim))


def log_softmax(out: Tensor, x: Tensor, dim: int, *_rest: Any) -> OpCost | None:
    """Over one dimension."""
    return cost_groups(formula.log_softmax, out, group_size(x, dim))


def cumulative(step: OpCost, complex_step: OpCost | None = None) -> Rule:
    """Rule of a running total: n - 1 steps a row."""

    def steps(cost: OpCost) -> Callable[[int, int], OpCost]:
        return lambda rows, n: cost * (rows * (n - 1))

    def rule(out: Any, x: Tensor, dim: int, **_kwargs: Any) -> OpCost | None:
        of_complex = steps(complex_step) if complex_step else None
        return cost_groups(steps(step), x, group_size(x, dim), of_complex)

    return rule


def top_k(out: Any, x: Tensor, k: int, dim: int = -1, *_rest: Any) -> OpCost | None:
    """By convention k n comparisons a row."""
    return cost_groups(lambda rows, n: formula.top_k(rows, n, k), x, group_size(x, dim))


def sort(out: Any, x: Tensor, dim: int = -1, *_rest: Any, **_kwargs: Any) -> OpCost | None:
    """By convention n ceil(log2 n) comparisons a row."""
    return cost_groups(formula.sort, x, group_size(x, dim))


def stable_sort(
    out: Any, x: Tensor, *, stable: bool | None, dim: int = -1, descending: bool = False
) -> OpCost | None:
    """As `sort`."""
    return sort(out, x, dim)


def _comparison_with_zero(rows: int, n: int) -> OpCost:
    """Joining what the comparisons give is boolean, or integer, and free."""
    return COMPARE * (rows * n)


def both_extremes(
    out: Any, x: Tensor, *, dim: int | None = None, keepdim: bool = False
) -> OpCost | None:
    """Two searches."""
    return cost_groups(lambda rows, n: formula.extremum(2 * rows, n), x, group_size(x, dim))


def trace(out: Tensor, x: Tensor) -> OpCost | None:
    """The sum of the diagonal."""
    n = min(x.shape)
    return formula.summation(1, n) * (2 if x.is_complex() else x.is_floating_point())


def selection(out: Any, x: Tensor, *position: Any, **_options: Any) -> OpCost | None:
    """Median, mode and the like over one dimension, or of all: by sorting."""
    return sort(out, x, _dimension(position))


def kth_value(out: Any, x: Tensor, k: int, dim: int = -1, *_keep: Any) -> OpCost | None:
    """By sorting."""
    return sort(out, x, dim)


def _dimension(position: tuple[Any, ...]) -> Any:
    return position[0] if position else None


def mode(out: Any, x: Tensor, dim: int = -1, *_keep: Any) -> OpCost | None:
    """By sorting; telling what is next to its equal is part of it."""
    return sort(out, x, dim)


def unique(out: Any, x: Tensor, *_options: Any, **_more: Any) -> OpCost | None:
    """Of all elements, by sorting."""
    return cost_groups(formula.sort, x, x.numel())


def unique_neighbours(
    out: Any, x: Tensor, inverse: bool = False, counts: bool = False, dim: int | None = None
) -> OpCost | None:
    """Each is compared with the one before."""
    return cost_groups(formula.extremum, x, group_size(x, dim))


def quantile(
    out: Tensor,
    x: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> OpCost | None:
    """By sorting; between two neighbours where the interpolation says so."""
    quantiles = q.numel() if isinstance(q, Tensor) else 1
    between = interpolation in {"linear", "midpoint"}
    return cost_groups(
        lambda rows, n: formula.quantile(rows, n, quantiles, interpolated=between),
        x,
        group_size(x, dim),
    )


def binary_search(out: Tensor, first: Any, second: Any, **_options: Any) -> OpCost:
    """Of the second in the first for `searchsorted`, which has its sorted numbers first."""
    return _search(out, first)


def bucketize(out: Tensor, x: Any, boundaries: Tensor, **_options: Any) -> OpCost:
    """Of the first in the second."""
    return _search(out, boundaries)


def _search(out: Tensor, places: Tensor) -> OpCost:
    if not places.is_floating_point():
        return FREE
    return formula.binary_search(out.numel(), places.shape[-1])


def renorm(out: Tensor, x: Tensor, p: float, dim: int, maxnorm: float) -> OpCost | None:
    """Every slice, by its norm of order 2; other orders are unknown."""
    rows = x.shape[dim]
    return formula.renormalisation(rows, x.numel() // rows) if p == EUCLIDEAN else None


def embedding_renorm(
    out: Tensor, x: Tensor, indices: Tensor, max_norm: float, norm_type: float
) -> OpCost | None:
    """The rows that are looked up."""
    known = norm_type == EUCLIDEAN
    return formula.renormalisation(indices.numel(), x.shape[-1]) if known else None


_SUM = reduction(formula.summation, formula.complex_summation)
_EXTREMUM = reduction(formula.extremum)
_TRUTH = reduction(_comparison_with_zero)

REDUCTIONS: dict[str, Rule] = {
    "aten.sum": _SUM,
    "aten.nansum": _SUM,
    "aten.trace": trace,
    "aten.mean": reduction(formula.mean, formula.complex_mean),
    "aten.prod": reduction(formula.product, formula.complex_product),
    "aten.max": _EXTREMUM,
    "aten.min": _EXTREMUM,
    "aten.amax": _EXTREMUM,
    "aten.amin": _EXTREMUM,
    "aten.aminmax": both_extremes,
    "aten.argmax": _EXTREMUM,
    "aten.argmin": _EXTREMUM,
    "aten.any": _TRUTH,
    "aten.all": _TRUTH,
    "aten.count_nonzero": _TRUTH,
    "aten.logsumexp": reduction(formula.log_sum_exp),
    "aten.var": variance,
    "aten.std": standard_deviation,
    "aten.var_mean": variance,
    "aten.std_mean": standard_deviation,
    "aten.norm": norm,
    "aten.linalg_vector_norm": norm,
    "aten.softmax": softmax,
    "aten._softmax": softmax,
    "aten._safe_softmax": softmax,
    "aten.log_softmax": log_softmax,
    "aten._log_softmax": log_softmax,
    "aten.cumsum": cumulative(ADD, COMPLEX_ADD),
    "aten.cumprod": cumulative(MUL, COMPLEX_MUL),
    "aten.cummax": cumulative(COMPARE),
    "aten.cummin": cumulative(COMPARE),
    "aten.topk": top_k,
    "aten.sort": sort,
    "aten.sort.stable": stable_sort,
    "aten.argsort": sort,
    "aten.argsort.stable": stable_sort,
    "aten.logcumsumexp": cumulative(SPECIAL),
    "aten._logcumsumexp": cumulative(SPECIAL),
    "aten.median": selection,
    "aten.nanmedian": selection,
    "aten.kthvalue": kth_value,
    "aten.mode": mode,
    "aten._unique": unique,
    "aten._unique2": unique,
    "aten.unique_dim": unique,
    "aten.unique_consecutive": unique_neighbours,
    "aten.quantile": quantile,
    "aten.nanquantile": quantile,
    "aten.searchsorted": binary_search,
    "aten.bucketize": bucketize,
    "aten.renorm": renorm,
    "aten.embedding_renorm": embedding_renorm,
}
