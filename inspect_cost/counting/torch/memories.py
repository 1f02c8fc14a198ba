"""The memory that operators work on: which is alive, how much, and which operator wrote it last.

Only the memory's identity is kept and a weak reference to it, so that following the data keeps
nothing alive. An identity is dropped when its memory is freed, before another can take it.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from weakref import ref

import torch
from torch import Tensor, UntypedStorage


class Memory(ref[UntypedStorage]):
    """One storage: a tensor and all views of it.

    Attributes:
        identity: what tells it from all others that are alive.
        is_result: whether an operator made it.
        bytes: its size, if an operator made it.
        origin: the node that it comes from.
        writer: the node that wrote to it last.
    """

    __slots__ = ("bytes", "identity", "is_result", "origin", "writer")

    identity: int
    is_result: bool
    bytes: int
    origin: int
    writer: int


class Memories:
    """All storages that are alive and were seen.

    Attributes:
        live_bytes: what the results of operators hold now.
        peak_bytes: the most that they held at once.
    """

    def __init__(self) -> None:
        self._alive: dict[int, Memory] = {}
        self._on_free = self._forget  # bound once, not for each memory
        self.live_bytes = 0
        self.peak_bytes = 0

    def __iter__(self) -> Iterator[Memory]:
        """Those alive; freeing some meanwhile does no harm."""
        return iter(list(self._alive.values()))

    def find(self, storage: UntypedStorage) -> Memory | None:
        """A storage that was seen before."""
        return self._alive.get(storage._cdata)

    def add(self, storage: UntypedStorage, origin: int, *, result: bool) -> Memory:
        """A storage that is seen for the first time."""
        memory = Memory(storage, self._on_free)
        memory.identity, memory.origin, memory.writer = storage._cdata, origin, origin
        memory.is_result, memory.bytes = result, 0
        self._alive[memory.identity] = memory
        self.resize(memory, storage)
        return memory

    def resize(self, memory: Memory, storage: UntypedStorage) -> None:
        """Note the size of an operator's result, which may have changed."""
        if not memory.is_result:
            return
        size = storage.nbytes()
        self.live_bytes += size - memory.bytes
        memory.bytes = size
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)

    def _forget(self, memory: Memory) -> None:
        """A storage is being freed."""
        if self._alive.get(memory.identity) is memory:
            del self._alive[memory.identity]
            self.live_bytes -= memory.bytes

    def clear(self) -> None:
        """Follow them no longer."""
        self._alive.clear()


def find_storage(tensor: Tensor) -> UntypedStorage | None:
    """Where a tensor's values lie; None where torch does not tell."""
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):
        pass
    if tensor.layout is torch.sparse_coo:
        return tensor._values().untyped_storage()
    return None


def find_storages(values: Iterable[Any]) -> list[UntypedStorage | None]:
    """Where the tensors among arguments or results lie, those in lists included."""
    storages: list[UntypedStorage | None] = []
    for value in values:
        if isinstance(value, Tensor):
            storages.append(find_storage(value))
        elif isinstance(value, (list, tuple)):
            storages += find_storages(value)
    return storages


def walk_tensors(value: Any) -> Iterator[Tensor]:
    """The tensors that can be reached from a value through containers and attributes."""
    seen: set[int] = set()
    stack = [value]
    while stack:
        value = stack.pop()
        if id(value) in seen or isinstance(value, _LEAVES):
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            yield value
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, (list, tuple, set, frozenset)):
            stack.extend(value)
        stack.extend(_list_attributes(value))


def _list_attributes(value: Any) -> list[Any]:
    slots = (name for kind in type(value).__mro__ for name in vars(kind).get("__slots__", ()))
    attributes = list(getattr(value, "__dict__", {}).values())
    return attributes + [getattr(value, name, None) for name in slots]


_LEAVES = (
    *(type(None), bool, int, float, complex, str, bytes, type),
    *(type(walk_tensors), type(torch), torch.dtype, torch.device),
)


def count_reachable_bytes(values: Any) -> int:
    """Bytes of the tensors within a value, each once."""
    return sum(tensor.numel() * tensor.element_size() for tensor in walk_tensors(values))
