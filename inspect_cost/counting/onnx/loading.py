"""Read ONNX files, and refuse malformed ones and those that refer to files outside their folder.

Of weights in other files only the sizes are read. A path that leads out of the model's folder is
refused by its text, before anything is looked up on disk.
"""

from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # has no stubs
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from inspect_cost.counting.onnx.call import STANDARD
from inspect_cost.counting.onnx.value import FLOATING, MOST_INTEGERS, count_stored_bytes
from inspect_cost.values.errors import UsageError

REMEDY = "Export it again, or check it with onnx.checker.check_model."


def load_model(source: str | Path | ModelProto) -> ModelProto:
    """Load a model from a file, or take the one given, and check it.

    Raises:
        UsageError: there is no such file, it is not an ONNX model, or it has weights outside its
            folder.
    """
    if isinstance(source, ModelProto):
        model, folder = source, None
    else:
        path = Path(source)
        model, folder = _parse(_read_content(path), path), path.parent
    _check_versions(model)
    for entry in model.graph.input:
        if entry.type.tensor_type.elem_type not in TensorProto.DataType.values():
            raise UsageError(f"the input {entry.name} is of an unknown type", REMEDY)
    for tensor in iterate_tensors(model):
        _check_tensor(tensor)
        if tensor.data_location == TensorProto.EXTERNAL:
            _check_external(tensor, folder)
    return model


def _read_content(path: Path) -> bytes:
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not an ONNX file", "Give the .onnx file in it.")
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "Check the path.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "") from error
    if not content:
        raise UsageError(f"{path} is empty", REMEDY)
    return content


def _parse(content: bytes, path: Path) -> ModelProto:
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise UsageError(f"{path} is not an ONNX file, or it is damaged", REMEDY) from error
    if not (model.ir_version and model.opset_import and model.graph.output):
        raise UsageError(f"{path} is not an ONNX file, or it has no graph", REMEDY)
    return model


def read_opsets(imports: "ModelProto | onnx.FunctionProto") -> dict[str, int]:
    """Return domain -> opset version that the file uses; ONNX's own domain is ""."""
    return {
        "" if opset.domain in STANDARD else opset.domain: opset.version
        for opset in imports.opset_import
    }


def _check_versions(model: ModelProto) -> None:
    newest = onnx.defs.onnx_opset_version()
    version = read_opsets(model).get("", newest)
    if not 1 <= version <= newest:
        raise UsageError(
            f"the file uses opset {version}, but only opsets 1 to {newest} are known",
            "Update the onnx package, or export with an older opset.",
        )


def iterate_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Iterate over all initializers and constants, including those of subgraphs and functions."""
    for graph in _iterate_graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in iterate_nodes(model):
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors


def iterate_nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Iterate over all nodes, including those of subgraphs and functions."""
    for graph in _iterate_graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def _iterate_graphs(model: ModelProto) -> Iterator[GraphProto]:
    """Iterate over the graph, its subgraphs, and the subgraphs of functions."""
    yield model.graph
    roots = [model.graph.node, *(function.node for function in model.functions)]
    for nodes in roots:
        yield from _iterate_subgraphs(nodes)


def _iterate_subgraphs(nodes: Iterable[NodeProto]) -> Iterator[GraphProto]:
    for node in nodes:
        for attribute in node.attribute:
            for graph in list_subgraphs(attribute):
                yield graph
                yield from _iterate_subgraphs(graph.node)


def list_subgraphs(attribute: AttributeProto) -> list[GraphProto]:
    """Return the subgraphs in an attribute."""
    single = [attribute.g] if attribute.type == AttributeProto.GRAPH else []
    return [*single, *attribute.graphs]


def _check_tensor(tensor: TensorProto) -> None:
    if tensor.data_type not in TensorProto.DataType.values():
        raise UsageError(f"the weight {tensor.name} is of an unknown type", REMEDY)
    if any(size < 0 for size in tensor.dims):
        shape = tuple(tensor.dims)
        raise UsageError(f"the weight {tensor.name} has a negative size: {shape}", REMEDY)


def _check_external(tensor: TensorProto, folder: Path | None) -> None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if _leads_out(location):
        raise UsageError(
            f"the weight {tensor.name} lies outside the model's folder, in {location!r}",
            "Put the weights into the model's folder, and save the model again.",
        )
    if folder is None:
        return
    path = folder / location
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"the weight {tensor.name} lies outside the model's folder: {location!r} is a link",
            "Put the file itself into the model's folder.",
        )
    if not path.is_file():
        raise UsageError(
            f"the weight {tensor.name} lies in {location!r}, which is not in the model's folder",
            "Copy that file into the model's folder.",
        )
    _check_extent(tensor, entries, path)
    _load_if_small(tensor, entries, path)


def _leads_out(location: str) -> bool:
    """Return whether a path is empty, absolute, or has "..", on any operating system."""
    parts = PureWindowsPath(location).parts
    absolute = PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor != ""
    return not location or absolute or ".." in parts


def _read_number(entries: dict[str, str], key: str, tensor: TensorProto, default: int) -> int:
    text = entries.get(key, str(default))
    if not text.isdigit():
        raise UsageError(
            f"the weight {tensor.name} has an invalid {key} in its file: {text!r}", REMEDY
        )
    return int(text)


def _check_extent(tensor: TensorProto, entries: dict[str, str], path: Path) -> None:
    elements = prod(tensor.dims)
    offset = _read_number(entries, "offset", tensor, 0)
    length = _read_number(entries, "length", tensor, count_stored_bytes(tensor.data_type, elements))
    if offset + length > path.stat().st_size:
        raise UsageError(
            f"the weight {tensor.name} extends beyond the end of {path.name}, which is truncated",
            "Copy that file again.",
        )


def _load_if_small(tensor: TensorProto, entries: dict[str, str], path: Path) -> None:
    """Read a tensor of a few integers, since it may be a shape."""
    elements = prod(tensor.dims)
    if tensor.data_type in FLOATING or elements > MOST_INTEGERS:
        return
    with path.open("rb") as file:
        file.seek(int(entries.get("offset", "0")))
        tensor.raw_data = file.read(count_stored_bytes(tensor.data_type, elements))
    tensor.data_location = TensorProto.DEFAULT
