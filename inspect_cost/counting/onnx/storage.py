"""Find what an ONNX file stores: which of its constants are parameters, and of which modules.

A file does not say which constants were learned. Constants of floating-point, complex, or 8-bit
and smaller integer type are taken for parameters if they have at least one dimension or still have
the name of a torch parameter, unless nodes read them only as settings: running statistics, scales
and zero points of quantised tensors, bounds, windows. All other constants are buffers. Classical
models (`ai.onnx.ml`) store theirs in attributes of nodes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from onnx import ModelProto, TensorProto

from inspect_cost.counting.onnx.classical import list_learned_attributes
from inspect_cost.counting.onnx.constants import Constant, Read, list_constants
from inspect_cost.counting.onnx.loading import iterate_nodes
from inspect_cost.counting.onnx.modules import find_module, find_parameter_module
from inspect_cost.counting.onnx.settings import find_packing, is_integer_weight, is_setting
from inspect_cost.counting.onnx.value import FLOATING
from inspect_cost.counting.tally import Storage, ancestry

_T = TensorProto
_SMALL_INTEGERS = frozenset(
    number
    for name, number in _T.DataType.items()
    if name in {"INT8", "UINT8", "INT4", "UINT4", "INT2", "UINT2"}
)


class Stored(NamedTuple):
    """Numbers that a file stores.

    Attributes:
        identity: key that is equal for the same numbers.
        owner: path of the module that they belong to.
        learned: whether they are taken for parameters.
        elements: how many they are.
        bytes: their size as stored.
        type_name: name of their type.
    """

    identity: object
    owner: str
    learned: bool
    elements: int
    bytes: int
    type_name: str


def collect_storage(model: ModelProto, class_names: dict[str, str]) -> dict[str, Storage]:
    """Return path -> what the module and those below it store; "" is the whole file."""
    inside: dict[str, dict[object, Stored]] = defaultdict(dict)
    for stored in _iterate_stored(model, class_names):
        for path in ancestry(stored.owner):
            inside[path].setdefault(stored.identity, stored)
    return {path: _sum_storage(list(held.values())) for path, held in inside.items()}


def _iterate_stored(model: ModelProto, class_names: dict[str, str]) -> Iterator[Stored]:
    for constant, reads in list_constants(model):
        owner = _find_owner(constant, reads, class_names)
        packings = (find_packing(constant, read) for read in reads)
        packing = next(filter(None, packings), None)
        yield Stored(
            constant.identity,
            owner,
            is_parameter(constant, reads),
            packing.elements if packing else constant.elements,
            constant.bytes,
            packing.type_name if packing else get_type_name(constant.dtype),
        )
    for index, node in enumerate(iterate_nodes(model)):
        for name, learned in list_learned_attributes(node).items():
            owner = find_module(node, class_names)
            size = learned.elements * learned.itemsize
            yield Stored((index, name), owner, True, learned.elements, size, learned.type_name)


def is_parameter(constant: Constant, reads: list[Read]) -> bool:
    """Return whether a constant is taken for a parameter, as at the top of this file."""
    if reads and all(map(is_setting, reads)):
        return False
    if any(map(is_integer_weight, reads)):
        return True
    numeric = constant.dtype in FLOATING or constant.dtype in _SMALL_INTEGERS
    return numeric and bool(constant.shape or find_parameter_module(constant.name))


def _find_owner(constant: Constant, reads: list[Read], class_names: dict[str, str]) -> str:
    """Return the module in a weight's name, else that of the first node that reads it."""
    named = find_parameter_module(constant.name)
    return named or (find_module(reads[0].node, class_names) if reads else "")


def _sum_storage(held: list[Stored]) -> Storage:
    parameters = [stored for stored in held if stored.learned]
    buffers = [stored for stored in held if not stored.learned]
    dtypes: Counter[str] = Counter()
    for stored in parameters:
        dtypes[stored.type_name] += stored.elements
    return Storage(
        params=sum(s.elements for s in parameters),
        param_bytes=sum(s.bytes for s in parameters),
        buffers=sum(s.elements for s in buffers),
        buffer_bytes=sum(s.bytes for s in buffers),
        dtypes=dict(dtypes),
    )


def get_type_name(dtype: int) -> str:
    """Return the data type's name in reports: ONNX's FLOAT is float32, its DOUBLE float64."""
    name: str = _T.DataType.Name(dtype).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)
