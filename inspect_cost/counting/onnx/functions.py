"""Operators defined by other operators: the file's own functions, and those that ONNX defines."""

from collections.abc import Mapping
from typing import Any

import onnx
from onnx import FunctionProto

from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.inference import get_schema

Functions = Mapping[tuple[str, str, str], FunctionProto]


def find_function_body(
    call: NodeCall, functions: Functions, versions: Mapping[str, int]
) -> FunctionProto | None:
    """Return the function that defines an operator, or None if there is none."""
    node = call.node
    own = functions.get((node.domain, node.op_type, node.overload))
    if own is not None:
        return own
    schema: Any = get_schema(node, call.version)  # its stubs lack the attributes used here
    if schema is None:
        return None
    if schema.has_context_dependent_function:
        types = [v.type.SerializeToString() if v else b"" for v in call.inputs]
        newest = versions.get("", onnx.defs.onnx_opset_version())
        fitting = [v for v in schema.context_dependent_function_opset_versions if v <= newest]
        version = max(fitting, default=newest)
        try:
            body = schema.get_context_dependent_function_with_opset_version(
                version, node.SerializeToString(), types
            )
        except ValueError:  # it needs a type that is unknown
            return None
        return FunctionProto.FromString(body) if body else None
    return schema.function_body if schema.has_function else None
