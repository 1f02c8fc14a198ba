"""Rules of indexed writes that add, multiply or compare the elements that meet at one index.

Which elements meet depends on the indices' values. By convention each element of the source takes
one operation, as it does if it meets what is there already.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.aten.pointwise import each
from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import contraction as formula
from inspect_cost.formulas.pointwise import ADD, COMPARE, COMPLEX_ADD, COMPLEX_MUL, DIV, MUL
from inspect_cost.values.cost import FREE, OpCost

_ADD = each(ADD, complex_=COMPLEX_ADD)
_STEPS: dict[str, Rule] = {
    "sum": _ADD,
    "add": _ADD,
    "mean": _ADD,
    "prod": each(MUL, complex_=COMPLEX_MUL),
    "multiply": each(MUL, complex_=COMPLEX_MUL),
    "amax": each(COMPARE),
    "amin": each(COMPARE),
}


def index_add(
    out: Tensor, x: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1
) -> OpCost | None:
    """Count slices of the source, scaled by alpha unless that is 1, added to those of x."""
    return each(ADD + MUL * (abs(alpha) != 1), complex_=COMPLEX_ADD)(source)


def scatter_add(out: Tensor, x: Tensor, dim: int, index: Tensor, source: Tensor) -> OpCost | None:
    """Count one addition for each index."""
    return _STEPS["sum"](index, source)


def scatter_reduce(
    out: Tensor,
    x: Tensor,
    dim: int,
    index: Tensor,
    source: Any,
    reduce: str,
    include_self: bool = True,
) -> OpCost | None:
    """Count one operation for each index; a mean also divides every result."""
    steps = _STEPS[reduce](index, x)
    return steps if steps is None or reduce != "mean" else steps + _divisions(out)


def index_reduce(
    out: Tensor,
    x: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> OpCost | None:
    """Count one operation for each element of the source; a mean also divides every result."""
    steps = _STEPS[reduce](source)
    return steps if steps is None or reduce != "mean" else steps + _divisions(out)


def _divisions(out: Tensor) -> OpCost:
    return DIV * out.numel() if out.is_floating_point() else FREE


def scatter(
    out: Tensor, x: Tensor, dim: int, index: Tensor, source: Any, *, reduce: str | None = None
) -> OpCost | None:
    """Count nothing, unless it reduces."""
    return FREE if reduce is None else scatter_reduce(out, x, dim, index, source, reduce=reduce)


def index_put(
    out: Tensor,
    x: Tensor,
    indices: Sequence[Tensor | None],
    values: Tensor,
    accumulate: bool = False,
    unsafe: bool = False,
) -> OpCost | None:
    """Count nothing, unless it accumulates; with masks, there is one addition for each value."""
    if not accumulate or not (x.is_floating_point() or x.is_complex()):
        return FREE
    known = [i for i in indices if i is not None]
    if any(i.dtype in {torch.bool, torch.uint8} for i in known):
        return _ADD(values)
    untouched = [n for d, n in enumerate(x.shape) if d >= len(indices) or indices[d] is None]
    places: int = prod(torch.broadcast_shapes(*(i.shape for i in known)))
    return (COMPLEX_ADD if x.is_complex() else ADD) * (places * prod(untouched))


def put(
    out: Tensor, x: Tensor, index: Tensor, source: Tensor, accumulate: bool = False
) -> OpCost | None:
    """Count nothing, unless it accumulates."""
    return _ADD(source) if accumulate else FREE


def bincount(
    out: Tensor, x: Tensor, weights: Tensor | None = None, minlength: int = 0
) -> OpCost | None:
    """Count the additions of weights; counting itself is integer arithmetic, which is free."""
    return FREE if weights is None else _ADD(weights)


def masked_index_put(
    out: Tensor, x: Tensor, mask: Tensor, indices: Sequence[Tensor | None], values: Tensor
) -> OpCost | None:
    """Count an accumulation, dense: what the mask removes counts too."""
    return index_put(out, x, indices, values, accumulate=True)


def embedding_bag(
    out: tuple[Tensor, ...],
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    *_rest: Any,
) -> OpCost:
    """Count looked-up rows that are summed (mode 0), averaged (1) or compared (2) within each bag.

    A sum is a contraction with the bag's counts, or with its samples' weights.
    """
    bags = out[0].numel()
    features = weight.shape[-1]
    if mode == _MAX_OF_BAG:
        return OpCost(compare=max(0, indices.numel() * features - bags))
    sums = formula.dot_products(features, indices.numel())
    return sums + DIV * bags if mode == 1 else sums


_MAX_OF_BAG = 2

ACCUMULATIONS: dict[str, Rule] = {
    "aten.index_add": index_add,
    "aten.scatter_add": scatter_add,
    "aten.scatter_reduce": scatter_reduce,
    "aten.scatter": scatter,
    "aten.index_reduce": index_reduce,
    "aten.index_put": index_put,
    "aten._index_put_impl": index_put,
    "aten._unsafe_index_put": index_put,
    "aten._unsafe_masked_index_put_accumulate": masked_index_put,
    "aten.put": put,
    "aten.bincount": bincount,
    "aten._embedding_bag": embedding_bag,
    "aten._embedding_bag_forward_only": embedding_bag,
}
