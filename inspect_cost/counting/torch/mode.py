"""The dispatch mode that intercepts every operator, runs it, and enters its cost."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator, OpOverload
from torch.nn import Parameter

from inspect_cost.counting.torch.aten import Operator, Operators, Rule
from inspect_cost.counting.torch.choices import Choices
from inspect_cost.counting.torch.contents import PLAIN_TENSORS
from inspect_cost.counting.torch.dataflow import Follower
from inspect_cost.counting.torch.dispatch import DispatchMode
from inspect_cost.counting.torch.distributed import refuse_collective
from inspect_cost.counting.torch.flex_attention import Masks
from inspect_cost.counting.torch.guard import Guard
from inspect_cost.counting.torch.higher_order import CountingContext, run_higher_order
from inspect_cost.counting.torch.ledger import Details, Ledger
from inspect_cost.counting.torch.placement import Placement
from inspect_cost.counting.torch.recording import GradientsWantedError
from inspect_cost.counting.torch.traffic import iter_tensors
from inspect_cost.counting.torch.unpacking import Unpacking
from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import CountError


class CountingMode(DispatchMode):
    """A mode that counts while it is active, on the thread that entered it.

    In inference it is used below autograd, which takes composite operators (`linear`, `lstm`,
    `scaled_dot_product_attention`) apart: so they arrive whole. One that has a rule is counted
    whole; one that has none is decomposed, and its parts arrive in turn.

    Args:
        ledger: where costs are entered.
        rules: rules by operator name.
        home: the device of the values that are known.
        flow: what records every call.
        guard: of the tensors of the caller's model, if there is one; it checks every call.
        stored: the model's parameters and buffers.
        masks: what masks of flex attention keep; by default, all scores count.
        keeps_numbers: whether numbers that are made on the way have values.
        own: all that was copied for the count; None if parameters of others may be read.
        training: whether gradients follow, which would be left in parameters of others.
        recording: whether autograd records the call. If it does not, a forward that wants it to is
            interrupted.
        choices: what is chosen by unknown numbers; None leaves it unknown.

    Attributes:
        strangers: parameters that were read and that the model does not hold.
        met_jagged: whether an operator was given a jagged tensor.
        context: what runs operators whose arguments are functions, and enters calls by name.
        met_gradients: whether it was interrupted.
    """

    supports_higher_order_operators = True

    def __init__(
        self,
        ledger: Ledger,
        rules: Mapping[str, Rule],
        home: torch.device,
        flow: Follower,
        guard: Guard | None = None,
        stored: Iterable[Tensor] = (),
        masks: Masks | None = None,
        *,
        keeps_numbers: bool = True,
        own: Iterable[Any] | None = None,
        training: bool = False,
        recording: bool = False,
        choices: Choices | None = None,
    ) -> None:
        super().__init__()
        self._ledger = ledger
        self._placement = Placement(home, keeps_numbers=keeps_numbers)
        self._operators = Operators(rules)
        self._flow = flow
        self._choices = choices
        self._guard = guard or Guard(None)
        self._unpacking = Unpacking(stored)
        self._own = None if own is None else set(map(id, own))
        self._training, self._recording = training, recording
        self.strangers: dict[int, Tensor] = {}
        self.met_jagged = self.met_gradients = False
        self.context = CountingContext(self, ledger, rules, flow, masks or Masks(triangular=False))

    def __torch_dispatch__(
        self,
        func: OpOverload | HigherOrderOperator,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """Run and count one operator."""
        if not self._follows(types):
            return NotImplemented  # a tensor subclass unwraps itself; its inner operators follow
        if not self._recording and torch.is_grad_enabled():
            self.met_gradients = True
            raise GradientsWantedError
        arguments = dict(kwargs or {})
        if isinstance(func, HigherOrderOperator):
            return run_higher_order(func, args, arguments, self.context)
        operator = self._operators[func]
        self._check(operator, args, arguments)
        if operator.rule is None:
            with self:
                parts = func.decompose(*args, **arguments)
            if parts is not NotImplemented:
                return parts
        out = self._run(operator, args, arguments)
        given = arguments
        if "out" in arguments:  # rules take an operator's arguments without its ``out=``
            arguments = {name: value for name, value in given.items() if name != "out"}
        cost = self._find_cost(operator.rule, out, args, arguments) if operator.rule else None
        moved = self._unpacking.count_bytes_moved(operator, args, arguments, out)
        call = Details(operator, args, arguments, out)
        key = self._ledger.enter(operator.name, cost, moved, call)
        self._flow.record(key, cost, operator, args, given, out)
        return out

    def _follows(self, types: tuple[type, ...]) -> bool:
        """Return whether operators on these kinds of tensors are counted as they are."""
        plain = all(map(_keeps_to_torch, types))
        if not plain:
            self.met_jagged |= any(kind.__name__ == "NestedTensor" for kind in types)
        return plain

    def _check(self, operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Refuse an operator that must not run."""
        self._guard.check(operator.func, args, kwargs)
        refuse_collective(operator.name)
        if self._own is not None:
            for tensor in iter_tensors(args):
                if type(tensor) is Parameter and not tensor.is_meta and id(tensor) not in self._own:
                    self._meet_stranger(tensor)

    def _meet_stranger(self, parameter: Parameter) -> None:
        """Note a parameter of others, unless the call itself made it; refuse to train it."""
        if self._flow.has_made(parameter):
            return
        self.strangers[id(parameter)] = parameter
        if self._training and parameter.requires_grad:
            raise CountError(
                "the call trains a parameter that the model does not hold",
                "Something outside the model has it, such as a class or a global variable: let the "
                "model refer to it by an attribute.",
            )

    def _run(self, operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operator, on values where they are known."""
        choices = self._choices
        if choices is not None and not choices.cover(self._ledger.place, operator, args):
            choices = None
        try:
            return self._placement.run(operator, args, kwargs, choices)
        except Exception:
            self._flow.record_failure(args)
            raise

    def _find_cost(
        self, rule: Rule, out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> OpCost | None:
        """Return what a call costs by its rule; None if the rule does not know."""
        return rule(out, *args, **kwargs)


def _keeps_to_torch(kind: type) -> bool:
    """Return whether a class of tensors leaves its operators to torch."""
    return kind in PLAIN_TENSORS or kind.__torch_dispatch__ is Tensor.__torch_dispatch__  # type: ignore[attr-defined]
