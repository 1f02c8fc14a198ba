"""Operators on optional values and on sequences of tensors of known length.

An optional value is represented by the value that it holds, or by None.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from onnx import TensorProto

from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.value import (
    UnknownShapeError,
    Value,
    make_known,
    make_like,
    make_partial,
)


def make_sequence(items: Sequence[Value]) -> Value:
    """Return a value that is a sequence."""
    dtype = items[0].dtype if items else TensorProto.UNDEFINED
    return Value(dtype, (len(items),), items=tuple(items))


def _get_items(call: NodeCall) -> tuple[Value, ...]:
    if call.x.items is None:
        raise UnknownShapeError(call.x.because or "it is not a sequence")
    return call.x.items


def _read_position(call: NodeCall, index: int, default: int) -> int:
    value = call.optional(index)
    if value is None:
        return default
    if value.scalar is None:
        raise UnknownShapeError(f"the position that {call.label} takes depends on values")
    return int(value.scalar)


def construct(call: NodeCall) -> Value:
    """Return a sequence of all operands."""
    return make_sequence([value for value in call.inputs if value])


def make_empty(call: NodeCall) -> Value:
    """Return an empty sequence."""
    del call
    return make_sequence([])


def get_item(call: NodeCall) -> Value:
    """Return one item; which one does not matter where all have one shape."""
    if call.x.item is not None and call.x.items is None:
        return call.x.item
    items, position = _get_items(call), call.optional(1)
    alike = len({(item.dtype, item.shape) for item in items}) == 1
    if alike and position is not None and position.scalar is None:
        return make_like(items[0], items[0].sizes)
    return items[_read_position(call, 1, -1)]


def insert(call: NodeCall) -> Value:
    """Return the sequence with an item inserted."""
    items = list(_get_items(call))
    items.insert(_read_position(call, 2, len(items)), call.operand(1))
    return make_sequence(items)


def erase(call: NodeCall) -> Value:
    """Return the sequence without one of its items."""
    items = list(_get_items(call))
    items.pop(_read_position(call, 1, -1))
    return make_sequence(items)


def count_items(call: NodeCall) -> Value:
    """Return the number of items."""
    return make_known(np.array(len(_get_items(call)), np.int64))


def split(call: NodeCall) -> Value:
    """Return pieces along an axis: of given lengths, of one length, or single entries."""
    axis, sizes = call.get("axis", 0), list(call.x.sizes)
    pieces = _list_pieces(call, sizes[axis])
    keep = call.has(1) or call.get("keepdims", 1)
    shapes = [(*sizes[:axis], *([n] if keep else []), *sizes[axis:][1:]) for n in pieces]
    because = f"the pieces of {call.label} depend on values"
    return make_sequence([make_partial(call.x.dtype, shape, because) for shape in shapes])


def _list_pieces(call: NodeCall, size: int) -> Sequence[int | None]:
    """Return the length of each piece, None where it depends on values."""
    lengths = call.optional(1)
    if lengths is None:
        return [1] * size
    if lengths.data is None:
        if not lengths.sizes:
            raise UnknownShapeError(f"the number of pieces of {call.label} depends on values")
        return [None] * lengths.size
    if lengths.data.ndim:
        pieces = [int(n) for n in lengths.data]
        if sum(pieces) != size:
            raise ValueError(f"pieces of {pieces} do not make up {size}")
        return pieces
    step = int(lengths.data)
    return [min(step, size - start) for start in range(0, size, step)]


def concatenate(call: NodeCall) -> Value:
    """Return all items concatenated, or stacked on a new axis."""
    items, axis = _get_items(call), call.get("axis")
    sizes = list(items[0].sizes)
    if call.get("new_axis", 0):
        sizes.insert(axis % (len(sizes) + 1), len(items))
    else:
        sizes[axis] = sum(item.sizes[axis] for item in items)
    return Value(items[0].dtype, tuple(sizes))


def unwrap(call: NodeCall) -> Value | None:
    """Return what an optional value holds."""
    held = call.optional(0)
    return replace(held, maybe=False) if held and call.node.op_type != "Optional" else held


def has_value(call: NodeCall) -> Value:
    """Return whether an optional value holds anything, which an input does not tell."""
    held = call.optional(0)
    if held is not None and held.maybe:
        return Value(TensorProto.BOOL, ())
    return make_known(np.array(call.has(0)))


SEQUENCES: dict[str, Callable[[NodeCall], Value | None]] = {
    "onnx.SequenceConstruct": construct,
    "onnx.SequenceEmpty": make_empty,
    "onnx.SequenceAt": get_item,
    "onnx.SequenceInsert": insert,
    "onnx.SequenceErase": erase,
    "onnx.SequenceLength": count_items,
    "onnx.SplitToSequence": split,
    "onnx.ConcatFromSequence": concatenate,
    "onnx.Optional": unwrap,
    "onnx.OptionalGetElement": unwrap,
    "onnx.OptionalHasElement": has_value,
}
