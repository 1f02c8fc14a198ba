"""Results of a training step: tensors are found in any structure that a forward returns."""

from collections import ChainMap, OrderedDict, UserDict, UserList, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import UsageError, count


@dataclass
class Plain:
    y: Any
    name: str = "y"


@dataclass(frozen=True, slots=True)
class Slotted:
    y: Any


@dataclass
class Output(OrderedDict[str, Any]):
    """A dictionary whose items are its attributes too, as results of transformers are."""

    logits: Any = None

    def __post_init__(self) -> None:
        self["logits"] = self.logits


class Private:
    __slots__ = ("__y",)

    def __init__(self, y: Any) -> None:
        self.__y = y


class OneSlot:
    __slots__ = "y"  # noqa: PLC0205 - a name alone is allowed

    def __init__(self, y: Any) -> None:
        self.y = y


class Derived(Plain):
    """Inherits the attributes."""


Pair = namedtuple("Pair", "y rest")  # noqa: PYI024 - untyped on purpose

SHAPES: dict[str, Callable[[Tensor], Any]] = {
    "tensor": lambda y: y,
    "tuple": lambda y: (None, y),
    "dict": lambda y: {"y": y},
    "named tuple": lambda y: Pair(y, 3),
    "dataclass": Plain,
    "derived": Derived,
    "slots": Slotted,
    "private slot": Private,
    "slot by name": OneSlot,
    "model output": Output,
    "namespace": lambda y: SimpleNamespace(y=y),
    "user dict": lambda y: UserDict(y=y),
    "user list": lambda y: UserList([y]),
    "chain map": lambda y: ChainMap({"y": y}),
    "proxy": lambda y: MappingProxyType({"y": y}),
    "values": lambda y: {"y": y}.values(),
    "deque": lambda y: deque([y]),
    "set": lambda y: {y},
    "distribution": lambda y: torch.distributions.Normal(y, 1.0, validate_args=False),
    "nested": lambda y: [Plain({"a": [Slotted(SimpleNamespace(y=(y,)))]})],
    "twice": lambda y: Plain([y, y]),
    "with itself": lambda y: _refer_to_itself(Plain(y)),
}


def _refer_to_itself(result: Plain) -> Plain:
    result.name = result  # type: ignore[assignment]
    return result


class Wrapped(nn.Module):
    def __init__(self, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(self.linear(x))


@pytest.mark.parametrize("shape", SHAPES)
def test_results_of_any_shape_have_gradients(shape: str) -> None:
    report = count(Wrapped(SHAPES[shape]), torch.ones(3, 4), backward=True)
    assert report.macs == 96
    assert report.by_module["linear"].macs == 96


def test_gradients_of_an_inner_dataclass_belong_to_the_inner_module() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Wrapped(Plain)
            self.last = nn.Linear(4, 2, bias=False)

        def forward(self, x: Tensor) -> Plain:
            return Plain(self.last(self.inner(x).y))

    report = count(Head(), torch.ones(3, 4), backward=True)
    assert report.by_module["inner.linear"].macs == 96
    assert report.by_module["last"].macs == 3 * 3 * 8


def test_a_module_within_a_result_is_no_result() -> None:
    class Attached(Wrapped):
        def forward(self, x: Tensor) -> Plain:
            return Plain({"y": self.linear(x), "by": self})

    assert count(Attached(Plain), torch.ones(3, 4), backward=True).macs == 96

    class Alone(Wrapped):
        def forward(self, x: Tensor) -> Plain:
            del x
            return Plain(self)

    with pytest.raises(UsageError):
        count(Alone(Plain), torch.ones(3, 4), backward=True)


def test_an_input_may_be_a_dataclass_too() -> None:
    class Read(Wrapped):
        def forward(self, batch: Any) -> Any:
            return Plain(self.linear(batch.y))

    assert count(Read(Plain), Plain(torch.ones(3, 4)), backward=True).macs == 96
