"""The memory of the results that are alive while the user's code runs."""

from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.graph import Key
from inspect_cost.counting.torch.memories import Memories, find_storages
from inspect_cost.values.cost import OpCost


class LiveMemory:
    """A follower of operators' results: how much memory they hold, not who reads them."""

    def __init__(self) -> None:
        self._memories = Memories()

    @property
    def peak_bytes(self) -> int:
        """The largest number of bytes that results held at once."""
        return self._memories.peak_bytes

    def record(
        self,
        _key: Key,
        _cost: OpCost | None,
        _operator: Operator,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
    ) -> None:
        """Record a call of an operator that has run; ``kwargs`` include its ``out=`` if given."""
        self._add((*args, *kwargs.values()), result=False)
        self._add((out,), result=True)

    def record_opaque(self, _key: Key, _cost: OpCost | None, given: Any, out: Any) -> None:
        """Record a call without a schema."""
        self._add((given,), result=False)
        self._add((out,), result=True)

    def record_failure(self, args: tuple[Any, ...]) -> None:
        """Ignore what did not run."""

    def record_truth(self, key: Key, predicate: Any) -> None:
        """Ignore what decides."""

    def mark_as_used(self, value: Any) -> None:
        """Ignore who uses a value."""

    def has_made(self, tensor: Tensor) -> bool:
        """Return whether an operator that was recorded made a tensor's memory."""
        return self._memories.has_made(tensor)

    def clear(self) -> None:
        """Forget all memory that is still alive."""
        self._memories.clear()

    def _add(self, values: Any, *, result: bool) -> None:
        for storage in find_storages(values):
            known = None if storage is None else self._memories.find(storage)
            if storage is not None and known is None:
                self._memories.add(storage, 0, result=result)
            elif storage is not None and known is not None:
                self._memories.resize(known, storage)
