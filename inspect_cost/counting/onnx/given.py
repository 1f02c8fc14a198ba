"""Values of a graph's inputs: those that a caller gives, and made-up ones for a run."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import GraphProto, TensorProto, ValueInfoProto, helper

from inspect_cost.calls.inputs import LARGEST_REAL_INPUT, as_content
from inspect_cost.counting.onnx.binding import InputShapes, bind_inputs, find_free_inputs
from inspect_cost.counting.onnx.storage import get_type_name
from inspect_cost.counting.onnx.value import FLOATING, Array, Value
from inspect_cost.values.errors import UsageError

#: Elements of a given input that are followed through the graph; those of a longer one are not.
MOST_FOLLOWED = 2**16

FIELD = "inputs"  # parameter that the errors are about


def bind_values(
    graph: GraphProto,
    shapes: InputShapes,
    arrays: Mapping[str, Array],
    *,
    fed: bool = True,
) -> dict[str, Value]:
    """Return each input's value: sizes as of `bind_inputs`, and contents where they are given.

    Args:
        graph: the graph.
        shapes: sizes, as of `bind_inputs`.
        arrays: contents by the inputs' names, as `read_arrays` gives them.
        fed: as of `bind_inputs`.

    Raises:
        UsageError: as of `bind_inputs`, or contents are of another shape than is given.
    """
    own = {name: array.shape for name, array in arrays.items() if not _fills(graph, name, array)}
    for name, shape in own.items():
        if tuple(shapes.get(name, shape)) != shape:  # type: ignore[arg-type]  # an axis is no input
            raise UsageError(
                f"the values of {name} are of shape {shape}, and {shapes[name]} is given, too",
                "Give one of them.",
                field=FIELD,
            )
    values = bind_inputs(graph, {**shapes, **own}, fed=fed)
    return {name: _fill_in(name, value, arrays.get(name)) for name, value in values.items()}


def _fill_in(name: str, value: Value, array: Array | None) -> Value:
    if array is None:
        return replace(value, depends_on=frozenset({name}))
    small = value.shape is not None and value.size <= MOST_FOLLOWED
    return replace(value, data=np.broadcast_to(array, value.sizes).copy()) if small else value


def _fills(graph: GraphProto, name: str, array: Array) -> bool:
    """Return whether contents are one number for all elements of an input with axes."""
    entry = next((entry for entry in graph.input if entry.name == name), None)
    return entry is not None and not array.ndim and bool(entry.type.tensor_type.shape.dim)


def read_arrays(graph: GraphProto, given: Mapping[str, Any]) -> dict[str, Array]:
    """Return given values as arrays of the types that the file states.

    Args:
        graph: the graph.
        given: input's name -> a number, nested lists, an array or a tensor, or the path of a file
            that numpy.save wrote.

    Raises:
        UsageError: the graph has no such input, or the values are not of its type.
    """
    entries = {entry.name: entry for entry in find_free_inputs(graph)}
    for name in given:
        if name not in entries:
            raise UsageError(
                f"the graph has no input {name!r}",
                f"Its inputs are: {', '.join(entries) or 'none'}.",
                field=FIELD,
            )
    return {name: _read_array(entries[name], value) for name, value in given.items()}


def _read_array(entry: ValueInfoProto, given: Any) -> Array:
    tensor = entry.type.tensor_type
    text = tensor.elem_type == TensorProto.STRING
    values = _as_array(entry.name, as_content(given).load(), text=text)
    if tensor.HasField("shape") and not tensor.shape.dim and values.size == 1:
        values = values.reshape(())
    if tensor.elem_type == TensorProto.UNDEFINED:
        return values
    kind = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    if text:
        return values.astype(object)
    cast = _cast(values, kind)
    if cast is None:
        raise UsageError(
            f"the input {entry.name} is of {get_type_name(tensor.elem_type)}, which the values "
            f"given for it are not",
            "Give numbers that the type can hold.",
            field=FIELD,
        )
    return cast


def _as_array(name: str, values: Any, *, text: bool) -> Array:
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.asarray(None)
    if text and array.dtype.kind == "O" and all(isinstance(each, str) for each in array.flat):
        return array
    if array.dtype.kind in "OMmV" and array.dtype.names is None and not _is_extended(array):
        raise UsageError(
            f"the values given for the input {name} are no array",
            "Give a number, or lists of numbers that are all of one length.",
            field=FIELD,
        )
    return array


def _is_extended(array: Array) -> bool:
    """Return whether the elements are of a type that numpy itself lacks, such as bfloat16."""
    return array.dtype.kind == "V" and array.dtype.fields is None and array.dtype.name != "void"


def _cast(values: Array, kind: np.dtype[Any]) -> Array | None:
    """Return the values in another type; None if whole numbers would not be what they were."""
    if values.dtype.kind in "US":
        return None
    with np.errstate(all="ignore"):
        cast = values.astype(kind)
    exact = kind.kind in "biu"
    return None if exact and not np.array_equal(cast, values) else cast


def make_feed(
    values: Mapping[str, Value], arrays: Mapping[str, Array], seed: int = 0
) -> dict[str, Array]:
    """Return what a run is fed: given values, and made-up ones for the other inputs.

    Made-up integers are 0 or 1, which are valid in any vocabulary; other numbers are random, and
    text is empty. They are the same at every call.

    Args:
        values: type and shape of each input.
        arrays: contents that are given.
        seed: seed of what is made up.

    Raises:
        UsageError: an input is too large, or of a type that cannot be made up.
    """
    return {
        name: np.broadcast_to(arrays[name], value.sizes).copy()
        if name in arrays
        else _make_up(name, value, np.random.default_rng(seed))
        for name, value in values.items()
    }


def _make_up(name: str, value: Value, random: np.random.Generator) -> Array:
    if value.size > LARGEST_REAL_INPUT:
        raise UsageError(
            f"the input {name} is so large that it has a shape only",
            "Give a smaller one.",
            field=FIELD,
        )
    if value.dtype in {TensorProto.STRING, TensorProto.UNDEFINED}:
        return np.full(value.sizes, "", dtype=object)
    kind = helper.tensor_dtype_to_np_dtype(value.dtype)
    if value.dtype in FLOATING:
        return random.standard_normal(value.sizes, np.float32).astype(kind)
    return random.integers(0, 2, value.sizes).astype(kind)
