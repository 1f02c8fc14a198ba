"""What is known about a value in a graph: its type and shape, and small contents."""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, TypeProto, helper, numpy_helper

from inspect_cost.values.errors import UsageError

Array = NDArray[np.generic]

#: Maximum numbers of elements whose contents are kept: those that shapes follow from are few.
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
    """One tensor, or a sequence of tensors.

    Attributes:
        dtype: ONNX's number of its element type.
        shape: its sizes; None if unknown.
        data: its contents; None if unknown or large.
        items: the tensors of a sequence; None for a tensor.
        because: reason why the shape is unknown.
        depends_on: inputs of the graph without values, which unknown contents depend on.
        constant: whether it is stored in the file.
    """

    dtype: int
    shape: tuple[int, ...] | None
    data: Array | None = None
    items: "tuple[Value, ...] | None" = None
    because: str = ""
    depends_on: frozenset[str] = frozenset()
    constant: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Shape that is known.

        Raises:
            UnknownShapeError: it is not.
        """
        if self.shape is None:
            raise UnknownShapeError(self.because)
        return self.shape

    @property
    def floating(self) -> bool:
        """Whether the elements are real or complex numbers rather than integers."""
        return self.dtype in FLOATING

    @property
    def bytes(self) -> int:
        """Size in memory."""
        if self.items is not None:
            return sum(item.bytes for item in self.items)
        return count_stored_bytes(self.dtype, self.size)

    @property
    def type(self) -> TypeProto:
        """Type and shape as ONNX's inference takes them."""
        return helper.make_tensor_type_proto(self.dtype, self.shape)

    @property
    def scalar(self) -> float | None:
        """Only element; None if there are several or it is unknown."""
        return self.data.item() if self.data is not None and self.data.size == 1 else None


def make_like(value: Value, shape: tuple[int, ...] | None) -> Value:
    """Return a value of the same type, about which only the shape is known."""
    return Value(value.dtype, shape, because=value.because)


class UnknownShapeError(Exception):
    """A shape is needed but unknown; the message says why."""


def count_stored_bytes(dtype: int, elements: int) -> int:
    """Return the size of elements in bytes; types below a byte are packed, text counts 0."""
    if dtype in {_T.STRING, _T.UNDEFINED}:
        return 0
    if dtype in _PACKED_BITS:
        return -(-elements * _PACKED_BITS[dtype] // 8)
    return elements * helper.tensor_dtype_to_np_dtype(dtype).itemsize


def make_known(array: Array) -> Value:
    """Return a value of known contents, which are kept if they are small."""
    dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
    most = MOST_FLOATS if dtype in FLOATING else MOST_INTEGERS
    return Value(dtype, array.shape, array if array.size <= most else None)


def read_tensor(tensor: TensorProto) -> Value:
    """Return the value of a stored tensor; of one in another file, only type and shape.

    Raises:
        UsageError: its contents do not fit its shape.
    """
    shape, dtype = tuple(tensor.dims), tensor.data_type
    most = MOST_FLOATS if dtype in FLOATING else MOST_INTEGERS
    if tensor.data_location == _T.EXTERNAL or prod(shape) > most:
        return Value(dtype, shape)
    try:
        return Value(dtype, shape, numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"the contents of the weight {tensor.name} do not fit its shape {shape}: {error}",
            "Export the file again, or check it with onnx.checker.check_model.",
        ) from error


def read_type(proto: TypeProto, because: str) -> Value:
    """Return the value that a type describes, with a shape if every size in it is a number."""
    if not proto.HasField("tensor_type"):
        return Value(_T.UNDEFINED, None, because=because)
    tensor = proto.tensor_type
    sized = tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim)
    shape = tuple(d.dim_value for d in tensor.shape.dim) if sized else None
    return Value(tensor.elem_type, shape, because=because)
