"""Bytes that an operator moves: each operand is read once, and each result is written once.

This is the traffic of an ideal kernel with a cache that holds all that it reads twice. Views and
reservations of memory move nothing; lookups read only the rows that they return.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.contents import count_bytes, count_packed_bytes, unpack_weights
from inspect_cost.counting.torch.placement import identify_memory

#: Operators that read as many bytes of their first operand as they return, not all of it.
LOOKUPS = frozenset(
    f"aten.{name}"
    for name in (
        "embedding index index_select gather take take_along_dim masked_select slice_copy "
        "select_copy repeat_interleave"
    ).split()
)
#: Operators that read rows of a packed table.
PACKED_LOOKUPS = frozenset({"quantized.embedding_byte", "quantized.embedding_4bit"})
#: Operators that overwrite their first operand without reading it. By convention these are fewer
#: than `dataflow.FILLERS`: random ones (`normal_`, `uniform_`) count as reading their operand.
WRITE_ONLY = frozenset({"aten.copy_", "aten.fill_", "aten.zero_"})
#: Operators that ask their second operand for its type, and read none of it.
TYPED_ALIKE = frozenset({"aten.type_as"})
#: Operators that only reserve memory.
RESERVATIONS = frozenset({"aten.empty", "aten.empty_like", "aten.empty_strided", "aten.new_empty"})


def iter_tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """Yield the tensors among arguments or results, including those in lists."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from iter_tensors(value)


def count_bytes_moved(
    operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any
) -> int:
    """Count the bytes that one call reads and writes; 0 if it returns an operand or a view of one.

    Args:
        operator: the operator.
        args: its positional arguments.
        kwargs: its keyword arguments without ``out=``, which is its result.
        out: its result.
    """
    # `contiguous` and `to` return their operand itself if there is nothing to do.
    unchanged = bool(args) and out is args[0] and not operator.mutates
    if unchanged or operator.name in RESERVATIONS:
        return 0
    operands = list(iter_tensors((*args, *kwargs.values())))
    results = list(iter_tensors((out,)))
    # The schema alone does not decide: `reshape` may return a view or a copy.
    if operator.may_alias and not operator.mutates and are_views(operands, results):
        return 0
    # A sparse tensor moves its entries and their indices.
    written = sum(map(count_bytes, results))
    if operator.name in LOOKUPS:
        # The table's rows that are read, the same rows written, and all indices.
        return written + written + sum(map(count_bytes, operands[1:]))
    # An in-place operator's target is both an operand, which it reads, and the result.
    read = operands[1:] if operator.name in WRITE_ONLY else operands
    read = read[:1] if operator.name in TYPED_ALIKE else read
    return written + sum(map(count_bytes, read)) + _count_packs(operator, args, kwargs)


def _count_packs(operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Count the bytes of packed weights, which quantised layers read."""
    if "quantized" not in operator.name:
        return 0
    values = (*args, *kwargs.values())
    if operator.name in PACKED_LOOKUPS:
        packed, indices = args[:2]
        rows: int = indices.numel()
        return count_packed_bytes([packed], half=False) * rows // _count_rows(packed)
    half = operator.name.endswith("fp16") or any(value is torch.float16 for value in values)
    return count_packed_bytes(values, half=half)


def _count_rows(packed: torch.ScriptObject) -> int:
    return max(1, len(unpack_weights(packed)[0]))


def are_views(operands: list[Tensor], results: list[Tensor]) -> bool:
    """Return whether the results are views: whether each lies in the memory of some operand."""
    if not results or not operands:
        return False
    known = {identify_memory(t) for t in operands}
    return all(identify_memory(t) in known for t in results)
