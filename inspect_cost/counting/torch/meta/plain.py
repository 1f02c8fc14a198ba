"""When a case is plain, and results without values."""

from collections.abc import Sequence

import torch
from torch import Tensor

from inspect_cost.counting.torch.contents import is_sparse

Result = Tensor | tuple[Tensor, ...] | None


def is_plain(tensors: Sequence[Tensor]) -> bool:
    """Whether all are contiguous, on meta, and of one floating type."""
    return are_of_one_kind(tensors) and all(x.is_contiguous() for x in tensors)


def are_of_one_kind(tensors: Sequence[Tensor]) -> bool:
    """Whether all are on meta, and of one floating type."""
    if not tensors:
        return False
    dtype = tensors[0].dtype
    return dtype.is_floating_point and all(
        x.dtype == dtype and x.is_meta and not is_sparse(x) for x in tensors
    )


def is_channels_last(x: Tensor) -> bool:
    """Whether channels lie innermost in memory: such a layout is kept by some operators."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    if x.is_contiguous() or x.dim() not in formats:
        return False
    return x.is_contiguous(memory_format=formats[x.dim()])


def empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """A contiguous tensor without values."""
    return torch.empty(shape, dtype=like.dtype, device="meta")


def compact(x: Tensor) -> Tensor:
    """A tensor of the same shape and order of dimensions, its elements side by side."""
    strides, reach = [0] * x.dim(), 1
    for d in sorted(range(x.dim()), key=lambda d: (x.stride(d), x.shape[d])):
        strides[d], reach = reach, reach * max(1, x.shape[d])
    return torch.empty_strided(x.shape, strides, dtype=x.dtype, device="meta")


def broadcast(a: Sequence[int], b: Sequence[int]) -> torch.Size | None:
    """The common shape of two, right-aligned, or None where there is none."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    padded = (1,) * (len(longer) - len(shorter)) + tuple(shorter)
    pairs = list(zip(longer, padded, strict=True))
    fits = all(m == n or 1 in {m, n} for m, n in pairs)
    return torch.Size(n if m == 1 else m for m, n in pairs) if fits else None
