"""What a call computes, and how far two backends' outputs are apart."""

from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from inspect_cost.calls.call import Call

#: Values that are not finite, by name.
PATTERNS = (("nan", torch.isnan), ("inf", torch.isposinf), ("-inf", torch.isneginf))


@dataclass(frozen=True)
class Difference:
    """How far outputs are apart.

    Attributes:
        relative: largest difference of elements that are finite in both, relative to the largest
            finite one of its tensor; None if the outputs do not have the same shapes.
        remark: in words, what a number cannot say: other shapes, other places of nan or inf; "" if
            nothing.
    """

    relative: float | None
    remark: str = ""


def compute_outputs(call: Call, threads: int | None = None) -> list[Tensor]:
    """Return what one call yields, as tensors on the CPU; torch's random states are restored."""
    with call.inference(threads):
        torch.manual_seed(0)
        leaves = tree_leaves(call.run())
    return [torch.as_tensor(leaf).detach().cpu() for leaf in leaves if not _is_plain(leaf)]


def compare_outputs(reference: list[Tensor], other: list[Tensor]) -> Difference:
    """Compare outputs where both are finite, and where they are not."""
    shapes, others = ([tuple(t.shape) for t in outputs] for outputs in (reference, other))
    if shapes != others:
        return Difference(None, f"its outputs have the shapes {others}, and not {shapes}")
    pairs = [(_widen(e), _widen(g)) for e, g in zip(reference, other, strict=True)]
    remarks = dict.fromkeys(remark for pair in pairs if (remark := _compare_patterns(*pair)))
    worst = max((_compare_finite(*pair) for pair in pairs), default=0.0)
    return Difference(worst, "; ".join(remarks))


def max_relative_difference(reference: list[Tensor], other: list[Tensor]) -> float | None:
    """Return the largest difference of any element, relative to the largest finite of its tensor.

    Infinite if nan or inf are in other places; None if the outputs do not have the same shapes.
    """
    found = compare_outputs(reference, other)
    return inf if found.relative is not None and found.remark else found.relative


def _widen(tensor: Tensor) -> Tensor:
    """Return a tensor in double precision; of complex numbers, both parts."""
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).double()


def _compare_patterns(expected: Tensor, given: Tensor) -> str:
    """Say how many elements are nan, inf or -inf in only one of two tensors."""
    counts = [
        (int((find(given) & ~find(expected)).sum()), int((find(expected) & ~find(given)).sum()))
        for _, find in PATTERNS
    ]
    differing = [
        f"{name} in {more:,} elements more and {fewer:,} fewer"
        for (name, _), (more, fewer) in zip(PATTERNS, counts, strict=True)
        if more or fewer
    ]
    return f"of {expected.numel():,} elements, {', '.join(differing)}" if differing else ""


def _compare_finite(expected: Tensor, given: Tensor) -> float:
    finite = expected.isfinite() & given.isfinite()
    if not finite.any():
        return 0.0
    scale = expected[expected.isfinite()].abs().max().item() or 1.0
    # Scaled before they are subtracted: the difference of large numbers may be infinite.
    return float((expected[finite] / scale - given[finite] / scale).abs().max())


def _is_plain(leaf: Any) -> bool:
    return leaf is None or isinstance(leaf, str)
