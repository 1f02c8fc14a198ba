"""From an ONNX file to its report, without importing torch."""

from collections.abc import Mapping, Sequence

from onnx import GraphProto, TensorProto, ValueInfoProto

from inspect_cost.calls.inputs import InputSpec
from inspect_cost.counting.onnx.binding import find_free_inputs, find_open_axes
from inspect_cost.counting.onnx.count import count_onnx
from inspect_cost.counting.onnx.loading import load_model
from inspect_cost.counting.onnx.storage import get_type_name
from inspect_cost.reports.inspection import Report, Subject
from inspect_cost.values.errors import UsageError
from inspect_cost.values.provenance import describe_run

#: The type of an input on the command line of which none is said.
UNSAID = "float32"


def inspected_onnx(
    path: str,
    inputs: Sequence[InputSpec] = (),
    length: int | None = None,
    trip_counts: Mapping[str, int] | None = None,
) -> Report:
    """Count one run of an ONNX graph.

    Args:
        path: the file.
        inputs: shapes of its inputs, by name or in their order.
        length: the L in those; without one, the size of the only axis that is left open.
        trip_counts: name of a Loop's node -> how often it runs, where the graph does not say.

    Raises:
        UsageError: as `count_onnx`, or what is given does not fit the graph's inputs.
    """
    model = load_model(path)
    shapes = input_shapes(path, model.graph, inputs, length)
    report = count_onnx(model, input_shapes=shapes, trip_counts=trip_counts)
    given = ", ".join(str(spec) for spec in inputs)
    at_length = f"L = {length:,}" if length is not None else ""
    call = " at ".join(filter(None, ("one run", ", ".join(filter(None, (given, at_length))))))
    return Report(Subject(path, report.model, call), report, None, describe_run())


def input_shapes(
    path: str, graph: GraphProto, inputs: Sequence[InputSpec], length: int | None
) -> dict[str, Sequence[int] | int]:
    """What a user gave as sizes, by the names of the graph's inputs and open axes.

    Raises:
        UsageError: it does not fit the graph's inputs.
    """
    entries = find_free_inputs(graph)
    names = [entry.name for entry in entries]
    _check_types(inputs, entries)
    shapes: dict[str, Sequence[int] | int] = {**_shapes(inputs, names, length)}
    if length is not None and not any(None in spec.shape for spec in inputs):
        shapes[_only_open_axis(path, find_open_axes(graph))] = length
    return shapes


def _check_types(inputs: Sequence[InputSpec], entries: Sequence[ValueInfoProto]) -> None:
    """The file fixes the types of its inputs: one that is said must be that."""
    known = {entry.name: entry.type.tensor_type.elem_type for entry in entries}
    for spec in inputs:
        elements = known.get(spec.name or "", TensorProto.UNDEFINED)
        own = get_type_name(elements)
        if spec.dtype not in {UNSAID, own} and elements != TensorProto.UNDEFINED:
            raise UsageError(
                f"the input {spec.name} is of {own}, and {spec.dtype} was given",
                "The file fixes it: give the shape alone.",
            )


def _shapes(
    inputs: Sequence[InputSpec], names: Sequence[str], length: int | None
) -> dict[str, tuple[int, ...]]:
    """By name; those without take the inputs that are not named, in their order."""
    given = [spec.name for spec in inputs if spec.name is not None]
    twice = [name for name in given if given.count(name) > 1]
    if twice:
        raise UsageError(f"--input {twice[0]} is given twice", "Give it once.")
    named = {spec.name: spec.sizes(length) for spec in inputs if spec.name is not None}
    rest = [name for name in names if name not in named]
    unnamed = [spec for spec in inputs if spec.name is None]
    if len(unnamed) > len(rest):
        raise UsageError(
            f"{len(inputs)} inputs are given, and the graph has {len(names)}",
            f"Its inputs are: {', '.join(names) or 'none'}.",
        )
    positional = zip(rest, (spec.sizes(length) for spec in unnamed), strict=False)
    return {**named, **dict(positional)}


def _only_open_axis(path: str, axes: Sequence[str]) -> str:
    if len(axes) == 1:
        return axes[0]
    if not axes:
        raise UsageError(
            f"{path} leaves no named axis open that --input-len could set",
            "Leave it out, or say which axis it is: --input NAME=1,L.",
        )
    raise UsageError(
        f"{path} leaves several axes open: {', '.join(axes)}",
        "Say which is --input-len: --input NAME=1,L.",
    )
