"""Meta kernels that join tensors, select from them or reduce them; and recurrent cells."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.meta.plain import (
    Result,
    are_of_one_kind,
    empty,
    is_channels_last,
    is_plain,
)


def concatenation(tensors: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    """Add up the lengths along one dimension; the others must agree."""
    first = tensors[0].shape
    if (
        not are_of_one_kind(tensors)
        or not first
        or any(len(x.shape) != len(first) for x in tensors)
    ):
        return None
    if any(is_channels_last(x) for x in tensors):
        return None
    axis = dim % len(first)
    around = {(x.shape[:axis], x.shape[axis + 1 :]) for x in tensors}
    if len(around) != 1:
        return None
    length = sum(x.shape[axis] for x in tensors)
    return empty((*first[:axis], length, *first[axis + 1 :]), tensors[0])


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    """Join tensors of one shape along a new dimension."""
    shape = list(tensors[0].shape)
    if not is_plain(list(tensors)) or any(list(x.shape) != shape for x in tensors):
        return None
    axis = dim % (len(shape) + 1)
    return empty((*shape[:axis], len(tensors), *shape[axis:]), tensors[0])


def embedding(table: Tensor, indices: Tensor, *_options: Any) -> Tensor | None:
    """Return a row of the table for each index."""
    whole = indices.dtype in {torch.int32, torch.int64}
    plain = whole and table.dim() == 2 and indices.is_contiguous() and is_plain([table])  # noqa: PLR2004
    return empty((*indices.shape, table.shape[1]), table) if plain else None


def vector_norm(
    x: Tensor,
    order: float = 2,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor | None:
    """Return one number for each entry of the remaining dimensions."""
    del order
    if dim is None or dtype is not None or not x.dim() or not is_plain([x]):
        return None
    gone = {d % x.dim() for d in dim}
    sizes = enumerate(x.shape)
    shape = [1 if d in gone else n for d, n in sizes if keepdim or d not in gone]
    return empty(shape, x)


def mean(
    x: Tensor, dim: Sequence[int] | None = None, keepdim: bool = False, **_options: Any
) -> Tensor | None:
    """Reduce as `vector_norm` does."""
    return None if _options else vector_norm(x, 2, dim or None, keepdim)


def next_state(x: Tensor, state: Tensor | Sequence[Tensor], *_weights: Any) -> Result:
    """Return a recurrent cell's new state, or the two new states of an LSTM."""
    if isinstance(state, Tensor):
        return empty(state.shape, state) if are_of_one_kind([x, state]) else None
    return tuple(empty(s.shape, s) for s in state) if are_of_one_kind([x, *state]) else None
