"""What is wrong with a call: one line, or None."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.meta.recurrent import Expected

Fault = str | None


def expect(expected: Any) -> Fault:
    """Say which tensor has not the shape that it should have."""
    items: Sequence[Expected] = list(expected)
    for name, x, shape in items:
        if x is not None and tuple(x.shape) != tuple(shape):
            return f"{name} has shape {show(x)}, not {tuple(shape)}"
    return None


def show(x: Tensor) -> str:
    """Return a tensor's shape as Python writes a tuple."""
    return str(tuple(x.shape))
