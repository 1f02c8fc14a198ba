"""Comparing what backends compute."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from inspect_cost.calls.call import Call


def compute_outputs(call: Call, threads: int | None = None) -> list[Tensor]:
    """Return what one call yields, as tensors on the CPU; torch's random states are restored."""
    with call.inference(threads):
        torch.manual_seed(0)
        leaves = tree_leaves(call.run())
    return [torch.as_tensor(leaf).detach().cpu() for leaf in leaves if not _is_plain(leaf)]


def max_relative_difference(reference: list[Tensor], other: list[Tensor]) -> float | None:
    """Return the largest difference of any element, relative to the largest of its tensor.

    None if the outputs do not have the same shapes.
    """
    if [t.shape for t in reference] != [t.shape for t in other]:
        return None
    worst = 0.0
    for expected, given in zip(reference, other, strict=True):
        if expected.numel():
            scale = expected.double().abs().max().item() or 1.0
            worst = max(worst, (expected.double() - given.double()).abs().max().item() / scale)
    return worst


def _is_plain(leaf: Any) -> bool:
    return leaf is None or isinstance(leaf, str)
