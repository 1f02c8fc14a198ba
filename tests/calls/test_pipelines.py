"""Objects that are no modules but hold some: it is found, copied, and left as it was."""

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inspect_cost import UsageError, count

X = torch.ones(2, 8)
ONE = 2 * 64
STEPS = 3


def net() -> nn.Module:
    return nn.Linear(8, 8, bias=False).eval()


class Steps:
    """Calls its net several times."""

    net: Any

    @torch.no_grad()
    def __call__(self, x: Tensor, steps: int = STEPS) -> Tensor:
        for t in range(steps):
            x = self.step(x, t)
        return x

    def step(self, x: Tensor, _t: int) -> Any:
        return self.net(x)


class Plain(Steps):
    def __init__(self) -> None:
        self.net = net()


class Nested(Steps):
    def __init__(self) -> None:
        self.nets = {"a": {"b": [net()]}}

    @property
    def net(self) -> nn.Module:
        return self.nets["a"]["b"][0]


@dataclass(frozen=True)
class Frozen(Steps):
    net: nn.Module = field(default_factory=net)


class Slots:
    __slots__ = ("calls", "net")

    def __init__(self) -> None:
        self.net, self.calls = net(), 0

    def __call__(self, x: Tensor) -> Any:
        self.calls += 1
        return self.net(x)


class PrivateSlots(Slots):
    __slots__ = ("__inner",)

    def __init__(self) -> None:
        super().__init__()
        self.__inner = net()

    def __call__(self, x: Tensor) -> Any:
        return self.__inner(super().__call__(x))


class Schedule:
    """Has tables, and writes down what it saw."""

    def __init__(self) -> None:
        self.betas, self.table = np.linspace(0, 1, 5), torch.linspace(0, 1, 5)
        self.at, self.seen = 0, list[Tensor]()

    def step(self, y: Tensor) -> Tensor:
        self.at += 1
        self.seen.append(y)
        self.betas[0] += 1
        return y * self.table[self.at] * float(self.betas[self.at])


class Scheduled(Steps):
    def __init__(self) -> None:
        self.net, self.schedule, self.lock = net(), Schedule(), threading.Lock()

    def step(self, x: Tensor, _t: int) -> Tensor:
        with self.lock:
            return self.schedule.step(self.net(x))


class Tokenizer:
    def __call__(self, text: str) -> Tensor:
        return torch.tensor([["ab".index(letter) for letter in text]])


class Text:
    def __init__(self) -> None:
        self.tokenize, self.embed, self.net = Tokenizer(), nn.Embedding(2, 8).eval(), net()

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device

    def __call__(self, text: str) -> Any:
        return self.net(self.embed(self.tokenize(text).to(self.device)))


class Forwarding:
    def __init__(self) -> None:
        self.inner = Plain()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["inner"], name)

    def __call__(self, x: Tensor) -> Any:
        return self.net(x)


class Attributes(dict[str, Any]):
    """A dictionary whose keys are attributes, so that whatever asks for others fails."""

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __call__(self, x: Tensor) -> Any:
        return self.net(x)


class Chain(list[Any]):
    def __call__(self, x: Tensor) -> Any:
        return functools.reduce(lambda y, layer: layer(y), self, x)


GLOBAL, NOTHING = net(), None


@functools.singledispatch
def dispatched(x: Any) -> Any:
    return GLOBAL(x)


@dispatched.register
def _(x: list) -> Any:  # type: ignore[type-arg]  # of which dispatch knows nothing
    return [dispatched(each) for each in x]


def with_nothing() -> Callable[[Tensor], Any]:
    layer, other = net(), None
    return lambda x: layer(x) if other is None else x


def stream(x: Tensor) -> Iterator[Tensor]:
    for _ in range(STEPS):
        x = GLOBAL(x)
        yield x


plain = Plain()
CASES: dict[str, tuple[Any, tuple[Any, ...], int]] = {
    "attribute": (Plain(), (X,), STEPS * ONE),
    "nested, by a property": (Nested(), (X,), STEPS * ONE),
    "frozen dataclass": (Frozen(), (X,), STEPS * ONE),
    "slots": (Slots(), (X,), ONE),
    "private slots": (PrivateSlots(), (X,), 2 * ONE),
    "schedule": (Scheduled(), (X,), STEPS * ONE),
    "text": (Text(), ("abab",), 2 * ONE),
    "forwarded attributes": (Forwarding(), (X,), ONE),
    "attributes of a dictionary": (Attributes(net=net()), (X,), ONE),
    "list": (Chain([net(), net()]), (X,), 2 * ONE),
    "dispatched": (dispatched, (X,), ONE),
    "dispatched to itself": (dispatched, ([X, X],), 2 * ONE),
    "closure over None": (with_nothing(), (X,), ONE),
    "generator": (stream, (X,), STEPS * ONE),
    "bound method": (plain.step, (X, 0), ONE),
    "partial of a bound method": (functools.partial(plain.step, _t=0), (X,), ONE),
    "partial of an object": (functools.partial(plain, steps=2), (X,), 2 * ONE),
    "bound call": (plain.__call__, (X,), STEPS * ONE),
}


@pytest.mark.parametrize("name", CASES)
def test_what_an_object_holds_is_counted_where_it_is(name: str) -> None:
    target, inputs, macs = CASES[name]
    random = torch.get_rng_state()
    report = count(target, *inputs)
    assert report.macs == macs
    assert report.by_module[""].own_cost.macs == 0
    assert (report.notes, report.params > 0) == ((), True)
    assert torch.equal(random, torch.get_rng_state())


def test_what_an_object_writes_down_is_its_copys() -> None:
    slots, pipeline = Slots(), Scheduled()
    count(slots, X)
    count(pipeline, X)
    assert (slots.calls, pipeline.schedule.at, pipeline.schedule.seen) == (0, 0, [])
    assert pipeline.schedule.betas[0] == 0
    pipeline(X)
    assert len(pipeline.schedule.seen) == STEPS


async def awaited(x: Tensor) -> Any:
    return GLOBAL(x)


async def streamed(x: Tensor) -> AsyncIterator[Any]:
    yield GLOBAL(x)


@pytest.mark.parametrize("target", [awaited, streamed, torch.no_grad()(awaited)])
def test_what_has_to_be_awaited_is_refused(target: Any) -> None:
    with pytest.raises(UsageError):
        count(target, X)
    assert count(lambda x: asyncio.run(awaited(x)), X).macs == ONE
