"""Unpacking: what is computed from the stored numbers of wrappers alone, as a product reads them.

A layer whose weights are stored in eight bits is one kernel that reads eight bits and unpacks them
in its cache (`aten._weight_int8pack_mm`), or a cast, a scaling and a product, by who wrote it. Both
move the same: whoever reads what was unpacked reads what is stored, and unpacking itself moves
nothing. Its arithmetic is counted, and so is the memory that its results take.
"""

from collections.abc import Iterable
from typing import Any
from weakref import WeakValueDictionary

from torch import Tensor, UntypedStorage

from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.contents import count_bytes, is_wrapper, iter_parts
from inspect_cost.counting.torch.memories import find_storage
from inspect_cost.counting.torch.traffic import LOOKUPS, count_bytes_moved, iter_tensors


class Unpacking:
    """The memory that wrappers keep, and what was computed from nothing else.

    Args:
        stored: the model's parameters and buffers.
    """

    def __init__(self, stored: Iterable[Tensor] = ()) -> None:
        parts = [part for tensor in stored if is_wrapper(tensor) for part in iter_parts(tensor)]
        self._stored = {s._cdata for s in map(find_storage, parts) if s is not None}
        # Results of unpacking that are alive, and the bytes that are read in place of each.
        self._alive: WeakValueDictionary[int, UntypedStorage] = WeakValueDictionary()
        self._read: dict[int, int] = {}

    def count_bytes_moved(
        self, operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any
    ) -> int:
        """Count the bytes that one call moves; arguments as of `traffic.count_bytes_moved`."""
        moved = count_bytes_moved(operator, args, kwargs, out)
        # Without wrappers there is nothing to unpack; a lookup reads rows, which are small.
        if not (self._stored and moved) or operator.mutates or operator.name in LOOKUPS:
            return moved
        operands = list(iter_tensors((*args, *kwargs.values())))
        sources = {id(t): self._count_source(t) for t in operands}
        known = [t for t in operands if sources[id(t)] is not None]
        if operands and len(known) == len(operands):
            self._remember(iter_tensors((out,)), sum(sources[id(t)] or 0 for t in known))
            return 0
        return moved - sum(count_bytes(t) - (sources[id(t)] or 0) for t in known)

    def _count_source(self, tensor: Tensor) -> int | None:
        """Count the stored bytes that stand behind a tensor; None if it is not only stored ones."""
        storage = find_storage(tensor)
        if storage is None:
            return None
        size, identity = count_bytes(tensor), storage._cdata
        if identity in self._stored:
            return size
        if identity not in self._alive:
            return None
        # Of a view, its share.
        share = self._read[identity] * size // max(storage.nbytes(), 1)
        return min(size, share)

    def _remember(self, results: Iterable[Tensor], read: int) -> None:
        for result in results:
            storage = find_storage(result)
            if storage is not None:
                self._alive[storage._cdata], self._read[storage._cdata] = storage, read
