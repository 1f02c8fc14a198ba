"""Bytes that an operator moves: its operands read once, its results written once."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.contents import count_bytes
from inspect_cost.counting.torch.placement import identify_memory

#: Operators that read as much of their first operand as they return, not all of it.
LOOKUPS = frozenset(
    f"aten.{name}"
    for name in (
        "embedding index index_select gather take take_along_dim masked_select slice_copy "
        "select_copy repeat_interleave"
    ).split()
)
#: Operators that overwrite their first operand without reading it.
WRITE_ONLY = frozenset({"aten.copy_", "aten.fill_", "aten.zero_"})
#: Operators that only reserve memory.
RESERVATIONS = frozenset({"aten.empty", "aten.empty_like", "aten.empty_strided", "aten.new_empty"})


def iter_tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among arguments or results, those in lists included."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from iter_tensors(value)


def count_bytes_moved(
    operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any
) -> int:
    """Bytes read and written by one call; 0 where the result is an operand, or a view of one."""
    unchanged = bool(args) and out is args[0] and not operator.mutates
    if unchanged or operator.name in RESERVATIONS:
        return 0
    operands = list(iter_tensors((*args, *kwargs.values())))
    results = list(iter_tensors((out,)))
    if operator.may_alias and not operator.mutates and are_views(operands, results):
        return 0
    written = sum(map(count_bytes, results))
    if operator.name in LOOKUPS:
        return written + written + sum(map(count_bytes, operands[1:]))
    read = operands[1:] if operator.name in WRITE_ONLY else operands
    return written + sum(map(count_bytes, read))


def are_views(operands: list[Tensor], results: list[Tensor]) -> bool:
    """Whether the results are views: all lie in the memory of some operand."""
    if not results or not operands:
        return False
    known = {identify_memory(t) for t in operands}
    return all(identify_memory(t) in known for t in results)
