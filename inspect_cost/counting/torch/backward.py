"""The backward half of a training step, attributed to the modules of the forward half."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.utils._pytree import tree_leaves

from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.values.errors import UsageError


class BackwardPass:
    """Computes gradients; each operator is entered for the module that made its node.

    Args:
        ledger: where it is entered.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._attributed: set[Node] = set()

    def attribute(self, out: Any, path: str) -> None:
        """A module's method has returned: nodes of the graph that are new are the module's.

        Inner modules return first, so that each node belongs to the innermost.
        """
        nodes = [tensor.grad_fn for tensor in find_differentiable(out)]
        while nodes:
            node = nodes.pop()
            if node is None or node in self._attributed:
                continue
            self._attributed.add(node)
            node.register_prehook(self._make_prehook(path))
            nodes.extend(before for before, _ in node.next_functions)

    def _make_prehook(self, path: str) -> Callable[..., None]:
        return partial(self._move, path)

    def _move(self, path: str, _gradients: tuple[Tensor, ...]) -> None:
        self._ledger.move_to(path)

    def run(self, out: Any) -> None:
        """Compute the gradients of all outputs; those of the outputs themselves are given.

        Raises:
            UsageError: no output has a gradient.
        """
        outputs = find_differentiable(out)
        if not outputs:
            raise UsageError(
                "no output depends on a parameter that requires a gradient",
                "Count it without backward, or let its parameters require gradients.",
            )
        torch.autograd.backward(outputs, [torch.ones_like(output) for output in outputs])
        self._ledger.move_to("")


def find_differentiable(out: Any) -> list[Tensor]:
    """Tensors, nested in anything, through which gradients flow."""
    return [t for t in tree_leaves(out) if isinstance(t, Tensor) and t.requires_grad]
