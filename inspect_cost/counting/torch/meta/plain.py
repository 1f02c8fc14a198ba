"""Tests for plain cases, and tensors without values."""

from collections.abc import Sequence

import torch
from torch import Tensor

from inspect_cost.counting.torch.contents import is_sparse

#: Types that all kernels take; others, of eight bits or none of torch's sums, take few.
FLOATING = frozenset({torch.float32, torch.float64, torch.float16, torch.bfloat16})

Result = Tensor | tuple[Tensor, ...] | None


def is_plain(tensors: Sequence[Tensor]) -> bool:
    """Return whether all tensors are contiguous, dense, on meta, and of one floating type."""
    return are_of_one_kind(tensors) and all(x.is_contiguous() for x in tensors)


def are_of_one_kind(tensors: Sequence[Tensor]) -> bool:
    """Return whether all tensors are dense, on meta, and of one floating type."""
    if not tensors:
        return False
    dtype = tensors[0].dtype
    return dtype in FLOATING and all(
        x.dtype == dtype and x.is_meta and not is_sparse(x) for x in tensors
    )


def has_dimension(x: Tensor, dim: int) -> bool:
    """Return whether a tensor has a dimension; numbers pass for vectors of one."""
    rank = x.dim() or 1
    return -rank <= dim < rank


def is_channels_last(x: Tensor) -> bool:
    """Return whether channels are innermost in memory, a layout that some operators preserve."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    if x.is_contiguous() or x.dim() not in formats:
        return False
    return x.is_contiguous(memory_format=formats[x.dim()])


def empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """Make a contiguous tensor without values."""
    return torch.empty(shape, dtype=like.dtype, device="meta")


def compact(x: Tensor) -> Tensor:
    """Make a dense tensor of the same shape and order of dimensions in memory."""
    strides, reach = [0] * x.dim(), 1
    for d in sorted(range(x.dim()), key=lambda d: (x.stride(d), x.shape[d])):
        strides[d], reach = reach, reach * max(1, x.shape[d])
    return torch.empty_strided(x.shape, strides, dtype=x.dtype, device="meta")


def broadcast(a: Sequence[int], b: Sequence[int]) -> torch.Size | None:
    """Return the common shape of two right-aligned shapes; None if they do not fit."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    padded = (1,) * (len(longer) - len(shorter)) + tuple(shorter)
    pairs = list(zip(longer, padded, strict=True))
    fits = all(m == n or 1 in {m, n} for m, n in pairs)
    return torch.Size(n if m == 1 else m for m, n in pairs) if fits else None
