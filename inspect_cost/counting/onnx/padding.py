"""Padding of onnxruntime's blocked layouts, told apart from the model's own channels.

The layouts fill channels up to a block of 8 or 16 numbers, by the vectors of the CPU that optimised
the graph. What they add are filters of zeros at the end of a convolution's weight. A following
convolution has zeros too where it reads their results.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from onnx import GraphProto, TensorProto, numpy_helper

from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.value import Array, Value

DOMAIN = "com.microsoft.nchwc"
_CONV = f"{DOMAIN}.Conv"
#: Numbers in a block.
_BLOCKS = (8, 16)


def count_own_filters(graph: GraphProto) -> dict[str, int]:
    """Return name -> filters that are not padding, of the weights of blocked convolutions."""
    names = {
        node.input[1] for node in graph.node if node.domain == DOMAIN and node.op_type == "Conv"
    }
    return {t.name: _count_filters(t) for t in graph.initializer if t.name in names}


def _count_filters(weight: TensorProto) -> int:
    """Return the filters that are not padding; all, if the weight is not in the file."""
    count: int = weight.dims[0]
    if weight.data_location == TensorProto.EXTERNAL:
        return count
    contents = numpy_helper.to_array(weight)
    return min([count, *(_count_filled(contents, b) for b in _BLOCKS if count % b == 0)])


def _count_filled(contents: Array, block: int) -> int:
    """Return the filters up to the last that is not all zeros; all, if more than a block's are.

    The filters of a block lie side by side: (O / block, rest, block).
    """
    count = contents.shape[0]
    (filled,) = np.nonzero(contents.reshape(count // block, -1, block).any(axis=1).ravel())
    own = int(filled[-1]) + 1 if filled.size else 0
    return own if count - own < block else count


def pass_on_channels(call: NodeCall) -> NodeCall:
    """Return the call with the model's own channels noted on its results."""
    channels = _find_own_channels(call)
    if channels is None:
        return call
    outputs = [
        replace(value, channels=channels) if value and _exceeds(value, channels) else value
        for value in call.outputs
    ]
    return replace(call, outputs=outputs)


def _find_own_channels(call: NodeCall) -> int | None:
    """Return the channels of the results without padding; None if none is known of."""
    if call.operator == _CONV:
        return call.operand(1).channels
    if call.node.op_type == "ReorderOutput":
        return None
    known = [value.channels for value in call.inputs if value and value.channels is not None]
    return known[0] if known else None


def _exceeds(value: Value, channels: int) -> bool:
    return value.shape is not None and len(value.shape) > 1 and value.shape[1] > channels


def is_padded(call: NodeCall) -> bool:
    """Return whether a call may compute on padding."""
    return call.operator == _CONV or any(v and v.channels is not None for v in call.inputs)


def drop_padding(call: NodeCall) -> NodeCall:
    """Return the call as it is without padding."""
    inputs = [value and _drop(value) for value in call.inputs]
    if call.operator == _CONV:
        inputs[1:3] = _iterate_own_weights(call)
    outputs = [value and _drop(value) for value in call.outputs]
    return replace(call, inputs=inputs, outputs=outputs)


def _drop(value: Value) -> Value:
    if value.channels is None or value.shape is None:
        return value
    shape = (value.shape[0], value.channels, *value.shape[2:])
    return replace(value, shape=shape, data=None)


def _iterate_own_weights(call: NodeCall) -> Iterator[Value | None]:
    """Iterate over the weight and the bias of a blocked convolution without padding."""
    weight, x = call.operand(1), _drop(call.x)
    filters, read = weight.sizes[0] if weight.channels is None else weight.channels, weight.sizes[1]
    if call.get("group", 1) == 1:
        read = min(read, x.sizes[1])
    yield replace(weight, shape=(filters, read, *weight.sizes[2:]), data=None)
    bias = call.optional(2)
    yield replace(bias, shape=(filters,), data=None) if bias else None
