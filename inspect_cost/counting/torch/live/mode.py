"""The modes that count code as it runs, on the user's own tensors, and change nothing of it."""

from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodDescriptorType
from typing import Any

import torch
from torch import Tensor
from torch._C._dynamo import eval_frame
from torch._ops import HigherOrderOperator, OpOverload
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from inspect_cost.counting.torch.aten import Operator, Rule
from inspect_cost.counting.torch.contents import PLAIN_TENSORS
from inspect_cost.counting.torch.dataflow import Follower
from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.counting.torch.mode import CountingMode
from inspect_cost.counting.torch.surroundings import is_counting
from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import InspectCostError


class LiveMode(CountingMode):
    """A mode that counts operators and runs each as it is: whatever it is on, whatever it writes.

    Args:
        ledger: where costs are entered.
        rules: rules by operator name.
        flow: what records every call.

    Attributes:
        failure: the first error of a cost that the user gave, which must not disturb the code.
    """

    failure: InspectCostError | None = None

    def __init__(self, ledger: Ledger, rules: Mapping[str, Rule], flow: Follower) -> None:
        super().__init__(ledger, rules, torch.device("cpu"), flow, recording=True)

    def __torch_dispatch__(
        self,
        func: OpOverload | HigherOrderOperator,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """Run and count one operator; those of a `count` within the block are not its own."""
        if is_counting() or func.namespace == "prim":  # which asks for a tensor's device
            return func(*args, **(kwargs or {}))
        return super().__torch_dispatch__(func, types, args, kwargs)

    def _follows(self, types: tuple[type, ...]) -> bool:
        return all(kind in PLAIN_TENSORS or kind.__name__ == "FakeTensor" for kind in types)

    def _check(self, operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Refuse nothing: the code is the user's."""

    def _run(self, operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return operator.func(*args, **kwargs)

    def _find_cost(
        self, rule: Rule, out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> OpCost | None:
        """Return a call's cost; None if its rule fails, as the code itself did not."""
        try:
            return super()._find_cost(rule, out, args, kwargs)
        except InspectCostError as error:
            self.failure = self.failure or error
            return None
        except Exception:  # noqa: BLE001 - whatever a rule does not expect of its operands
            return None


class WholeOperators(TorchFunctionMode):
    """A mode in which composite operators arrive whole where no gradients are followed.

    With gradients off, autograd does nothing but take `linear`, `lstm` or attention apart; so it is
    passed by, as a count of an inference does. While the mode is active, the layers of torch also
    leave out their fast paths, which are single kernels for a whole block.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch."""
        options = kwargs or {}
        if _is_of_torch(func) and _is_autograd_idle(types):
            with torch._C._AutoDispatchBelowAutograd():
                return func(*args, **options)
        return func(*args, **options)


_COMPUTING = ("torch.nn.functional", "torch.functional")


def _is_of_torch(func: Any) -> bool:
    """Return whether a function computes, and calls nothing that is the user's."""
    if isinstance(func, FunctionType):
        return func.__module__ in _COMPUTING
    return isinstance(func, (BuiltinFunctionType, MethodDescriptorType))


def _is_autograd_idle(types: Any) -> bool:
    """Return whether nobody but us would see a difference without autograd."""
    return (
        not torch.is_grad_enabled()
        and all(kind is Tensor for kind in types)
        and forward_ad._current_level < 0
        and torch._C._functorch.peek_interpreter_stack() is None
        and all(isinstance(mode, LiveMode) for mode in _get_current_dispatch_mode_stack())
    )


def _hide_from_compiler() -> None:
    """Let the compiler pass by our own code, without importing it."""
    skip = eval_frame._FrameAction.SKIP
    strategy = eval_frame._FrameExecStrategy(skip, skip)
    for method in (LiveMode.__torch_dispatch__, WholeOperators.__torch_function__):
        eval_frame.set_code_exec_strategy(method.__code__, strategy)


_hide_from_compiler()
