"""Flex attention: an operator that is given a function of its scores and a mask of blocks.

Torch's function refuses tensors without values, and gradients on a CPU; a count needs
neither values nor a GPU.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator

from inspect_cost.counting.torch.aten.attention import attention_sizes
from inspect_cost.counting.torch.block_masks import Kept, count_kept_scores, is_named
from inspect_cost.counting.torch.surroundings import Shared
from inspect_cost.formulas import attention as formula
from inspect_cost.formulas import backward
from inspect_cost.values.cost import OpCost

FLEX = "torch.nn.attention.flex_attention"

# --- the operator and its gradient ---


class Attention(NamedTuple):
    """One call of the operator.

    Attributes:
        sizes: heads, queries, keys, and the sizes of a query and a value.
        masked: whether there is a mask.
        kept: what it keeps, if that is known and the rest is left out.
    """

    sizes: tuple[int, int, int, int, int]
    masked: bool
    kept: Kept | None

    @property
    def cost(self) -> OpCost:
        """The cost of the call, without what its function does to scores."""
        if self.kept is None:
            return formula.scaled_dot_product_attention(*self.sizes, masked=self.masked)
        return formula.masked_attention(*self.kept, *self.sizes[-2:])

    @property
    def cost_of_gradients(self) -> OpCost:
        """The cost of its gradients, without those of what its function does to scores."""
        if self.kept is None:
            return backward.attention(*self.sizes)
        return backward.masked_attention(*self.kept, *self.sizes[-2:])


class Masks:
    """What masks keep, each evaluated once in a count.

    Args:
        triangular: whether the scores that a known mask removes are left out.
    """

    def __init__(self, *, triangular: bool) -> None:
        self._triangular = triangular
        self._known: dict[tuple[int, ...], tuple[Any, Kept | None]] = {}

    def describe(
        self, out: Tensor, query: Tensor, key: Tensor, block_mask: tuple[Any, ...]
    ) -> Attention:
        """Describe a call from its result (B, H, L, Ev), queries, keys and mask."""
        sizes = attention_sizes(out, query, key)
        masked = not is_named(block_mask[-1], "noop_mask")
        return Attention(sizes, masked, self._count(block_mask, *sizes[:3]))

    def _count(self, block_mask: tuple[Any, ...], *sizes: int) -> Kept | None:
        if not self._triangular:
            return None
        identity = (*map(id, block_mask[2:6]), id(block_mask[-1]), *sizes)
        if identity not in self._known:
            # The mask is kept as well, so that its parts' identities are not used again.
            self._known[identity] = (block_mask, count_kept_scores(block_mask, *sizes))
        return self._known[identity][1]


def changes_scores(change: Any) -> bool:
    """Return whether the function of the scores is more than the identity."""
    return not is_named(change, "_identity")


def make_results(query: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Make the result (B, H, L, Ev), and log-sums and maxima (B, H, L), without values."""
    rows = query.shape[:-1]
    out = torch.empty((*rows, value.shape[-1]), dtype=query.dtype, device="meta")
    return out, torch.empty(rows, device="meta"), torch.empty(rows, device="meta")


def make_scores(query: Tensor, attention: Attention) -> list[Tensor]:
    """Make scores of (B, H) heads without values, and their four indices.

    Of the scores that a mask keeps, each head has as many as all have on average, in one row.
    """
    heads, L, S, *_ = attention.sizes
    if attention.kept is not None:
        L, S = 1, -(-attention.kept.scores // max(1, heads))
    shape = (*query.shape[:2], L, S)
    indices = [
        torch.arange(n).reshape([-1 if d == a else 1 for d in range(4)])
        for a, n in enumerate(shape)
    ]
    if attention.kept is not None:
        indices[2:] = [torch.empty((1, 1, 1, S), dtype=torch.int64, device="meta")] * 2
    return [torch.empty(shape, dtype=query.dtype, device="meta"), *indices]


# --- without values, and with gradients ---


class Surroundings(NamedTuple):
    """What calls of flex attention need to know of the count that they are part of.

    Attributes:
        home: the device of the values that are known.
        masks: what masks keep.
        mark_as_used: takes results that an operator reads out of sight.
    """

    home: torch.device
    masks: Masks
    mark_as_used: Callable[[Any], None]


_SURROUNDINGS: ContextVar[Surroundings | None] = ContextVar("surroundings", default=None)


class _Placed:
    """A tensor without values that says it is on a device, until it comes to the operator."""

    def __init__(self, tensor: Tensor, device: torch.device) -> None:
        self._tensor = tensor
        self.device = device

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tensor, name)

    @classmethod
    def __torch_function__(
        cls, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = [x._tensor if isinstance(x, cls) else x for x in args]
        return _attend(func, *given, **(kwargs or {}))


def _attend(func: HigherOrderOperator, *args: Any) -> Any:
    """Call the operator; where gradients flow, by a function of our own.

    Torch's traces the function of the scores, by operators that are not the model's.
    """
    query, key, value, change, block_mask, *options = args
    surroundings = _SURROUNDINGS.get()
    if surroundings is None or not torch.is_grad_enabled():
        return func(*args)
    changed = None
    if changes_scores(change):
        attention = surroundings.masks.describe(
            make_results(query, value)[0], query, key, block_mask
        )
        scores, *indices = make_scores(query, attention)
        of_operands: Any = _Scores.apply(scores, query, key)  # type: ignore[no-untyped-call]
        changed = change(of_operands, *indices)
        surroundings.mark_as_used(changed)
    operands = (changed, query, key, value, block_mask)
    return _Attention.apply(func, *operands, *options)  # type: ignore[no-untyped-call]


class _Scores(torch.autograd.Function):
    """Scores, through which gradients flow to what the operator makes them of."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, query: Tensor, key: Tensor) -> Tensor:
        del ctx, query, key
        return scores

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        del ctx, gradient
        return None, None, None


class _Attention(torch.autograd.Function):
    """The operator and its gradient, apart from the function of the scores."""

    @staticmethod
    def forward(
        ctx: Any,
        func: HigherOrderOperator,
        changed: Tensor | None,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        block_mask: tuple[Any, ...],
        *options: Any,
    ) -> Any:
        ctx.set_materialize_grads(False)
        with torch._C._AutoDispatchBelowAutograd():
            out, sums, maxima = func(query, key, value, _identity, block_mask, *options)
        ctx.mark_non_differentiable(maxima)
        ctx.save_for_backward(query, key, value, out, sums, changed)
        ctx.options = (block_mask, *options)
        return out, sums, maxima

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        from torch._higher_order_ops import flex_attention_backward  # noqa: PLC0415 - slow

        attend_backward: Any = flex_attention_backward
        *saved, changed = ctx.saved_tensors
        of_result, of_sums, _ = gradients
        with torch._C._AutoDispatchBelowAutograd():
            of_operands = attend_backward(
                *saved, of_result, of_sums, _identity, _identity, *ctx.options
            )[:3]
        of_scores = None if changed is None else torch.empty_like(changed)
        return None, of_scores, *of_operands, *(None for _ in ctx.options)


def _identity(score: Tensor, *_indices: Tensor) -> Tensor:
    return score


@contextmanager
def _accept_meta() -> Iterator[None]:
    """Let torch's function take tensors without values, in the counts that run meanwhile."""
    module: Any = sys.modules.get(FLEX)
    if module is None:
        yield
        return
    validate, arrange = module._validate_device, module._enforce_mem_layouts

    def validate_device(*operands: Tensor) -> None:
        if _find_home(*operands) is None:
            validate(*operands)

    def enforce_mem_layouts(*operands: Tensor) -> Any:
        home = _find_home(*operands)
        return arrange(*operands) if home is None else [_Placed(x, home) for x in operands]

    module._validate_device, module._enforce_mem_layouts = validate_device, enforce_mem_layouts
    try:
        yield
    finally:
        module._validate_device, module._enforce_mem_layouts = validate, arrange


def _find_home(*operands: Tensor) -> torch.device | None:
    """Find where operands without values would be, if a count runs on this thread."""
    surroundings = _SURROUNDINGS.get()
    unknown = any(operand.is_meta for operand in operands)
    return surroundings.home if surroundings is not None and unknown else None


_ACCEPTING = Shared(_accept_meta)


@contextmanager
def attend_flexibly(surroundings: Surroundings) -> Iterator[None]:
    """Make flex attention work without values, and with gradients on any device."""
    token = _SURROUNDINGS.set(surroundings)
    try:
        with _ACCEPTING:
            yield
    finally:
        _SURROUNDINGS.reset(token)
