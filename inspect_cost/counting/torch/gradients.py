"""The ledger of code that computes gradients, which belong to the modules of the forward."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.autograd.graph import Node

from inspect_cost.counting.torch.ledger import Ledger, Observer
from inspect_cost.counting.torch.places import Places

#: What torch gives the nodes that add up a parameter's gradient instead of a number of their own.
NO_NUMBER = 2**64 - 1


class GradientLedger(Ledger):
    """A ledger that charges gradients to whichever module made their nodes of the graph.

    Torch numbers the nodes of a thread's graph in their order. So it is enough to remember at which
    number another module began to run: the graph itself is left alone.

    Args:
        places: the places of the modules.
        model: has the parameters, whose gradients are added up in their own modules.
        observer: is told of each entry.
    """

    def __init__(self, places: Places, model: nn.Module, observer: Observer | None = None) -> None:
        super().__init__(places, observer)
        self._owners: dict[int, str] = {
            id(parameter): path
            for path, module in model.named_modules()
            for parameter in module._parameters.values()
            if parameter is not None
        }
        # The node of the graph that was computing when each running module was called, if any: a
        # checkpoint runs modules again within the gradient of another operator.
        self._entered_in: list[Node | None] = [None]
        self._numbers = array("Q", [0])
        self._makers = [""]  # the place that made the nodes from the same entry of the numbers on

    @property
    def place(self) -> str:
        """The place of the running module, or of the one whose gradients are being computed."""
        node = torch._C._current_autograd_node()
        if node is None or node is self._entered_in[-1]:
            return super().place
        return self._find_maker(node)

    @contextmanager
    def inside(self, module: str) -> Iterator[str]:
        """Enter operators for ``module`` within this context, which yields the place of it."""
        self._entered_in.append(torch._C._current_autograd_node())
        try:
            with super().inside(module) as place:
                self._begin(place)
                yield place
        finally:
            self._entered_in.pop()
            self._begin(self._module_stack[-1])

    def _begin(self, place: str) -> None:
        """Let the nodes that are made from now on be those of a place."""
        number = torch._C._autograd._get_sequence_nr()
        if self._numbers[-1] == number:
            self._makers[-1] = place
        elif self._makers[-1] != place:
            self._numbers.append(number)
            self._makers.append(place)

    def _find_maker(self, node: Node) -> str:
        number = node._sequence_nr()
        if number == NO_NUMBER:
            return self._owners.get(id(getattr(node, "variable", None)), "")
        return self._makers[max(0, bisect_right(self._numbers, number) - 1)]
