"""The type of a rule, and helpers for operators that reduce over dimensions."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.contents import is_sparse
from inspect_cost.values.cost import OpCost

#: From an operator's result and arguments to its cost; None if the rule cannot tell.
Rule = Callable[..., OpCost | None]

Dims = int | Sequence[int] | None


def group_size(x: Tensor, dims: Dims) -> int:
    """Count the elements that each result of a reduction over ``dims`` has; None means all dims."""
    if dims is None or dims == []:
        return x.numel()
    axes = [dims] if isinstance(dims, int) else dims
    return prod(x.shape[d] for d in axes) if x.dim() else 1


def reduction(
    formula: Callable[[int, int], OpCost], complex_: Callable[[int, int], OpCost] | None = None
) -> Rule:
    """Make the rule `formula(rows, n)` of a reduction whose second argument is its dims."""

    def rule(out: Any, x: Tensor, dim: Dims = None, *_rest: Any, **_kwargs: Any) -> OpCost | None:
        return cost_groups(formula, x, group_size(x, dim), complex_)

    return rule


def cost_groups(
    formula: Callable[[int, int], OpCost],
    x: Tensor,
    n: int,
    complex_: Callable[[int, int], OpCost] | None = None,
) -> OpCost | None:
    """Apply `formula(rows, n)` to groups of n elements of x.

    Integers are free; complex numbers take ``complex_``, and are unknown without it.
    """
    if is_sparse(x):
        return None
    if x.is_complex():
        return complex_(x.numel() // n, n) if complex_ and n else None
    if not x.is_floating_point() or not x.numel():
        return OpCost()
    return formula(x.numel() // n, n)
