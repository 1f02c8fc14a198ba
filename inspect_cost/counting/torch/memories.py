"""The memory that operators work on: what is alive, how large it is, and which node wrote it last.

Only the identity of each storage and a weak reference to it are kept, so that following the data
keeps nothing alive. An identity is dropped when its storage is freed, before another storage can
take it over.
"""

from collections import deque
from collections.abc import ItemsView, Iterable, Iterator, ValuesView
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any
from weakref import ref

import torch
from torch import Tensor, UntypedStorage

from inspect_cost.counting.torch.contents import is_wrapper


class Memory(ref[UntypedStorage]):
    """One storage, shared by a tensor and all views of it.

    Attributes:
        identity: number that no other living storage has.
        is_result: whether an operator made it.
        bytes: its size if an operator made it, else 0.
        origin: node that made it or brought it in.
        writer: node that last wrote to it.
    """

    __slots__ = ("bytes", "identity", "is_result", "origin", "writer")

    identity: int
    is_result: bool
    bytes: int
    origin: int
    writer: int


class Memories:
    """All storages that were seen and are still alive.

    Attributes:
        live_bytes: bytes that operators' results hold now.
        peak_bytes: largest number of bytes that they held at once.
    """

    def __init__(self) -> None:
        self._alive: dict[int, Memory] = {}
        # The callback of every weak reference. Looking up a bound method makes a new object each
        # time, and there are as many references as results of operators: so it is bound once.
        self._on_free = self._forget
        self.live_bytes = 0
        self.peak_bytes = 0

    def __iter__(self) -> Iterator[Memory]:
        """Iterate over a copy, so that storages may be freed during the iteration."""
        return iter(list(self._alive.values()))

    def find(self, storage: UntypedStorage) -> Memory | None:
        """Find what is known of a storage; None if it has not been seen."""
        return self._alive.get(storage._cdata)

    def has_made(self, tensor: Tensor) -> bool:
        """Return whether an operator made a tensor's memory."""
        storage = find_storage(tensor)
        memory = None if storage is None else self.find(storage)
        return memory is not None and memory.is_result

    def add(self, storage: UntypedStorage, origin: int, *, result: bool) -> Memory:
        """Register a storage that is seen for the first time."""
        memory = Memory(storage, self._on_free)
        memory.identity, memory.origin, memory.writer = storage._cdata, origin, origin
        memory.is_result, memory.bytes = result, 0
        self._alive[memory.identity] = memory
        self.resize(memory, storage)
        return memory

    def resize(self, memory: Memory, storage: UntypedStorage) -> None:
        """Update the size of an operator's result, which in-place operators may change."""
        if not memory.is_result:
            return
        size = storage.nbytes()
        self.live_bytes += size - memory.bytes
        memory.bytes = size
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)

    def _forget(self, memory: Memory) -> None:
        """Drop a storage that is being freed."""
        # Only if the entry is still this one: the identity may have been registered again.
        if self._alive.get(memory.identity) is memory:
            del self._alive[memory.identity]
            self.live_bytes -= memory.bytes

    def clear(self) -> None:
        """Forget all storages."""
        self._alive.clear()


def find_storage(tensor: Tensor) -> UntypedStorage | None:
    """Find the storage of a tensor's values; None if torch does not expose one."""
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError, ValueError):  # ValueError: of a lazy one
        pass
    # A sparse tensor has several storages and no views; its values' stands for it.
    if tensor.layout is torch.sparse_coo:
        return tensor._values().untyped_storage()
    return None


def find_storages(values: Iterable[Any]) -> list[UntypedStorage | None]:
    """Find the storages of the tensors among arguments or results, including those in lists."""
    storages: list[UntypedStorage | None] = []
    for value in values:
        if isinstance(value, Tensor):
            storages.append(find_storage(value))
        elif isinstance(value, (list, tuple)):
            storages += find_storages(value)
    return storages


def walk_tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors that can be reached from a value through containers and attributes."""
    # A loop rather than recursion: attribute chains may be deeper than Python's stack.
    seen: dict[int, Any] = {}  # keeps what it has seen alive, since identities are used again
    stack = [value]
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, Tensor):
            yield value
        stack.extend(list_contents(value))


def list_contents(value: Any) -> list[Any]:
    """List what a container or an object holds directly: its items and its attributes."""
    if isinstance(value, _LEAVES):
        return []
    items: Iterable[Any] = ()
    if isinstance(value, (dict, MappingProxyType)):
        items = value.values()
    elif isinstance(value, _COLLECTIONS):
        items = value
    return [*items, *_list_attributes(value)]


def _list_attributes(value: Any) -> list[Any]:
    """List the values of an object's attributes, in ``__dict__`` and in slots."""
    slots = (name for kind in type(value).__mro__ for name in _list_slots(kind))
    attributes = list(getattr(value, "__dict__", {}).values())
    return attributes + [getattr(value, name, None) for name in slots]


def _list_slots(kind: type) -> list[str]:
    """List the names of a class's own slots, as its instances know them."""
    slots = vars(kind).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    private = (name.startswith("__") and not name.endswith("__") for name in names)
    owner = kind.__name__.lstrip("_")
    return [
        f"_{owner}{name}" if hidden else name for name, hidden in zip(names, private, strict=True)
    ]


_COLLECTIONS = (list, tuple, set, frozenset, deque, ValuesView, ItemsView)

#: Types that hold no tensors, or, like modules and functions, hold half of the process.
_LEAVES = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type,
    FunctionType,
    ModuleType,
    torch.dtype,
    torch.device,
)


def count_reachable_bytes(values: Any) -> int:
    """Count the bytes of the tensors that a value holds, each tensor once."""
    # What a wrapper wraps are its attributes, which the walk comes to by itself.
    tensors = (tensor for tensor in walk_tensors(values) if not is_wrapper(tensor))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
