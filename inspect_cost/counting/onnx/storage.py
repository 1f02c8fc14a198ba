"""Find what an ONNX file stores: which of its constants are parameters, and of which modules.

A file does not say which constants were learned. Constants of floating-point, complex, or 8-bit
and smaller integer type are taken for parameters if they have at least one dimension or still have
the name of a torch parameter, unless nodes read them only as settings: running statistics, scales
and zero points of quantised tensors, bounds, windows. All other constants are buffers.
"""

from collections import Counter, defaultdict
from math import prod
from typing import NamedTuple

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from inspect_cost.counting.onnx.call import get_operator_name
from inspect_cost.counting.onnx.loading import list_subgraphs
from inspect_cost.counting.onnx.modules import find_module, find_parameter_module
from inspect_cost.counting.onnx.value import FLOATING, count_stored_bytes
from inspect_cost.counting.tally import Storage, ancestry

#: Operator -> positions of operands that are settings, not weights.
_SETTINGS: dict[str, frozenset[int]] = {
    "onnx.BatchNormalization": frozenset({3, 4}),
    "onnx.Clip": frozenset({1, 2}),
    "onnx.ConvInteger": frozenset({2, 3}),
    "onnx.DequantizeLinear": frozenset({1, 2}),
    "onnx.MatMulInteger": frozenset({2, 3}),
    "onnx.Pad": frozenset({1, 2, 3}),
    "onnx.QLinearConv": frozenset({1, 2, 4, 5, 6, 7}),
    "onnx.QLinearMatMul": frozenset({1, 2, 4, 5, 6, 7}),
    "onnx.QuantizeLinear": frozenset({1, 2}),
    "onnx.Resize": frozenset({1, 2, 3}),
    "onnx.RotaryEmbedding": frozenset({1, 2}),
    "onnx.STFT": frozenset({1, 2, 3}),
    "onnx.Upsample": frozenset({1}),
    "com.microsoft.DynamicQuantizeMatMul": frozenset({2, 3}),
    "com.microsoft.MatMulIntegerToFloat": frozenset({2, 3, 4, 5}),
    "com.microsoft.DynamicQuantizeLSTM": frozenset({8, 9, 10, 11}),
    "com.microsoft.QAttention": frozenset({3, 4, 6, 7}),
    "com.microsoft.QLinearAdd": frozenset({1, 2, 4, 5, 6, 7}),
    "com.microsoft.QLinearConv": frozenset({1, 2, 4, 5, 6, 7}),
    "com.microsoft.QLinearMul": frozenset({1, 2, 4, 5, 6, 7}),
    "com.microsoft.QGemm": frozenset({1, 2, 4, 5, 7, 8}),
    "com.microsoft.RotaryEmbedding": frozenset({1, 2, 3}),
}
#: Operands that are weights even if they are 32-bit integers: quantised biases.
_INTEGER_WEIGHTS = {("onnx.QLinearConv", 8), ("onnx.DequantizeLinear", 0)}
_T = TensorProto
_SMALL_INTEGERS = frozenset(
    number
    for name, number in _T.DataType.items()
    if name in {"INT8", "UINT8", "INT4", "UINT4", "INT2", "UINT2"}
)


class Constant(NamedTuple):
    """A tensor in the file.

    Attributes:
        identity: key that is equal for tensors that are the same bytes of the same file.
        name: name by which nodes read it.
        dtype: ONNX's number of its element type.
        shape: its sizes.
        elements: number of stored elements; zeros of a sparse tensor are not stored.
        bytes: size of the stored elements.
    """

    identity: object
    name: str
    dtype: int
    shape: tuple[int, ...]
    elements: int
    bytes: int


Readers = dict[str, list[tuple[NodeProto, int]]]


def collect_storage(model: ModelProto, class_names: dict[str, str]) -> dict[str, Storage]:
    """Return path -> what the module and those below it store; "" is the whole file."""
    readers: Readers = defaultdict(list)
    constants: list[Constant] = []
    _collect_constants(model.graph, readers, constants)
    for function in model.functions:
        for node in function.node:
            _collect_node_constants(node, defaultdict(list), constants)
    inside: dict[str, dict[object, tuple[Constant, bool]]] = defaultdict(dict)
    for constant in constants:
        used = readers.get(constant.name, [])
        entry = (constant, is_parameter(constant, used))
        for path in ancestry(_find_owner(constant, used, class_names)):
            inside[path].setdefault(constant.identity, entry)
    return {path: _sum_storage(list(held.values())) for path, held in inside.items()}


def _collect_constants(graph: GraphProto, readers: Readers, constants: list[Constant]) -> None:
    constants += [_describe(tensor, tensor.name) for tensor in graph.initializer]
    for sparse in graph.sparse_initializer:
        constants.append(_describe(sparse.values, sparse.values.name))
    for node in graph.node:
        for position, name in enumerate(node.input):
            readers[name].append((node, position))
        _collect_node_constants(node, readers, constants)


def _collect_node_constants(node: NodeProto, readers: Readers, constants: list[Constant]) -> None:
    for attribute in node.attribute:
        if node.op_type == "Constant" and attribute.type == AttributeProto.TENSOR:
            constants.append(_describe(attribute.t, node.output[0]))
        for graph in list_subgraphs(attribute):
            _collect_constants(graph, readers, constants)


def _describe(tensor: TensorProto, name: str) -> Constant:
    elements = prod(tensor.dims)
    place = tuple(sorted((e.key, e.value) for e in tensor.external_data if e.key != "checksum"))
    external = tensor.data_location == _T.EXTERNAL
    size = count_stored_bytes(tensor.data_type, elements)
    shape = tuple(tensor.dims)
    return Constant(place if external else name, name, tensor.data_type, shape, elements, size)


def is_parameter(constant: Constant, used: list[tuple[NodeProto, int]]) -> bool:
    """Return whether a constant is taken for a parameter, as at the top of this file."""
    places = [(get_operator_name(node), position) for node, position in used]
    if places and all(position in _SETTINGS.get(name, ()) for name, position in places):
        return False
    if any(place in _INTEGER_WEIGHTS for place in places):
        return True
    numeric = constant.dtype in FLOATING or constant.dtype in _SMALL_INTEGERS
    return numeric and bool(constant.shape or find_parameter_module(constant.name))


def _find_owner(
    constant: Constant, used: list[tuple[NodeProto, int]], class_names: dict[str, str]
) -> str:
    """Return the module in a weight's name, else that of the first node that reads it."""
    named = find_parameter_module(constant.name)
    return named or (find_module(used[0][0], class_names) if used else "")


def _sum_storage(held: list[tuple[Constant, bool]]) -> Storage:
    parameters = [constant for constant, learned in held if learned]
    buffers = [constant for constant, learned in held if not learned]
    dtypes: Counter[str] = Counter()
    for constant in parameters:
        dtypes[get_type_name(constant.dtype)] += constant.elements
    return Storage(
        params=sum(c.elements for c in parameters),
        param_bytes=sum(c.bytes for c in parameters),
        buffers=sum(c.elements for c in buffers),
        buffer_bytes=sum(c.bytes for c in buffers),
        dtypes=dict(dtypes),
    )


def get_type_name(dtype: int) -> str:
    """Return the data type's name in reports: ONNX's FLOAT is float32, its DOUBLE float64."""
    name: str = _T.DataType.Name(dtype).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)
