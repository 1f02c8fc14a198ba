"""What is known of a value in a graph: its type and shape, and small contents."""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, TypeProto, helper, numpy_helper

from inspect_cost.values.errors import UsageError

Array = NDArray[np.generic]

#: Contents are kept up to so many elements: what shapes are computed from is small.
MOST_INTEGERS, MOST_FLOATS = 4096, 64

_T = TensorProto
COMPLEX = frozenset({_T.COMPLEX64, _T.COMPLEX128})
FLOATING = frozenset(
    number
    for name, number in _T.DataType.items()
    if name.startswith(("FLOAT", "BFLOAT", "DOUBLE", "COMPLEX"))
)
#: Types that take less than a byte.
_PACKED_BITS = {
    number: int(name.strip("UINTFLOAE")[0])
    for name, number in _T.DataType.items()
    if name in {"UINT4", "INT4", "FLOAT4E2M1", "UINT2", "INT2"}
}


@dataclass(frozen=True, eq=False)
class Value:
    """One tensor.

    Attributes:
        dtype: ONNX's number of its element type.
        shape: sizes; None where nothing tells them.
        data: its contents where they are small and known.
        items: the tensors of a sequence; None for a tensor.
        because: why the shape is unknown.
    """

    dtype: int
    shape: tuple[int, ...] | None
    data: Array | None = None
    items: "tuple[Value, ...] | None" = None
    because: str = ""

    @property
    def size(self) -> int:
        """How many elements it has."""
        return prod(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Its shape.

        Raises:
            UnknownShapeError: nothing tells it.
        """
        if self.shape is None:
            raise UnknownShapeError(self.because)
        return self.shape

    @property
    def floating(self) -> bool:
        """Whether its elements are real or complex numbers rather than integers."""
        return self.dtype in FLOATING

    @property
    def bytes(self) -> int:
        """Its size in memory."""
        if self.items is not None:
            return sum(item.bytes for item in self.items)
        return count_stored_bytes(self.dtype, self.size)

    @property
    def type(self) -> TypeProto:
        """As ONNX's inference wants it."""
        return helper.make_tensor_type_proto(self.dtype, self.shape)

    @property
    def scalar(self) -> float | None:
        """Its only element, where it has one that is known."""
        return self.data.item() if self.data is not None and self.data.size == 1 else None


def make_like(value: Value, shape: tuple[int, ...] | None) -> Value:
    """One of the same type, of which nothing else is known."""
    return Value(value.dtype, shape, because=value.because)


class UnknownShapeError(Exception):
    """A shape was needed that nothing tells; says why."""


def count_stored_bytes(dtype: int, elements: int) -> int:
    """Size of so many elements; types of less than a byte lie packed. Text has none."""
    if dtype in {_T.STRING, _T.UNDEFINED}:
        return 0
    if dtype in _PACKED_BITS:
        return -(-elements * _PACKED_BITS[dtype] // 8)
    return elements * helper.tensor_dtype_to_np_dtype(dtype).itemsize


def make_known(array: Array) -> Value:
    """A value whose contents are at hand, kept if they are small."""
    dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
    most = MOST_FLOATS if dtype in FLOATING else MOST_INTEGERS
    return Value(dtype, array.shape, array if array.size <= most else None)


def read_tensor(tensor: TensorProto) -> Value:
    """The value of a stored tensor; what lies in another file has a shape only.

    Raises:
        UsageError: its contents are not of its shape.
    """
    shape, dtype = tuple(tensor.dims), tensor.data_type
    most = MOST_FLOATS if dtype in FLOATING else MOST_INTEGERS
    if tensor.data_location == _T.EXTERNAL or prod(shape) > most:
        return Value(dtype, shape)
    try:
        return Value(dtype, shape, numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"the weight {tensor.name} is not of its shape {shape}: {error}",
            "Export the file again, or check it with onnx.checker.check_model.",
        ) from error


def read_type(proto: TypeProto, because: str) -> Value:
    """The value that a type describes; without a shape unless every size is a number."""
    if not proto.HasField("tensor_type"):
        return Value(_T.UNDEFINED, None, because=because)
    tensor = proto.tensor_type
    sized = tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim)
    shape = tuple(d.dim_value for d in tensor.shape.dim) if sized else None
    return Value(tensor.elem_type, shape, because=because)
