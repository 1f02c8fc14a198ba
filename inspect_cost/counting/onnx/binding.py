"""Bind sizes to a graph's inputs where the file leaves axes open."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from onnx import GraphProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto

from inspect_cost.counting.onnx.loading import list_subgraphs
from inspect_cost.counting.onnx.order import iterate_reads
from inspect_cost.counting.onnx.value import Value, read_axis_name, read_fixed_size, read_type
from inspect_cost.values.errors import UsageError

#: The shape of a tensor, or those of all tensors of a sequence.
Shape = Sequence[int] | Sequence[Sequence[int]]
#: Either a tensor's name -> its shape, or an open axis's name -> its size. Shapes of tensors other
#: than inputs complete what cannot be inferred.
InputShapes = Mapping[str, Shape | int]

#: Element type of what is no tensor: a map.
UNTYPED = TensorProto.UNDEFINED

FIELD = "input_shapes"  # parameter that the errors are about


def find_free_inputs(graph: GraphProto) -> list[ValueInfoProto]:
    """Return the inputs that a caller must give, without weights, which old files list too."""
    weights = {tensor.name for tensor in graph.initializer}
    weights |= {sparse.values.name for sparse in graph.sparse_initializer}
    return [entry for entry in graph.input if entry.name not in weights]


def find_open_axes(graph: GraphProto) -> list[str]:
    """Return the names of the axes that the file leaves open, each once."""
    names = [
        read_axis_name(dim)
        for entry in find_free_inputs(graph)
        for dim in get_tensor_type(entry.type).shape.dim
    ]
    return list(filter(None, dict.fromkeys(names)))


def _list_stated_axes(graph: GraphProto) -> list[str]:
    """Return the names of all axes that the file leaves open, of its results too."""
    types = [entry.type for entry in (*graph.output, *graph.value_info)]
    stated = [read_axis_name(dim) for t in types for dim in get_tensor_type(t).shape.dim]
    return list(filter(None, dict.fromkeys([*find_open_axes(graph), *stated])))


def get_tensor_type(proto: TypeProto) -> TypeProto.Tensor:
    """Return the type of a tensor, or of the tensors that a sequence or an optional holds."""
    kind = proto.WhichOneof("value")
    if kind in {"sequence_type", "optional_type"}:
        return get_tensor_type(getattr(proto, kind).elem_type)
    return proto.tensor_type


def bind_axes(graph: GraphProto, shapes: InputShapes) -> dict[str, int]:
    """Return the sizes of named open axes: those given, and those that given shapes imply.

    Raises:
        UsageError: a given shape does not fit the file.
    """
    entries = find_free_inputs(graph)
    _check_names(graph, entries, shapes)
    sizes = {name: size for name, size in shapes.items() if isinstance(size, int)}
    for entry in entries:
        for shape in _list_shapes(shapes.get(entry.name)):
            _bind_axes_of(entry, shape, sizes)
    return sizes


def _list_shapes(given: Shape | int | None) -> list[Sequence[int]]:
    """Return the given shape of an input or, if it is a sequence, that of each of its tensors."""
    if given is None or isinstance(given, int):
        return []
    if _is_list_of_shapes(given):
        return [shape for shape in given if not isinstance(shape, int)]
    return [[size for size in given if isinstance(size, int)]]


def _is_list_of_shapes(given: Shape) -> bool:
    return any(not isinstance(part, int) for part in given)


def bind_inputs(graph: GraphProto, shapes: InputShapes, *, fed: bool = True) -> dict[str, Value]:
    """Return each input's value, with the given sizes for axes that the file leaves open.

    Args:
        graph: the file's graph.
        shapes: what the caller gives; see `InputShapes`.
        fed: whether a runtime is to be given the inputs: then those that no node reads need sizes
            as well, and all have to be tensors.

    Raises:
        UsageError: an axis has no size, or a given shape does not fit the file.
    """
    sizes = bind_axes(graph, shapes)
    read = {name for node in graph.node for name in iterate_reads(node)}
    read |= {entry.name for entry in graph.output}
    values = {}
    for entry in find_free_inputs(graph):
        value = _bind_input(entry, shapes.get(entry.name), sizes)
        if entry.name in read or fed:
            _check_known(entry, value)
        if fed and not value.is_tensor:
            raise UsageError(
                f"the input {entry.name} is no tensor, and only tensors can be made up",
                "Count the file without measuring it.",
            )
        values[entry.name] = value
    return values


def find_given_results(graph: GraphProto, shapes: InputShapes) -> dict[str, tuple[int, ...]]:
    """Return the given shapes of tensors other than inputs."""
    inputs = {entry.name for entry in graph.input}
    return {
        name: tuple(shape)
        for name, given in shapes.items()
        if name not in inputs
        for shape in _list_shapes(given)
    }


def _check_names(graph: GraphProto, entries: Sequence[ValueInfoProto], shapes: InputShapes) -> None:
    tensors = {entry.name for entry in entries} | set(_list_results(graph))
    axes = _list_stated_axes(graph)
    for name, given in shapes.items():
        if name not in (axes if isinstance(given, int) else tensors):
            kind = "open axis" if isinstance(given, int) else "input"
            known = ", ".join(map(describe_input, entries)) or "none"
            raise UsageError(
                f"the graph has no {kind} {name!r}", f"Its inputs are: {known}.", field=FIELD
            )
        sizes = [given] if isinstance(given, int) else chain.from_iterable(_list_shapes(given))
        if any(not isinstance(size, int) or size < 0 for size in sizes):
            raise UsageError(
                f"{name}: {given!r} is not a size", "Give whole numbers from 0 on.", field=FIELD
            )


def _list_results(graph: GraphProto) -> Iterator[str]:
    """Iterate over the names of all results of nodes, including those in subgraphs."""
    for node in graph.node:
        yield from filter(None, node.output)
        for attribute in node.attribute:
            for inner in list_subgraphs(attribute):
                yield from _list_results(inner)


def describe_input(entry: ValueInfoProto) -> str:
    """Return an input's name and shape in words, such as "x (1, 80, L)"."""
    tensor = get_tensor_type(entry.type)
    if not tensor.HasField("shape"):
        return f"{entry.name} (of any shape)"
    return f"{entry.name} ({', '.join(map(_describe_axis, tensor.shape.dim))})"


def _describe_axis(dim: TensorShapeProto.Dimension) -> str:
    fixed = read_fixed_size(dim)
    return read_axis_name(dim) or "?" if fixed is None else str(fixed)


def _bind_axes_of(entry: ValueInfoProto, given: Sequence[int], sizes: dict[str, int]) -> None:
    """Add the sizes of named axes in a given shape to `sizes`; equal names have equal sizes."""
    tensor = get_tensor_type(entry.type)
    if not tensor.HasField("shape"):
        return
    if len(given) != len(tensor.shape.dim):
        raise UsageError(
            f"the input {describe_input(entry)} has {len(tensor.shape.dim)} axes, "
            f"but {tuple(given)} has {len(given)}",
            "Give one size per axis.",
            field=FIELD,
        )
    for axis, (dim, size) in enumerate(zip(tensor.shape.dim, given, strict=True)):
        name, fixed = read_axis_name(dim), read_fixed_size(dim)
        expected = sizes.get(name, size) if fixed is None else fixed
        if expected != size:
            raise UsageError(
                f"axis {axis} of the input {describe_input(entry)} is {expected}, "
                f"but {size} was given",
                "Give sizes for open axes only, and the same size for axes of the same name.",
                field=FIELD,
            )
        if name:
            sizes[name] = size


def _bind_input(
    entry: ValueInfoProto, given: Shape | int | None, sizes: Mapping[str, int]
) -> Value:
    """Return an input's value, with a given shape or, for a sequence, one for each tensor."""
    value = read_type(entry.type, f"{entry.name} is an input of unknown shape", sizes)
    if given is None or isinstance(given, int):
        return value
    shapes = [tuple(shape) for shape in _list_shapes(given)]
    if value.item is None:
        return replace(value, shape=shapes[0])
    if _is_list_of_shapes(given):
        items = tuple(Value(value.dtype, shape) for shape in shapes)
        return replace(value, shape=(len(items),), items=items)
    return replace(value, item=Value(value.dtype, shapes[0]))


def _check_known(entry: ValueInfoProto, value: Value) -> None:
    """Refuse an input that has an open axis without a size, or no shape at all."""
    tensor = get_tensor_type(entry.type)
    for axis, dim in enumerate(tensor.shape.dim):
        if (read_fixed_size(dim) or 0) < 0:
            raise UsageError(
                f"axis {axis} of the input {describe_input(entry)} is negative",
                "Export the file again.",
            )
    known = value if value.item is None else value.item
    if known.shape is not None or value.items is not None or tensor.elem_type == UNTYPED:
        return
    if not tensor.HasField("shape"):
        raise UsageError(
            f"the input {entry.name} has no shape in the file",
            suggest_shape(entry.name),
            field=FIELD,
        )
    axis = (known.axes or ()).index(None)
    raise UsageError(
        f"axis {axis} of the input {describe_input(entry)} is open and was given no size",
        suggest_shape(entry.name),
        field=FIELD,
    )


def suggest_shape(name: str) -> str:
    """Return the advice to give an input a shape."""
    return f"Give {name!r} a shape in `input_shapes`."
