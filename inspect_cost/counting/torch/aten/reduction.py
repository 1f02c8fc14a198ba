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
    """Count a variance of all elements or over dims; in the oldest form, dim is a flag."""
    n = x.numel() if isinstance(dim, bool) else group_size(x, dim)
    return cost_groups(formula.variance, x, n)


def standard_deviation(
    out: Any, x: Tensor, dim: Dims | bool = None, *_rest: Any, **_kwargs: Any
) -> OpCost | None:
    """Count the square root of `variance`."""
    n = x.numel() if isinstance(dim, bool) else group_size(x, dim)
    return cost_groups(formula.standard_deviation, x, n)


def norm(
    out: Any, x: Tensor, order: Any = 2, dim: Dims = None, *_rest: Any, **_kwargs: Any
) -> OpCost | None:
    """Count vector norms of any order; for complex numbers, of order 2 only."""
    known = 2 if order is None else order
    if not isinstance(known, int | float):
        return None
    of_complex = formula.complex_norm2 if known == EUCLIDEAN else None
    return cost_groups(lambda rows, n: any_norm(rows, n, known), x, group_size(x, dim), of_complex)


EUCLIDEAN = 2


def softmax(out: Tensor, x: Tensor, dim: int, *_rest: Any) -> OpCost | None:
    """Count over one dimension."""
    return cost_groups(formula.softmax, out, group_size(x, dim))


def log_softmax(out: Tensor, x: Tensor, dim: int, *_rest: Any) -> OpCost | None:
    """Count over one dimension."""
    return cost_groups(formula.log_softmax, out, group_size(x, dim))


def cumulative(step: OpCost, complex_step: OpCost | None = None) -> Rule:
    """Make the rule of a running total: `n - 1` steps a row."""

    def steps(cost: OpCost) -> Callable[[int, int], OpCost]:
        return lambda rows, n: cost * (rows * (n - 1))

    def rule(out: Any, x: Tensor, dim: int, **_kwargs: Any) -> OpCost | None:
        of_complex = steps(complex_step) if complex_step else None
        return cost_groups(steps(step), x, group_size(x, dim), of_complex)

    return rule


def top_k(out: Any, x: Tensor, k: int, dim: int = -1, *_rest: Any) -> OpCost | None:
    """Count `k n` comparisons a row, by convention."""
    return cost_groups(lambda rows, n: formula.top_k(rows, n, k), x, group_size(x, dim))


def sort(out: Any, x: Tensor, dim: int = -1, *_rest: Any, **_kwargs: Any) -> OpCost | None:
    """Count `n ceil(log2 n)` comparisons a row, by convention."""
    return cost_groups(formula.sort, x, group_size(x, dim))


def stable_sort(
    out: Any, x: Tensor, *, stable: bool | None, dim: int = -1, descending: bool = False
) -> OpCost | None:
    """Count as `sort`."""
    return sort(out, x, dim)


def _comparison_with_zero(rows: int, n: int) -> OpCost:
    """Count one comparison for each element; combining the results is not floating-point."""
    return COMPARE * (rows * n)


def both_extremes(
    out: Any, x: Tensor, *, dim: int | None = None, keepdim: bool = False
) -> OpCost | None:
    """Count two searches."""
    return cost_groups(lambda rows, n: formula.extremum(2 * rows, n), x, group_size(x, dim))


def trace(out: Tensor, x: Tensor) -> OpCost | None:
    """Count the sum of the diagonal."""
    n = min(x.shape)
    return formula.summation(1, n) * (2 if x.is_complex() else x.is_floating_point())


def selection(out: Any, x: Tensor, *position: Any, **_options: Any) -> OpCost | None:
    """Count a median over one dimension, or of all elements, as sorting."""
    return sort(out, x, _dimension(position))


def kth_value(out: Any, x: Tensor, k: int, dim: int = -1, *_keep: Any) -> OpCost | None:
    """Count as sorting."""
    return sort(out, x, dim)


def _dimension(position: tuple[Any, ...]) -> Any:
    return position[0] if position else None


def mode(out: Any, x: Tensor, dim: int = -1, *_keep: Any) -> OpCost | None:
    """Count as sorting, which includes finding equal neighbours."""
    return sort(out, x, dim)


def unique(out: Any, x: Tensor, *_options: Any, **_more: Any) -> OpCost | None:
    """Count as sorting all elements."""
    return cost_groups(formula.sort, x, x.numel())


def unique_neighbours(
    out: Any, x: Tensor, inverse: bool = False, counts: bool = False, dim: int | None = None
) -> OpCost | None:
    """Count a comparison of each element with the one before."""
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
    """Count as sorting, and a weighted mean of two neighbours if the interpolation needs it."""
    quantiles = q.numel() if isinstance(q, Tensor) else 1
    between = interpolation in {"linear", "midpoint"}
    return cost_groups(
        lambda rows, n: formula.quantile(rows, n, quantiles, interpolated=between),
        x,
        group_size(x, dim),
    )


def binary_search(out: Tensor, first: Any, second: Any, **_options: Any) -> OpCost:
    """Count `searchsorted`, whose sorted numbers are its first argument."""
    return _search(out, first)


def bucketize(out: Tensor, x: Any, boundaries: Tensor, **_options: Any) -> OpCost:
    """Count `bucketize`, whose sorted numbers are its second argument."""
    return _search(out, boundaries)


def _search(out: Tensor, places: Tensor) -> OpCost:
    if not places.is_floating_point():
        return FREE
    return formula.binary_search(out.numel(), places.shape[-1])


def renorm(out: Tensor, x: Tensor, p: float, dim: int, maxnorm: float) -> OpCost | None:
    """Count the renormalisation of every slice by its 2-norm; other orders are unknown."""
    rows = x.shape[dim]
    return formula.renormalisation(rows, x.numel() // max(1, rows)) if p == EUCLIDEAN else None


def embedding_renorm(
    out: Tensor, x: Tensor, indices: Tensor, max_norm: float, norm_type: float
) -> OpCost | None:
    """Count the renormalisation of the rows that are looked up."""
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
