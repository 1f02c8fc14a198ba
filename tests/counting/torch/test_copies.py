"""What a model or an input holds is copied member by member, and stays the caller's."""

import threading
import weakref
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import count
from inspect_cost.counting.torch.copying import Copier
from inspect_cost.counting.torch.memories import walk_tensors

X = torch.ones(2, 8)
Pair = namedtuple("Pair", "first second")  # noqa: PYI024 - a tuple class made the old way


def with_history() -> Tensor:
    """A tensor that `copy.deepcopy` refuses."""
    return torch.ones(3, requires_grad=True) * 2


class Plain:
    """An object with a member that deepcopy refuses, beside one that it copies."""

    def __init__(self, item: Any) -> None:
        self.item, self.lock, self.list = item, threading.Lock(), [torch.zeros(2)]


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("__private", "item", "list", "lock", "unset")

    def __init__(self, item: Any) -> None:
        self.item, self.lock, self.list, self.__private = item, threading.Lock(), [1], [item]


class Unpicklable(Plain):
    """Refuses to be reduced, as handles of files do."""

    def __reduce_ex__(self, protocol: Any) -> str:
        raise TypeError(protocol)


class OwnCopy(Plain):
    """Has a way to be copied that fails on tensors with a history."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "OwnCopy":
        raise RuntimeError(len(memo))


@dataclass
class Batch:
    """A dataclass as an input."""

    x: Any
    more: list[Any] = field(default_factory=lambda: [threading.Lock()])


@dataclass(frozen=True, slots=True)
class Frozen:
    """A dataclass that cannot be assigned to."""

    x: Any
    lock: Any


#: Ways to hold a tensor, beside a lock wherever there is room for one.
HOLDERS: dict[str, Callable[[Tensor], Any]] = {
    "list": lambda t: [t, threading.Lock()],
    "tuple": lambda t: (t, threading.Lock()),
    "dict": lambda t: {"t": t, "lock": threading.Lock()},
    "ordered": lambda t: OrderedDict(t=t, lock=threading.Lock()),
    "default": lambda t: defaultdict(list, t=[t, threading.Lock()]),
    "deque": lambda t: deque([t, threading.Lock()], maxlen=4),
    "named tuple": lambda t: Pair(t, threading.Lock()),
    "namespace": lambda t: SimpleNamespace(t=t, lock=threading.Lock()),
    "plain": Plain,
    "slots": Slotted,
    "unpicklable": Unpicklable,
    "own copy": OwnCopy,
    "dataclass": Batch,
    "frozen dataclass": lambda t: Frozen(t, threading.Lock()),
    "nested": lambda t: [Plain({"deep": (Batch(Slotted([t])),)})],
}


@pytest.mark.parametrize("name", HOLDERS)
def test_every_tensor_is_copied_and_every_type_kept(name: str) -> None:
    tensor = with_history()
    held = HOLDERS[name](tensor)
    twin = Copier().copy(held)
    assert twin is not held
    assert type(twin) is type(held)
    found = list(walk_tensors(twin))
    assert not {id(t) for t in found} & {id(t) for t in walk_tensors(held)}
    assert any(t.equal(tensor) for t in found)
    assert all(t.is_leaf for t in found)


def test_only_the_leaf_that_refuses_is_shared() -> None:
    held = Plain(with_history())
    twin = Copier().copy(held)
    assert twin.lock is held.lock
    assert twin.list is not held.list
    slotted = Copier().copy(Slotted(with_history()))
    assert not hasattr(slotted, "unset")


def test_references_among_copies_are_kept() -> None:
    held = Plain(with_history())
    held.list.append(held.item)
    cycle: list[Any] = [held, held.item]
    cycle.append(cycle)
    twin = Copier().copy(cycle)
    assert twin[2] is twin
    assert twin[0].item is twin[1] is twin[0].list[1]


class Keeping(nn.Module):
    """Keeps a loss of every call somewhere, as modules with auxiliary losses do."""

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.kept = make()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        kept = self.kept if isinstance(self.kept, list) else self.kept.list
        kept.append(out.mean())
        return out


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("make", [list, lambda: Plain(with_history())])
def test_what_a_call_appends_stays_in_the_stand_in(
    make: Callable[[], Any], *, backward: bool
) -> None:
    model = Keeping(make)
    model(X)
    kept = model.kept if isinstance(model.kept, list) else model.kept.list
    before = list(kept)
    count(model, X, backward=backward)
    assert len(kept) == len(before)
    assert all(a is b for a, b in zip(kept, before, strict=True))


class Zeroing(nn.Module):
    """Writes into the tensors of its input, and stores results in it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor, batch: Any) -> Tensor:
        with torch.no_grad():
            for tensor in list(walk_tensors(batch)):
                tensor.mul_(0)
        out: Tensor = self.layer(x)
        if hasattr(batch, "more"):
            batch.more.append(out)
        return out


@pytest.mark.parametrize("name", HOLDERS)
def test_inputs_are_written_to_in_their_copy(name: str) -> None:
    tensor = with_history()
    batch = HOLDERS[name](tensor)
    assert count(Zeroing(), X, batch).macs == 2 * 64
    assert tensor.tolist() == [2, 2, 2]
    assert not hasattr(batch, "more") or len(batch.more) == 1


class Cache:
    """A key-value cache."""

    def __init__(self) -> None:
        self.keys: list[Tensor] = []

    def update(self, key: Tensor) -> Tensor:
        self.keys.append(key)
        return torch.cat(self.keys)


class Attending(nn.Module):
    """Extends the cache that it is given or that it has."""

    def __init__(self, cache: Cache | None = None) -> None:
        super().__init__()
        self.layer, self.cache = nn.Linear(8, 8), cache

    def forward(self, x: Tensor, cache: Cache) -> Tensor:
        return cache.update(self.layer(x))


def test_a_cache_filled_with_gradients_on_is_not_extended() -> None:
    cache = Cache()
    model = Attending(cache)
    model(X, cache)
    assert cache.keys[0].requires_grad
    report = count(model, X, cache)
    assert report.macs == 2 * 64
    assert [key.device.type for key in cache.keys] == ["cpu"]


def test_weak_references_among_members_lead_to_copies() -> None:
    held = Plain(nn.Linear(2, 2))
    refs = [held, weakref.ref(held.item), weakref.WeakValueDictionary(layer=held.item)]
    copier = Copier()
    twin = copier.copy(refs)
    assert twin[1]() is twin[0].item is twin[2]["layer"]
    assert twin[0].item is not held.item
