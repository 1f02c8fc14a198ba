"""Bytes that an operator moves: its operands read once, its results written once."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor
from torch._ops import OpOverload

#: Operators that read as much of their first operand as they return, not all of it.
LOOKUPS = frozenset(
    f"aten.{name}"
    for name in (
        "embedding index index_select gather take take_along_dim masked_select slice_copy "
        "select_copy repeat_interleave"
    ).split()
)
#: Operators that overwrite their first operand without reading it.
OVERWRITES = frozenset({"aten.copy_", "aten.fill_", "aten.zero_"})
#: Operators that only reserve memory.
RESERVATIONS = frozenset(
    {"aten.empty", "aten.empty_like", "aten.empty_strided", "aten.new_empty"}
)


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among arguments or results, those in lists included."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)


def bytes_moved(
    name: str, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any
) -> int:
    """Bytes read and written by one call; 0 for a view."""
    if name in RESERVATIONS:
        return 0
    operands = list(tensors_in((*args, *kwargs.values())))
    results = list(tensors_in([out]))
    mutates = func._schema.is_mutable  # noqa: SLF001 - torch has no public form
    if not mutates and shares_storage(operands, results):
        return 0
    written = sum(map(_size, results))
    if name in LOOKUPS:
        return written + written + sum(map(_size, operands[1:]))
    read = operands[1:] if name in OVERWRITES else operands
    return written + sum(map(_size, read))


def shares_storage(operands: list[Tensor], results: list[Tensor]) -> bool:
    """Whether the results are views: all lie in the memory of some operand."""
    if not results or not operands:
        return False
    known = {_storage(t) for t in operands}
    return all(_storage(t) in known for t in results)


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata  # noqa: SLF001 - identity of memory without an address


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
