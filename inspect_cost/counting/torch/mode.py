"""The dispatch mode that intercepts every operator, runs it, and enters its cost."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator, OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from inspect_cost.counting.torch.aten import Operators, Rule
from inspect_cost.counting.torch.choices import Choices
from inspect_cost.counting.torch.contents import PLAIN_TENSORS
from inspect_cost.counting.torch.dataflow import DataFlow
from inspect_cost.counting.torch.distributed import refuse_collective
from inspect_cost.counting.torch.guard import Guard
from inspect_cost.counting.torch.higher_order import CountingContext, run_higher_order
from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.counting.torch.placement import Placement
from inspect_cost.counting.torch.unpacking import Unpacking


class CountingMode(TorchDispatchMode):
    """A mode that counts while it is active, on the thread that entered it.

    In inference it is used below autograd, which takes composite operators (`linear`, `lstm`,
    `scaled_dot_product_attention`) apart: so they arrive whole. One that has a rule is counted
    whole; one that has none is decomposed, and its parts arrive in turn.

    Args:
        ledger: where costs are entered.
        rules: rules by operator name.
        home: the device of the values that are known.
        flow: the follower of the data, which records every call.
        guard: of the tensors of the caller's model, if there is one; it checks every call.
        stored: the model's parameters and buffers.
        choices: what is chosen by unknown numbers; None leaves it unknown.

    Attributes:
        met_jagged: whether an operator was given a jagged tensor.
    """

    supports_higher_order_operators = True

    def __init__(
        self,
        ledger: Ledger,
        rules: Mapping[str, Rule],
        home: torch.device,
        flow: DataFlow,
        guard: Guard | None = None,
        stored: Iterable[Tensor] = (),
        choices: Choices | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types here
        self._ledger = ledger
        self._placement = Placement(home)
        self._operators = Operators(rules)
        self._flow = flow
        self._choices = choices
        self._guard = guard or Guard(None)
        self._unpacking = Unpacking(stored)
        self.met_jagged = False
        self._context = CountingContext(self, ledger, rules, flow)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler, which takes seconds, just to disable it here."""
        return False

    def __torch_dispatch__(
        self,
        func: OpOverload | HigherOrderOperator,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """Run and count one operator."""
        if not all(kind in PLAIN_TENSORS for kind in types):
            self.met_jagged |= any(kind.__name__ == "NestedTensor" for kind in types)
            return NotImplemented  # a tensor subclass unwraps itself; its inner operators follow
        arguments = dict(kwargs or {})
        if isinstance(func, HigherOrderOperator):
            return run_higher_order(func, args, arguments, self._context)
        self._guard.check(func, args, arguments)
        operator = self._operators[func]
        refuse_collective(operator.name)
        if operator.rule is None:
            with self:
                parts = func.decompose(*args, **arguments)
            if parts is not NotImplemented:
                return parts
        choices = self._choices
        if choices is not None and not choices.cover(self._ledger.place, operator, args):
            choices = None
        try:
            out = self._placement.run(operator, args, arguments, choices)
        except Exception:
            self._flow.record_failure(args)
            raise
        given = arguments
        if "out" in arguments:  # rules take an operator's arguments without its ``out=``
            arguments = {name: value for name, value in given.items() if name != "out"}
        cost = operator.rule(out, *args, **arguments) if operator.rule else None
        moved = self._unpacking.count_bytes_moved(operator, args, arguments, out)
        key = self._ledger.enter(operator.name, cost, moved)
        self._flow.record(key, cost, operator, args, given, out)
        return out
