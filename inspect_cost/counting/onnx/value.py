"""What is known about a value in a graph: its type and shape, and small contents."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, TensorShapeProto, TypeProto, helper, numpy_helper

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
        axes: the sizes that are known of a shape that is not, None for each other one; None if not
            even their number is known.
        item: what is known of each tensor of a sequence of unknown length; else None.
        maybe: whether it is an optional value that may be empty, with the type that it has if not.
        assumed: whether its element type is an assumption.
        channels: the model's own channels, or filters, where padding fills them up to a block.
    """

    dtype: int
    shape: tuple[int, ...] | None
    data: Array | None = None
    items: "tuple[Value, ...] | None" = None
    because: str = ""
    depends_on: frozenset[str] = frozenset()
    constant: bool = False
    axes: tuple[int | None, ...] | None = None
    item: "Value | None" = None
    maybe: bool = False
    assumed: bool = False
    channels: int | None = None

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
    def is_tensor(self) -> bool:
        """Whether it is known to be a tensor rather than a sequence or a map."""
        return self.items is None and self.item is None and self.dtype != _T.UNDEFINED

    @property
    def sized(self) -> bool:
        """Whether its shape is known, or that of each tensor of a sequence."""
        if self.items is not None:
            return all(item.sized for item in self.items)
        return self.shape is not None

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
    def known_bytes(self) -> int:
        """Size in memory; 0 if it is unknown."""
        if self.items is not None:
            return sum(item.known_bytes for item in self.items)
        return 0 if self.shape is None else self.bytes

    @property
    def type(self) -> TypeProto:
        """Type and shape as ONNX's inference takes them."""
        sizes = self.axes if self.shape is None else self.shape
        return helper.make_tensor_type_proto(self.dtype, sizes)

    @property
    def scalar(self) -> float | None:
        """Only element; None if there are several or it is unknown."""
        return self.data.item() if self.data is not None and self.data.size == 1 else None


def make_like(value: Value, shape: tuple[int, ...] | None) -> Value:
    """Return a value of the same type, about which only the shape is known."""
    return Value(value.dtype, shape, because=value.because, assumed=value.assumed)


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


#: What exporters write for "open" where a name belongs: it says nothing about other axes.
_NAMELESS = frozenset({"", "?", "-1", "None"})
#: What they write for it where a size belongs.
_OPEN = -1


def read_fixed_size(dim: TensorShapeProto.Dimension) -> int | None:
    """Return the size that a file fixes, or None for an open axis."""
    return dim.dim_value if dim.HasField("dim_value") and dim.dim_value != _OPEN else None


def read_axis_name(dim: TensorShapeProto.Dimension) -> str:
    """Return the name of an open axis, "" if it has none."""
    return "" if dim.dim_param in _NAMELESS else dim.dim_param


def read_type(proto: TypeProto, because: str, axis_sizes: Mapping[str, int] | None = None) -> Value:
    """Return the value that a type describes.

    Args:
        proto: the type of a tensor, a sequence of tensors, or an optional one of these.
        because: reason why sizes that it leaves open are unknown.
        axis_sizes: sizes of open axes by name.
    """
    kind = proto.WhichOneof("value")
    if kind == "optional_type":
        held = read_type(proto.optional_type.elem_type, because, axis_sizes)
        return replace(held, maybe=True)
    if kind == "sequence_type":
        item = read_type(proto.sequence_type.elem_type, because, axis_sizes)
        return Value(item.dtype, None, because=because, item=item)
    if kind not in {"tensor_type", "sparse_tensor_type"}:
        return Value(_T.UNDEFINED, None, because=because)
    tensor = getattr(proto, kind)
    if not tensor.HasField("shape"):
        return Value(tensor.elem_type, None, because=because)
    axes = tuple(_find_size(dim, axis_sizes or {}) for dim in tensor.shape.dim)
    return make_partial(tensor.elem_type, axes, because)


def _find_size(dim: TensorShapeProto.Dimension, axis_sizes: Mapping[str, int]) -> int | None:
    fixed = read_fixed_size(dim)
    return axis_sizes.get(read_axis_name(dim)) if fixed is None else fixed


def make_partial(dtype: int, axes: tuple[int | None, ...] | None, because: str) -> Value:
    """Return a value of which some sizes may be known."""
    known = tuple(size for size in axes or () if size is not None)
    whole = axes is not None and len(known) == len(axes)
    return Value(dtype, known if whole else None, because=because, axes=axes)


def complete_value(value: Value, stated: Value) -> Value:
    """Return a value with the sizes that it lacks and another states, if both have as many axes."""
    if value.shape is not None or value.items is not None:
        return value
    own = value.axes or (None,) * len(stated.axes or ())
    if stated.axes is None or len(own) != len(stated.axes):
        return value if stated.item is None else replace(stated, because=value.because)
    axes = tuple(s if n is None else n for n, s in zip(own, stated.axes, strict=True))
    type_from = stated if value.assumed and stated.dtype != _T.UNDEFINED else value
    completed = make_partial(type_from.dtype, axes, value.because)
    return replace(completed, assumed=type_from.assumed)
