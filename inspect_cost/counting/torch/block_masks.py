"""Block masks of flex attention: which scores they keep.

A block mask lists, for each block of queries, the blocks of keys that are read whole, and those of
which a function of indices says what is kept. Where both are known, so are the scores that are
left, one by one: that is how the kernel masks them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

#: Elements of a mask that are evaluated at once.
LARGEST_EVALUATION = 2**22


class Kept(NamedTuple):
    """How many scores a mask keeps of all heads, and how many queries keep any."""

    scores: int
    rows: int


class Blocks(NamedTuple):
    """A block mask of (B, H) or (1, 1) heads, as far as it says which scores are kept.

    Attributes:
        partial: listed blocks of which the function decides, as columns (b, h, row, column).
        full: listed blocks that are kept whole, likewise.
        size: queries and keys of a block.
        heads: the mask's batch and heads, of which each may be 1 for all.
        keeps: from indices b, h, i and j of one score to whether it is kept.
    """

    partial: Tensor
    full: Tensor
    size: tuple[int, int]
    heads: tuple[int, int]
    keeps: Callable[..., Any]

    @classmethod
    def read(cls, block_mask: tuple[Any, ...]) -> Self | None:
        """Read a mask as the operator is given it; None if it has no values."""
        partial, full, (*size, keeps) = block_mask[2:4], block_mask[4:6], block_mask[-3:]
        if any(x is not None and x.is_meta for x in (*partial, *full)):
            return None
        listed, whole = _list_blocks(*partial), _list_blocks(*full)
        if is_named(keeps, "noop_mask"):
            listed, whole = whole[:0], torch.cat([listed, whole])
        heads = partial[0].shape[:2]
        return cls(listed, whole, (size[0], size[1]), (heads[0], heads[1]), keeps)


def _list_blocks(numbers: Tensor | None, indices: Tensor | None) -> Tensor:
    """List the first so many entries of each row of (B, H, rows, columns)."""
    if numbers is None or indices is None:
        return torch.empty((0, 4), dtype=torch.int64)
    places = torch.arange(indices.shape[-1], device=indices.device)
    b, h, row, place = (places < numbers.unsqueeze(-1)).nonzero(as_tuple=True)
    return torch.stack([b, h, row, indices[b, h, row, place].long()], 1)


def count_kept_scores(block_mask: tuple[Any, ...], heads: int, L: int, S: int) -> Kept | None:
    """Count what a mask keeps of (heads, L, S) scores; None if that is not known."""
    blocks = Blocks.read(block_mask)
    if blocks is None:
        return None
    seen = torch.zeros((*blocks.heads, L), dtype=torch.bool, device=blocks.full.device)
    try:
        scores = _count_full(blocks, seen, S) + _count_partial(blocks, seen, S)
    except Exception:  # noqa: BLE001 - a mask of tensors without values raises anything
        return None
    copies = heads // max(1, seen.shape[0] * seen.shape[1])
    return Kept(copies * scores, copies * int(seen.sum()))


def _count_full(blocks: Blocks, seen: Tensor, S: int) -> int:
    """Count the scores of full blocks, and mark their queries."""
    (height, width), L = blocks.size, seen.shape[-1]
    b, h, row, column = blocks.full.unbind(1)
    widths = (S - column * width).clamp(0, width)
    b, h, row, widths = (x[widths > 0] for x in (b, h, row, widths))
    rows = torch.zeros((*blocks.heads, -(-L // height)), dtype=torch.bool, device=seen.device)
    inside = row < rows.shape[-1]
    rows[b[inside], h[inside], row[inside]] = True
    seen |= rows[..., torch.arange(L, device=seen.device) // height]
    return int(((L - row * height).clamp(0, height) * widths).sum())


def _count_partial(blocks: Blocks, seen: Tensor, S: int) -> int:
    """Count the scores that the function keeps in partial blocks, and mark their queries."""
    (height, width), L = blocks.size, seen.shape[-1]
    within = torch.arange(min(height, L), device=seen.device)
    b, h, row, column = blocks.partial.repeat_interleave(len(within), 0).unbind(1)
    i = row * height + within.repeat(len(blocks.partial))
    inside = i < L
    lines = torch.stack([x[inside] for x in (b, h, i, column * width)], 1)
    across = torch.arange(min(width, S), device=seen.device)
    if not (len(lines) and len(across)):
        return 0
    scores = 0
    for some in lines.split(max(1, LARGEST_EVALUATION // len(across))):
        b, h, i, first = some.unbind(1)
        j = first[:, None] + across
        kept = _evaluate(blocks.keeps, b, h, i, j.clamp(max=S - 1)) & (j < S)
        scores += int(kept.sum())
        used = kept.any(-1)
        seen[b[used], h[used], i[used]] = True
    return scores


def _evaluate(keeps: Callable[..., Any], b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Apply the function of a mask to lines of scores, as torch does: to one score at a time."""
    from torch._dynamo._trace_wrapped_higher_order_op import (  # noqa: PLC0415 - slow to import
        TransformGetItemToIndex,
    )

    by_key = torch.vmap(keeps, in_dims=(None, None, None, 0))
    with TransformGetItemToIndex():
        kept: Tensor = torch.vmap(by_key)(b, h, i, j)
    return kept


def is_named(function: Any, name: str) -> bool:
    """Return whether a function has a name; torch's own are told apart by theirs."""
    return getattr(function, "__name__", "") == name
