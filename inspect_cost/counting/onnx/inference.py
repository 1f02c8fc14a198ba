"""Infer an operator's results: shapes by ONNX's inference, small contents by its reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TypeProto, helper, numpy_helper, shape_inference
from onnx.defs import OpSchema, SchemaError
from onnx.reference import ReferenceEvaluator

from inspect_cost.counting.onnx.call import STANDARD, MisfitError, NodeCall, refuse_malformed
from inspect_cost.counting.onnx.early import infer_early_form, modernise
from inspect_cost.counting.onnx.fused_shapes import AS_STANDARD, FUSED_SHAPES, MODEL_VERSION
from inspect_cost.counting.onnx.value import (
    MOST_INTEGERS,
    Array,
    UnknownShapeError,
    Value,
    complete_value,
    make_known,
    read_type,
)
from inspect_cost.values.errors import UsageError, one_line

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
#: Element types to try for operands whose type is an assumption.
_TYPES_TO_TRY = (None, onnx.TensorProto.INT64, onnx.TensorProto.BOOL, onnx.TensorProto.INT32)
_RANDOM = ("Random", "Bernoulli", "Multinomial")


def get_schema(node: NodeProto, version: int) -> OpSchema | None:
    """Return ONNX's schema of an operator, or None if it is not one of ONNX's."""
    domain = "" if node.domain in STANDARD else node.domain
    try:
        return onnx.defs.get_schema(node.op_type, version, domain)
    except SchemaError:
        return None


@dataclass(frozen=True)
class Statements:
    """What is said about results besides what follows from operands.

    Attributes:
        declared: name -> value that the file declares, with the sizes that are known.
        given: name -> shape that the caller gives.
    """

    declared: Mapping[str, Value] = field(default_factory=dict)
    given: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def infer_results(
    call: NodeCall, opsets: Mapping[str, int], statements: Statements
) -> list[Value | None]:
    """Infer the results of one call.

    Args:
        call: the call, with operands but no results yet.
        opsets: domain -> version that the file uses.
        statements: what completes results that do not follow from the operands.

    Raises:
        UsageError: the operands do not fit the operator, or a given shape not its result.
    """
    values = complete_results(call, _apply_shape_function(call, opsets), statements)
    return evaluate_contents(call, values, opsets)


def complete_results(
    call: NodeCall, inferred: Sequence[Value | None], statements: Statements
) -> list[Value | None]:
    """Return all results of a call, with the sizes that only the file or the caller states."""
    values: list[Value | None] = []
    for position, name in enumerate(call.node.output):
        value = inferred[position] if position < len(inferred) else None
        values.append(_complete_result(call, name, value, statements) if name else None)
    return values


def _complete_result(
    call: NodeCall, name: str, inferred: Value | None, statements: Statements
) -> Value:
    value = inferred or Value(
        _assume_type(call), None, because=_explain_unknown(call), assumed=True
    )
    if name in statements.declared:
        value = complete_value(value, statements.declared[name])
    if name in statements.given:
        value = _apply_given_shape(call, name, value, statements.given[name])
    if value.shape and min(value.shape) < 0:
        raise MisfitError(f"{call.label} ({call.operator}) returns a negative size", _CHECK)
    return value


def _apply_given_shape(call: NodeCall, name: str, value: Value, shape: tuple[int, ...]) -> Value:
    known = value.shape if value.shape is not None else value.axes
    fits = known is None or (
        len(known) == len(shape)
        and all(n in {None, size} for n, size in zip(known, shape, strict=True))
    )
    if not fits:
        raise UsageError(
            f"{name}, which {call.label} ({call.operator}) returns, has the shape {known}, "
            f"but {shape} was given",
            "Give only shapes that the graph leaves open.",
            field="input_shapes",
        )
    return value if value.shape is not None else replace(value, shape=shape, axes=shape)


def _assume_type(call: NodeCall) -> int:
    """Return the type of the first operand of floating-point numbers, or else float32."""
    return next((v.dtype for v in call.inputs if v and v.floating), onnx.TensorProto.FLOAT)


def _apply_shape_function(call: NodeCall, opsets: Mapping[str, int]) -> Sequence[Value | None]:
    fused = FUSED_SHAPES.get(call.operator)
    try:
        with refuse_malformed(call, _CHECK):
            return infer_by_schema(call, opsets) if fused is None else fused(call)
    except UnknownShapeError:
        return []


def _explain_unknown(call: NodeCall) -> str:
    for value in call.inputs:
        if value and not value.sized and value.because:
            return value.because  # the first shape that is unknown is the one to report
    if get_schema(call.node, call.version) is None:
        return f"the shape that {call.label} ({call.operator}) returns is not known"
    return f"the size of what {call.label} ({call.operator}) returns depends on values"


def infer_by_schema(call: NodeCall, opsets: Mapping[str, int]) -> Sequence[Value | None]:
    """Infer results as ONNX does, from what is known of the operands' shapes and contents."""
    node, version = call.node, call.version
    if call.operator in AS_STANDARD:
        own = call.node.domain in STANDARD
        node = AS_STANDARD[call.operator](call.node)
        version = opsets.get("", 1) if own else MODEL_VERSION
    schema = get_schema(node, version)
    if schema is None or any(value and not value.is_tensor for value in call.inputs):
        return []
    early = infer_early_form(call)
    if early is not None:
        return early
    node, version, schema = modernise(node, version, schema)
    opsets = {**opsets, "": version} if node.domain in STANDARD else opsets
    operands = list(zip(node.input, call.inputs, strict=False))
    data = {
        n: numpy_helper.from_array(np.ascontiguousarray(v.data).reshape(v.data.shape))
        for n, v in operands
        if n and v and v.data is not None
    }
    imports = [helper.make_operatorsetid(domain, v) for domain, v in opsets.items()]
    assumed = any(v.assumed for v in call.inputs if v)
    for assumption in _TYPES_TO_TRY if assumed else (None,):
        types = {n: _get_type(v, assumption) for n, v in operands if n and v}
        try:
            inferred = shape_inference.infer_node_outputs(
                schema, node, types, data, opset_imports=imports
            )
        except _DOES_NOT_FIT as error:
            mismatch = error
        else:
            return [_read_inferred(call, inferred.get(name), assumed) for name in node.output]
    if assumed:
        return []
    raise MisfitError(
        f"{call.label} ({call.operator}) does not fit its operands: {one_line(mismatch, 200)}",
        _CHECK,
    ) from mismatch


def _get_type(value: Value, assumption: int | None) -> TypeProto:
    """Return a value's type, with another element type if its own is an assumption."""
    substituted = value.assumed and assumption is not None
    return (replace(value, dtype=assumption) if substituted and assumption else value).type


def _read_inferred(call: NodeCall, inferred: TypeProto | None, assumed: bool) -> Value | None:
    if inferred is None:
        return None
    value = read_type(inferred, _explain_unknown(call))
    return replace(value, assumed=assumed) if assumed else value


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
    sizes = call.x.shape if call.inputs and call.inputs[0] else None
    if call.operator == "onnx.Size" and sizes is not None:
        return make_known(np.array(prod(sizes), np.int64))
    axes = sizes if sizes is not None else call.x.axes
    if call.operator != "onnx.Shape" or axes is None:
        return None
    asked = axes[call.get("start", 0) : call.get("end")]
    return None if None in asked else make_known(np.array(asked, np.int64))


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
