"""Meta kernels that join tensors, select from them or reduce them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.meta.plain import (
    are_of_one_kind,
    empty,
    has_dimension,
    is_channels_last,
    is_plain,
)


def concatenation(tensors: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    """Add up the lengths along one dimension; the others must agree."""
    if not are_of_one_kind(tensors) or any(is_channels_last(x) for x in tensors):
        return None
    first = tensors[0].shape
    ranks = {x.dim() for x in tensors}
    if len(ranks) > 1 or not first or not has_dimension(tensors[0], dim):
        return None
    axis = dim % len(first)
    around = {(x.shape[:axis], x.shape[axis + 1 :]) for x in tensors}
    if len(around) != 1:
        return None
    length = sum(x.shape[axis] for x in tensors)
    return empty((*first[:axis], length, *first[axis + 1 :]), tensors[0])


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    """Join tensors of one shape along a new dimension."""
    if not is_plain(tensors) or any(x.shape != tensors[0].shape for x in tensors):
        return None
    shape = list(tensors[0].shape)
    if not -len(shape) - 1 <= dim <= len(shape):
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
    if dim is None or dtype is not None or not x.dim() or not x.numel() or not is_plain([x]):
        return None
    if not all(has_dimension(x, d) for d in dim):
        return None
    gone = {d % x.dim() for d in dim}
    if len(gone) < len(dim):
        return None
    sizes = enumerate(x.shape)
    shape = [1 if d in gone else n for d, n in sizes if keepdim or d not in gone]
    return empty(shape, x)


def mean(
    x: Tensor, dim: Sequence[int] | None = None, keepdim: bool = False, **_options: Any
) -> Tensor | None:
    """Reduce as `vector_norm` does."""
    return None if _options else vector_norm(x, 2, dim or None, keepdim)


def passed_check(x: Tensor) -> Tensor | None:
    """Return that a check of values holds, as those of `torch.distributions` do in a valid call."""
    if x.dtype is not torch.bool:
        return None
    return torch.ones((), dtype=x.dtype)
