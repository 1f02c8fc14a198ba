"""The type of a rule, and how rules read the dimensions that operators reduce over."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.contents import is_sparse
from inspect_cost.values.cost import OpCost

#: From an operator's result and arguments to its cost; None where the rule does not know.
Rule = Callable[..., OpCost | None]

Dims = int | Sequence[int] | None


def group_size(x: Tensor, dims: Dims) -> int:
    """How many elements each result of a reduction over ``dims`` is made of; all dims if None."""
    if dims is None or dims == []:
        return x.numel()
    axes = [dims] if isinstance(dims, int) else dims
    return prod(x.shape[d] for d in axes) if x.dim() else 1


def reduction(
    formula: Callable[[int, int], OpCost], complex_: Callable[[int, int], OpCost] | None = None
) -> Rule:
    """Rule of a reduction ``formula(rows, n)`` whose operator's second argument is the dims."""

    def rule(out: Any, x: Tensor, dim: Dims = None, *_rest: Any, **_kwargs: Any) -> OpCost | None:
        return cost_groups(formula, x, group_size(x, dim), complex_)

    return rule


def cost_groups(
    formula: Callable[[int, int], OpCost],
    x: Tensor,
    n: int,
    complex_: Callable[[int, int], OpCost] | None = None,
) -> OpCost | None:
    """``formula(rows, n)`` over all of x: free for integers; of complex numbers, where known."""
    if is_sparse(x):
        return None
    if x.is_complex():
        return complex_(x.numel() // n, n) if complex_ and n else None
    if not x.is_floating_point() or not x.numel():
        return OpCost()
    return formula(x.numel() // n, n)
