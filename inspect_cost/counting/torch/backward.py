"""The backward half of a training step, attributed to the modules of the forward half."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils._pytree import tree_leaves

from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.counting.torch.memories import list_contents
from inspect_cost.values.errors import UsageError


class BackwardPass:
    """The backward half: each of its operators is charged to the module that made its graph node.

    Args:
        ledger: where the operators are entered.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._attributed: set[Node] = set()
        self._tasks: set[int] = set()  # of autograd's engine: one for each call of it

    def attribute(self, out: Any, path: str) -> None:
        """Assign the graph nodes that are new since the last call to the module at ``path``.

        Called whenever a module's method returns. Inner modules return first, so each node goes
        to the innermost module.
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
        # Autograd runs a node's prehook just before the node's own operators.
        return partial(self._move, path)

    def _move(self, path: str, _gradients: tuple[Tensor, ...]) -> None:
        task = torch._C._current_graph_task_id()
        if task not in self._tasks:
            # A forward may go on after gradients of its own, where it was.
            self._tasks.add(task)
            back = partial(self._ledger.move_to, self._ledger.place)
            torch.autograd.Variable._execution_engine.queue_callback(back)
        self._ledger.move_to(path)

    def run(self, out: Any) -> None:
        """Compute all gradients, starting from ones as the gradients of the outputs.

        Raises:
            UsageError: no output depends on a parameter that requires a gradient.
        """
        outputs = find_differentiable(out)
        if not outputs:
            raise UsageError(
                "no output depends on a parameter that requires a gradient",
                "Count it with backward=False, or let its parameters require gradients.",
            )
        torch.autograd.backward(outputs, [torch.ones_like(output) for output in outputs])
        self._ledger.move_to("")


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
