"""One step of an optimizer after the gradients, in the steady state: its state exists already.

Torch's own `step()` runs on the stand-in's parameters. The first step makes the state and is not
counted; the second is what every later one is like.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.optim import Optimizer

from inspect_cost.counting.tally import OPTIMIZER, Storage
from inspect_cost.counting.torch.contents import count_bytes
from inspect_cost.counting.torch.dataflow import DataFlow
from inspect_cost.counting.torch.dispatch import DispatchMode
from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.counting.torch.memories import walk_tensors
from inspect_cost.counting.torch.mode import CountingMode
from inspect_cost.counting.torch.placement import FROM_SHAPE

#: What is read in place of a number that is not known, where only scaling depends on it. Neither it
#: nor its simple multiples are 1, by which a multiplication would be free.
SOME_NUMBER = 0.7390851332151607
#: Steps after which torch's optimizers do what they do from then on, if that is ever so.
AGE = 100
READING = {torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default}


class OnShapes(DispatchMode):
    """A mode that keeps state without values where the parameters have none.

    Elsewhere in a count, zeros in the shape of an unknown tensor are known, and take memory.

    Args:
        flow: the follower of the data, which is told what is read.
        scales: whether numbers that are read only scale, as in all of torch's own optimizers. In
            others they may decide what is done, so that reading unknown ones is an error.
    """

    def __init__(self, flow: DataFlow, *, scales: bool) -> None:
        super().__init__()
        self._flow = flow
        self._scales = scales

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operator, but for reading a number that is not known."""
        del types
        given = dict(kwargs or MappingProxyType({}))
        unknown = bool(args) and isinstance(args[0], Tensor) and args[0].is_meta
        if unknown and func in READING and self._scales:
            self._flow.mark_as_used(args[0])
            return SOME_NUMBER
        if unknown and func._schema.name.replace("::", ".") in FROM_SHAPE:
            given.setdefault("device", args[0].device)
        return func(*args, **given)


#: From a follower of the data to a counting mode that tells it what happens.
MakeMode = Callable[..., CountingMode]


class OptimizerStep:
    """The step of optimizers of a stand-in's parameters.

    Args:
        optimizers: what makes it, one after the other; none for no step at all.
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._optimizers = optimizers

    def run(self, ledger: Ledger, flow: DataFlow, make_mode: MakeMode) -> None:
        """Make two steps with the gradients that the parameters have, and enter the second.

        Args:
            ledger: where operators are entered, at a place of their own.
            flow: the follower of the call's data.
            make_mode: makes modes that enter what they see in the ledger.
        """
        with ledger.inside(OPTIMIZER):
            with ledger.redirect():
                self._step(DataFlow(), make_mode)
            self._age()
            self._step(flow, make_mode)

    def _step(self, flow: DataFlow, make_mode: MakeMode) -> None:
        for optimizer in self._optimizers:
            with make_mode(flow, recording=True), OnShapes(flow, scales=_is_torchs(optimizer)):
                optimizer.step()

    def _age(self) -> None:
        """Let torch's optimizers have made more steps: the first few of some differ."""
        for optimizer in filter(_is_torchs, self._optimizers):
            for state in optimizer.state.values():
                if "step" in state:
                    state["step"] += AGE

    @property
    def rows(self) -> tuple[tuple[str, str, Storage], ...]:
        """The row of the step among a report's modules; none without a step."""
        kinds = " + ".join(type(optimizer).__name__ for optimizer in self._optimizers)
        return ((OPTIMIZER, kinds, Storage()),) if kinds else ()

    @property
    def state(self) -> dict[str, int] | None:
        """Bytes of the state by type, each tensor once; None without a step."""
        if not self._optimizers:
            return None
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        parameters = {id(parameter) for group in groups for parameter in group["params"]}
        sizes: Counter[str] = Counter()
        for tensor in walk_tensors([list(each.state.values()) for each in self._optimizers]):
            if id(tensor) not in parameters:
                sizes[str(tensor.dtype).removeprefix("torch.")] += count_bytes(tensor)
        return dict(sizes)


def _is_torchs(optimizer: Optimizer) -> bool:
    return type(optimizer).__module__.split(".")[:2] == ["torch", "optim"]


NO_STEP = OptimizerStep(())
