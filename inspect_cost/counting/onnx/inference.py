"""Infer an operator's results: shapes by ONNX's inference, small contents by its reference."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TypeProto, helper, numpy_helper, shape_inference
from onnx.defs import OpSchema, SchemaError
from onnx.reference import ReferenceEvaluator

from inspect_cost.counting.onnx.call import STANDARD, MisfitError, NodeCall, refuse_malformed
from inspect_cost.counting.onnx.early import infer_early_form, modernise
from inspect_cost.counting.onnx.fused_shapes import AS_STANDARD, FUSED_SHAPES
from inspect_cost.counting.onnx.value import MOST_INTEGERS, Array, Value, make_known, read_type
from inspect_cost.values.errors import one_line

#: Operators whose results have sizes that depend on contents but do not exceed their operands.
_BOUNDED = frozenset({"NonZero", "Compress", "Unique"})
_DOES_NOT_FIT = (
    onnx.checker.ValidationError,
    shape_inference.InferenceError,
    RuntimeError,
    LookupError,
    ValueError,
)
_CHECK = "Check the shapes in `input_shapes`, or the file with onnx.checker.check_model."
_RANDOM = ("Random", "Bernoulli", "Multinomial")


def get_schema(node: NodeProto, version: int) -> OpSchema | None:
    """Return ONNX's schema of an operator, or None if it is not one of ONNX's."""
    domain = "" if node.domain in STANDARD else node.domain
    try:
        return onnx.defs.get_schema(node.op_type, version, domain)
    except SchemaError:
        return None


def infer_results(
    call: NodeCall, opsets: Mapping[str, int], declared: Mapping[str, TypeProto]
) -> list[Value | None]:
    """Infer the results of one call.

    Args:
        call: the call, with operands but no results yet.
        opsets: domain -> version that the file uses.
        declared: types that the file states, used if nothing else gives them.

    Raises:
        UsageError: the operands do not fit the operator.
    """
    inferred = _apply_shape_function(call, opsets)
    values = []
    for position, name in enumerate(call.node.output):
        value = inferred[position] if position < len(inferred) else None
        if name and (value is None or value.shape is None) and name in declared:
            value = read_type(declared[name], _explain_unknown(call))
        if name and value is None:
            value = Value(onnx.TensorProto.UNDEFINED, None, because=_explain_unknown(call))
        if value and value.shape and min(value.shape) < 0:
            raise MisfitError(f"{call.label} ({call.operator}) returns a negative size", _CHECK)
        values.append(value if name else None)
    return evaluate_contents(call, values, opsets)


def _apply_shape_function(call: NodeCall, opsets: Mapping[str, int]) -> Sequence[Value | None]:
    with refuse_malformed(call, _CHECK):
        fused = FUSED_SHAPES.get(call.operator)
        return infer_by_schema(call, opsets) if fused is None else fused(call)


def _explain_unknown(call: NodeCall) -> str:
    for value in call.inputs:
        if value and value.shape is None and value.because:
            return value.because  # the first shape that is unknown is the one to report
    if get_schema(call.node, call.version) is None:
        return f"the shape that {call.label} ({call.operator}) returns is not known"
    return f"the size of what {call.label} ({call.operator}) returns depends on values"


def infer_by_schema(call: NodeCall, opsets: Mapping[str, int]) -> Sequence[Value | None]:
    """Infer results as ONNX does, from the operands' shapes and small contents."""
    node, version = call.node, call.version
    if call.operator in AS_STANDARD:
        node, version = AS_STANDARD[call.operator](call.node), opsets.get("", 1)
    schema = get_schema(node, version)
    if schema is None or any(value and value.shape is None for value in call.inputs):
        return []
    early = infer_early_form(call)
    if early is not None:
        return early
    node, version, schema = modernise(node, version, schema)
    opsets = {**opsets, "": version} if node.domain in STANDARD else opsets
    types = {n: v.type for n, v in zip(node.input, call.inputs, strict=False) if n and v}
    data = {
        n: numpy_helper.from_array(np.ascontiguousarray(v.data).reshape(v.data.shape))
        for n, v in zip(node.input, call.inputs, strict=False)
        if n and v and v.data is not None
    }
    imports = [helper.make_operatorsetid(domain, v) for domain, v in opsets.items()]
    try:
        inferred = shape_inference.infer_node_outputs(
            schema, node, types, data, opset_imports=imports
        )
    except _DOES_NOT_FIT as error:
        raise MisfitError(
            f"{call.label} ({call.operator}) does not fit its operands: {one_line(error, 200)}",
            _CHECK,
        ) from error
    return [
        read_type(inferred[n], _explain_unknown(call)) if n in inferred else None
        for n in node.output
    ]


def evaluate_contents(
    call: NodeCall, values: list[Value | None], opsets: Mapping[str, int]
) -> list[Value | None]:
    """Return the values with their contents if these are small and follow from known contents."""
    answer = _answer_from_shape(call)
    if answer is not None:
        return [answer]
    if any(value and value.data is None for value in call.inputs) or not _is_small(call, values):
        return values
    if get_schema(call.node, call.version) is None or call.node.op_type.startswith(_RANDOM):
        return values
    try:
        contents = _compute(call, opsets)
    except Exception:  # noqa: BLE001 - contents that the reference cannot compute stay unknown
        return values
    return [
        make_known(c) if v is not None and isinstance(c, np.ndarray) else v
        for c, v in zip(contents, values, strict=True)
    ]


def _answer_from_shape(call: NodeCall) -> Value | None:
    """Return the result of Shape or Size, which need no contents; None for other operators."""
    if call.operator not in {"onnx.Shape", "onnx.Size"} or call.x.shape is None:
        return None
    if call.node.op_type == "Size":
        return make_known(np.array(call.x.size, np.int64))
    start, end = call.get("start", 0), call.get("end")
    return make_known(np.array(call.x.shape[start:end], np.int64))


def _is_small(call: NodeCall, values: Sequence[Value | None]) -> bool:
    """Return whether the results are known to be small."""
    if call.node.op_type in _BOUNDED:
        return True
    shapes = [value.shape for value in values if value]
    return all(shape is not None and prod(shape) <= MOST_INTEGERS for shape in shapes)


def _compute(call: NodeCall, opsets: Mapping[str, int]) -> list[Any]:
    inputs = {n: v.data for n, v in zip(call.node.input, call.inputs, strict=False) if n and v}
    graph = helper.make_graph(
        [call.node],
        "one",
        [
            helper.make_value_info(n, call_input.type)
            for n, call_input in _list_present_inputs(call)
        ],
        [helper.make_value_info(n, TypeProto()) for n in call.node.output if n],
    )
    imports = [helper.make_operatorsetid(domain, v) for domain, v in opsets.items()]
    model = helper.make_model(graph, opset_imports=imports)
    with np.errstate(all="ignore", divide="raise"):  # an integer over 0 has no value
        results = iter(ReferenceEvaluator(model).run(None, inputs))
    return [next(results) if name else None for name in call.node.output]


def _list_present_inputs(call: NodeCall) -> list[tuple[str, Value]]:
    pairs = zip(call.node.input, call.inputs, strict=False)
    return list({n: v for n, v in pairs if n and v}.items())


def read_constant(name: str, value: Any) -> Array:
    """Return the contents of a Constant's attribute other than a tensor, such as value_ints."""
    if "string" in name:
        return np.array(value, dtype=object)
    return np.array(value, np.int64 if "int" in name else np.float32)
