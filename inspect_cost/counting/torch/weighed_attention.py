"""Multi-head attention that returns its weights, without the scores that a known mask removes.

Torch spells it out: a product that is added to the mask, a softmax, a product with the values.
Each is counted by its own name, and so are its gradients.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from inspect_cost.counting.torch.aten.attention import Masking, count_kept_scores, is_added
from inspect_cost.counting.torch.contents import PLAIN_TENSORS
from inspect_cost.counting.torch.placement import drop_values
from inspect_cost.formulas import backward
from inspect_cost.formulas.contraction import dot_products
from inspect_cost.formulas.pointwise import ADD
from inspect_cost.formulas.reduction import ragged_softmax
from inspect_cost.values.cost import FREE, OpCost

#: Enters a call by name, with its cost, its operands and its result.
Enter = Callable[[str, OpCost, Any, Any], None]


class Weighing:
    """One call's operators in place of torch's.

    Args:
        enter: where their costs are entered.
    """

    def __init__(self, enter: Enter) -> None:
        self._enter = enter
        self._kept: tuple[int, int] | None = None  # scores, and queries that keep any

    def __getattr__(self, name: str) -> Any:
        """Return what else `torch` has."""
        return getattr(torch, name)

    def baddbmm(self, mask: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
        """Multiply (B, L, E) by (B, E, S), and add the mask."""
        heads, L, E = queries.shape
        if mask.is_meta or mask.requires_grad or not self._can_follow(queries, keys):
            return torch.baddbmm(mask, queries, keys)
        self._kept = count_kept_scores(Masking(mask, causal=False), heads, L, keys.shape[-1])
        products = dot_products(self._kept[0], E)
        added = ADD * self._kept[0] if is_added(mask) else FREE
        forward = _Call("aten.baddbmm", products + added)
        back = (_Call("aten.bmm", products),) * 2
        return self._run(partial(_multiply_and_add, mask), forward, back, queries, keys)

    def softmax(self, scores: Tensor, dim: int) -> Tensor:
        """Normalise the scores of each query."""
        if self._kept is None:
            return F.softmax(scores, dim=dim)
        kept, rows = self._kept
        forward = _Call("aten.softmax", ragged_softmax(rows, kept))
        back = (_Call("aten._softmax_backward_data", backward.ragged_softmax(rows, kept)),)
        return self._run(lambda x: x.softmax(dim), forward, back, scores)

    def bmm(self, weights: Tensor, values: Tensor) -> Tensor:
        """Multiply (B, L, S) by (B, S, Ev)."""
        if self._kept is None or not self._can_follow(weights, values):
            return torch.bmm(weights, values)
        products = _Call("aten.bmm", dot_products(self._kept[0], values.shape[-1]))
        return self._run(torch.bmm, products, (products,) * 2, weights, values)

    def _can_follow(self, *operands: Tensor) -> bool:
        """Return whether operands are plain, and gradients flow through none with values."""
        if not all(type(x) in PLAIN_TENSORS for x in operands):
            return False
        unknown = {x.is_meta for x in operands}
        return unknown == {True} or (unknown == {False} and not torch.is_grad_enabled())

    def _run(
        self,
        compute: Callable[..., Tensor],
        forward: "_Call",
        back: tuple["_Call", ...],
        *operands: Tensor,
    ) -> Tensor:
        step = _Step(compute, self._enter, forward, back)
        result: Tensor = _Counted.apply(step, *operands)  # type: ignore[no-untyped-call]
        return result


def _multiply_and_add(mask: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """Multiply and add the mask, outside of the modes that would give a mask on meta values."""
    return torch.baddbmm(drop_values(mask) if queries.is_meta else mask, queries, keys)


class _Call(NamedTuple):
    name: str
    cost: OpCost


class _Step(NamedTuple):
    """One operator: how it is computed, and what it and the gradient of each operand cost."""

    compute: Callable[..., Tensor]
    enter: Enter
    forward: _Call
    back: tuple[_Call, ...]


class _Counted(torch.autograd.Function):
    """An operator whose cost is known, and the gradients of its operands."""

    @staticmethod
    def forward(ctx: Any, step: _Step, *operands: Tensor) -> Tensor:
        ctx.step, ctx.operands = step, operands
        with _disable_current_modes():
            out = step.compute(*operands)
        step.enter(*step.forward, operands, out)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        needed = ctx.needs_input_grad[1:]
        gradients = [
            torch.empty_like(x) if wanted else None
            for x, wanted in zip(ctx.operands, needed, strict=True)
        ]
        for call, made in zip(ctx.step.back, gradients, strict=True):
            if made is not None:
                ctx.step.enter(*call, (gradient, *ctx.operands), made)
        return None, *gradients


def attend_with_weights(enter: Enter) -> dict[str, Any]:
    """Return the names that torch's function is to find, for one call."""
    weighing = Weighing(enter)
    return {"torch": weighing, "softmax": weighing.softmax}
