"""The backward half of a training step."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from inspect_cost.counting.torch.memories import list_contents
from inspect_cost.values.errors import UsageError


def run_backward(out: Any) -> None:
    """Compute all gradients, starting from ones as the gradients of the outputs.

    Raises:
        UsageError: no output depends on a parameter that requires a gradient, or the model itself
            turned gradients off.
    """
    outputs = find_differentiable(out)
    if not outputs and any(tensor.is_inference() for tensor in walk_results(out)):
        raise UsageError(
            "the model computes under torch.inference_mode(), which keeps no gradients",
            "Count it with backward=False, or take the mode out of its forward.",
        )
    if not outputs:
        raise UsageError(
            "no output depends on a parameter that requires a gradient",
            "Count it with backward=False, or let its parameters require gradients.",
        )
    torch.autograd.backward(outputs, [torch.ones_like(output) for output in outputs])


def find_differentiable(out: Any) -> list[Tensor]:
    """List the tensors within ``out``, however nested, through which gradients flow."""
    return [tensor for tensor in walk_results(out) if tensor.requires_grad]


def walk_results(out: Any) -> Iterator[Tensor]:
    """Yield the tensors of a result: those of its containers, and of the objects in these.

    A module within a result is left out, since its parameters are no results.
    """
    objects = []
    for leaf in tree_leaves(out):
        if isinstance(leaf, Tensor):
            yield leaf
        else:
            objects.append(leaf)
    yield from _walk_objects(objects)


def _walk_objects(objects: Iterable[Any]) -> Iterator[Tensor]:
    """Yield each tensor that objects hold once, in the order of their attributes."""
    seen: dict[int, Any] = {}  # keeps what it has seen alive, since identities are used again
    stack = list(objects)[::-1]
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, Tensor):
            yield value
        elif not isinstance(value, nn.Module):
            stack.extend(list_contents(value)[::-1])
