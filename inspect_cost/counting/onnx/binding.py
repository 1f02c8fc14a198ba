"""Bind sizes to a graph's inputs where the file leaves axes open."""

from collections.abc import Mapping, Sequence

from onnx import GraphProto, TensorShapeProto, ValueInfoProto

from inspect_cost.counting.onnx.value import Value
from inspect_cost.values.errors import UsageError

#: Either an input's name -> its shape, or an open axis's name -> its size.
InputShapes = Mapping[str, Sequence[int] | int]

FIELD = "input_shapes"  # parameter that the errors are about


def find_free_inputs(graph: GraphProto) -> list[ValueInfoProto]:
    """Return the inputs that a caller must give, without weights, which old files list too."""
    weights = {tensor.name for tensor in graph.initializer}
    return [entry for entry in graph.input if entry.name not in weights]


def find_open_axes(graph: GraphProto) -> list[str]:
    """Return the names of the axes that the file leaves open, each once."""
    names = [
        dim.dim_param
        for entry in find_free_inputs(graph)
        for dim in entry.type.tensor_type.shape.dim
        if dim.dim_param
    ]
    return list(dict.fromkeys(names))


def bind_inputs(graph: GraphProto, shapes: InputShapes) -> dict[str, Value]:
    """Return each input's value, with the given sizes for axes that the file leaves open.

    Raises:
        UsageError: an axis has no size, or a given shape does not fit the file.
    """
    entries = find_free_inputs(graph)
    _check_names(graph, entries, shapes)
    symbols = {name: size for name, size in shapes.items() if isinstance(size, int)}
    for entry in entries:
        _bind_symbols(entry, shapes.get(entry.name), symbols)
    return {entry.name: _bind_input(entry, shapes.get(entry.name), symbols) for entry in entries}


def _check_names(graph: GraphProto, entries: Sequence[ValueInfoProto], shapes: InputShapes) -> None:
    names, axes = [entry.name for entry in entries], find_open_axes(graph)
    for name, given in shapes.items():
        if name not in (axes if isinstance(given, int) else names):
            kind = "open axis" if isinstance(given, int) else "input"
            known = ", ".join(map(describe_input, entries)) or "none"
            raise UsageError(
                f"the graph has no {kind} {name!r}", f"Its inputs are: {known}.", field=FIELD
            )
        sizes = [given] if isinstance(given, int) else list(given)
        if any(not isinstance(size, int) or size < 0 for size in sizes):
            raise UsageError(
                f"{name}: {given!r} is not a size", "Give whole numbers from 0 on.", field=FIELD
            )


def describe_input(entry: ValueInfoProto) -> str:
    """Return an input's name and shape in words, such as "x (1, 80, L)"."""
    tensor = entry.type.tensor_type
    if not tensor.HasField("shape"):
        return f"{entry.name} (of any shape)"
    sizes = [
        str(d.dim_value) if d.HasField("dim_value") else d.dim_param or "?"
        for d in tensor.shape.dim
    ]
    return f"{entry.name} ({', '.join(sizes)})"


def _bind_symbols(
    entry: ValueInfoProto, given: Sequence[int] | int | None, symbols: dict[str, int]
) -> None:
    """Add the sizes of named axes in a given shape to `symbols`; equal names have equal sizes."""
    if given is None or isinstance(given, int):
        return
    shape = entry.type.tensor_type.shape
    if not entry.type.tensor_type.HasField("shape"):
        return
    if len(given) != len(shape.dim):
        raise UsageError(
            f"the input {describe_input(entry)} has {len(shape.dim)} axes, but {tuple(given)} has "
            f"{len(given)}",
            "Give one size per axis.",
            field=FIELD,
        )
    for axis, (dim, size) in enumerate(zip(shape.dim, given, strict=True)):
        fixed = dim.dim_value if dim.HasField("dim_value") else symbols.get(dim.dim_param, size)
        if fixed != size:
            raise UsageError(
                f"axis {axis} of the input {describe_input(entry)} is {fixed}, "
                f"but {size} was given",
                "Give sizes for open axes only, and the same size for axes of the same name.",
                field=FIELD,
            )
        if dim.dim_param:
            symbols[dim.dim_param] = size


def _bind_input(
    entry: ValueInfoProto, given: Sequence[int] | int | None, symbols: Mapping[str, int]
) -> Value:
    tensor = entry.type.tensor_type
    if not entry.type.HasField("tensor_type"):
        raise UsageError(
            f"the input {entry.name} is not a tensor", "Export a model that takes tensors only."
        )
    if given is not None and not isinstance(given, int):
        return Value(tensor.elem_type, tuple(given))
    if not tensor.HasField("shape"):
        raise UsageError(
            f"the input {entry.name} has no shape in the file",
            suggest_shape(entry.name),
            field=FIELD,
        )
    sizes = [_resolve_size(entry, axis, dim, symbols) for axis, dim in enumerate(tensor.shape.dim)]
    return Value(tensor.elem_type, tuple(sizes))


def _resolve_size(
    entry: ValueInfoProto, axis: int, dim: TensorShapeProto.Dimension, symbols: Mapping[str, int]
) -> int:
    if dim.HasField("dim_value"):
        if dim.dim_value < 0:
            raise UsageError(
                f"axis {axis} of the input {describe_input(entry)} is negative",
                "Export the file again.",
            )
        return dim.dim_value
    if dim.dim_param not in symbols:
        raise UsageError(
            f"axis {axis} of the input {describe_input(entry)} is open and was given no size",
            suggest_shape(entry.name),
            field=FIELD,
        )
    return symbols[dim.dim_param]


def suggest_shape(name: str) -> str:
    """Return the advice to give an input a shape."""
    return f"Give {name!r} a shape in `input_shapes`."
