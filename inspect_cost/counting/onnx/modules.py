"""Find the module that a node or a weight belonged to, from what its exporter left in the file."""

import re
from ast import literal_eval
from functools import lru_cache

from onnx import NodeProto

_SCOPES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
#: A parameter's name in torch: at least one module, then the parameter.
_PARAMETER = re.compile(r"[A-Za-z_]\w*(\.\w+)+")


def find_module(node: NodeProto, known: dict[str, str]) -> str:
    """Return the path of a node's module, "" if the file does not say.

    Args:
        node: the node.
        known: path -> class name; names in the node's metadata are added to it.
    """
    properties = {entry.key: entry.value for entry in node.metadata_props}
    scoped = _parse_scopes(properties.get(_SCOPES, "[]"), properties.get(_CLASSES, "[]"), known)
    if scoped:
        return scoped
    if node.name.startswith("/"):
        return _parse_path(node.name)
    owners = {find_parameter_module(name) for name in node.input} - {""}
    return owners.pop() if len(owners) == 1 else ""


def _parse_scopes(scopes: str, classes: str, known: dict[str, str]) -> str:
    """Parse the metadata of torch 2.5 and later: paths from the model inwards, then the node."""
    paths, names = _parse_literal(scopes)[:-1], _parse_literal(classes)[:-1]
    for path, name in zip(paths, names, strict=False):
        known.setdefault(path, name.rpartition(".")[2])
    return paths[-1] if paths else ""


@lru_cache(maxsize=4096)
def _parse_literal(text: str) -> tuple[str, ...]:
    try:
        listed = literal_eval(text)
    except (ValueError, SyntaxError):
        return ()
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def _parse_path(name: str) -> str:
    """Parse a node's name by the older exporter, whose steps are attributes.

    >>> _from_path("/encoder/layer.0/attention/MatMul_1")
    'encoder.layer.0.attention'
    """
    return ".".join(name.strip("/").split("/")[:-1])


def find_parameter_module(name: str) -> str:
    """Return the module in a weight's name, "encoder.0" of "encoder.0.weight"; "" if none."""
    return name.rpartition(".")[0] if _PARAMETER.fullmatch(name) else ""
