"""Nodes of opsets 1 to 5, for which ONNX has no inference, in terms of a later version that has."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import onnx
from onnx import NodeProto, TensorProto, helper
from onnx.defs import OpSchema, SchemaError

from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.value import Value, make_like

#: Last opset in which operators have no inference: later ones have a newer version.
LAST_EARLY = 5
#: First versions with inference where a version in between states none of its results.
_INFERRED_SINCE = {"GRU": 7}


def modernise(node: NodeProto, version: int, schema: OpSchema) -> tuple[NodeProto, int, OpSchema]:
    """Return a node of an early opset as one of the first later version that has inference."""
    since = _INFERRED_SINCE.get(node.op_type, LAST_EARLY + 1)
    inferred = schema.has_type_and_shape_inference_function and node.op_type not in _INFERRED_SINCE
    later = None if inferred or version >= since else _find_inferring_schema(node.op_type, version)
    if later is None:
        return node, version, schema
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    rewrite = _REWRITTEN.get(node.op_type, dict)
    kept = {k: v for k, v in rewrite(attributes).items() if k in later.attributes}
    modern = helper.make_node(node.op_type, node.input, node.output, node.name, **kept)
    return modern, later.since_version, later


def _find_inferring_schema(op_type: str, version: int) -> OpSchema | None:
    first = _INFERRED_SINCE.get(op_type, version + 1)
    for candidate in range(first, onnx.defs.onnx_opset_version() + 1):
        try:
            schema = onnx.defs.get_schema(op_type, candidate, "")
        except SchemaError:
            return None
        if schema.has_type_and_shape_inference_function:
            return schema
    return None


def _name_type(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return Cast's attributes with the type's number instead of its name."""
    return attributes | {"to": TensorProto.DataType.Value(attributes["to"].decode().upper())}


def _round_power(attributes: dict[str, Any]) -> dict[str, Any]:
    return attributes | {"p": int(attributes.get("p", 2))}


def _rename_pads(attributes: dict[str, Any]) -> dict[str, Any]:
    return attributes | {"pads": attributes["paddings"]}


def _state_axis(attributes: dict[str, Any]) -> dict[str, Any]:
    return {"axis": 1} | attributes


def _list_scales(attributes: dict[str, Any]) -> dict[str, Any]:
    scales = [1.0, 1.0, attributes["height_scale"], attributes["width_scale"]]
    return attributes | {"scales": scales}


#: Operator -> function from its early attributes to those of the later version.
_REWRITTEN: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "Cast": _name_type,
    "Concat": _state_axis,
    "GlobalLpPool": _round_power,
    "LpPool": _round_power,
    "Pad": _rename_pads,
    "Upsample": _list_scales,
}


def _reshape(call: NodeCall) -> list[Value | None]:
    """Return the operand in the shape of an attribute; 0 keeps a size, and -1 is what is left."""
    wanted = list(call.get("shape"))
    sizes = [n or call.x.sizes[axis] for axis, n in enumerate(wanted)]
    if -1 in sizes:
        rest = -prod(sizes)
        sizes[sizes.index(-1)] = call.x.size // rest
    if prod(sizes) != call.x.size:
        raise ValueError(f"{call.x.sizes} cannot be reshaped to {tuple(wanted)}")
    return [make_like(call.x, tuple(sizes))]


def _split(call: NodeCall) -> list[Value | None] | None:
    """Return the pieces whose lengths an operand gives; None if an attribute does."""
    lengths = call.optional(1)
    if lengths is None or lengths.data is None:
        return None
    axis, sizes = call.get("axis", 0), call.x.sizes
    return [
        make_like(call.x, (*sizes[:axis], int(n), *sizes[axis:][1:])) for n in lengths.data.ravel()
    ]


def _tile(call: NodeCall) -> list[Value | None] | None:
    """Return the operand with one axis repeated; None if a repetition is not known."""
    tiles, axis = call.operand(1).scalar, call.operand(2).scalar
    if tiles is None or axis is None:
        return None
    sizes = list(call.x.sizes)
    sizes[int(axis)] *= int(tiles)
    return [make_like(call.x, tuple(sizes))]


#: Operator -> (last version of a form that no later version has, its results).
EARLY_SHAPES: Mapping[str, tuple[int, Callable[[NodeCall], list[Value | None] | None]]] = {
    "onnx.Reshape": (4, _reshape),
    "onnx.Split": (1, _split),
    "onnx.Tile": (5, _tile),
}


def infer_early_form(call: NodeCall) -> list[Value | None] | None:
    """Return the results of a call whose form only an early version has, else None."""
    last, shape = EARLY_SHAPES.get(call.operator, (0, None))
    return shape(call) if shape and call.version <= last else None
