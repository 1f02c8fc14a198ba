"""What an operator's results are: by ONNX's own inference, and small contents by its reference."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TypeProto, helper, numpy_helper, shape_inference
from onnx.defs import OpSchema, SchemaError
from onnx.reference import ReferenceEvaluator

from inspect_cost.counting.onnx.call import STANDARD, Call
from inspect_cost.counting.onnx.fused_shapes import AS_STANDARD, FUSED_SHAPES
from inspect_cost.counting.onnx.value import MOST_INTEGERS, Array, Value, known, of_type
from inspect_cost.values.errors import UsageError

#: Operators whose results' sizes follow from contents, and are no larger than their operands.
_BOUNDED = frozenset({"NonZero", "Compress", "Unique"})
_DOES_NOT_FIT = (
    onnx.checker.ValidationError,
    shape_inference.InferenceError,
    RuntimeError,
    LookupError,
    ValueError,
)
_CHECK = "Check the shapes that you gave, or the file with onnx.checker.check_model."
_RANDOM = ("Random", "Bernoulli", "Multinomial")


def schema_of(node: NodeProto, version: int) -> OpSchema | None:
    """ONNX's description of an operator, or None where it is not ONNX's."""
    domain = "" if node.domain in STANDARD else node.domain
    try:
        return onnx.defs.get_schema(node.op_type, version, domain)
    except SchemaError:
        return None


def results(
    call: Call, opsets: Mapping[str, int], declared: Mapping[str, TypeProto]
) -> list[Value | None]:
    """The results of one call.

    Args:
        call: without its results.
        opsets: domain -> version that the file uses.
        declared: types that the file states, for operators that nothing else tells of.

    Raises:
        UsageError: the operands do not fit the operator.
    """
    inferred = _inferred(call, opsets)
    values = []
    for position, name in enumerate(call.node.output):
        value = inferred[position] if position < len(inferred) else None
        if name and (value is None or value.shape is None) and name in declared:
            value = of_type(declared[name], _reason(call))
        if name and value is None:
            value = Value(onnx.TensorProto.UNDEFINED, None, because=_reason(call))
        if value and value.shape and min(value.shape) < 0:
            raise UsageError(f"{call.label} ({call.operator}) makes a size below 0", _CHECK)
        values.append(value if name else None)
    return evaluated(call, values, opsets)


def _inferred(call: Call, opsets: Mapping[str, int]) -> Sequence[Value | None]:
    """What the operator's rule of shapes says; one that stumbles met an impossible node."""
    try:
        return _shape_function(call)(call, opsets)
    except UsageError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise UsageError(
            f"{call.label} ({call.operator}) is not as its definition says: {_first_line(error)}",
            _CHECK,
        ) from error


def _reason(call: Call) -> str:
    for value in call.inputs:
        if value and value.shape is None and value.because:
            return value.because  # what is not known begins further up
    if schema_of(call.node, call.version) is None:
        return f"nothing tells what {call.label} ({call.operator}) returns"
    return f"the size of what {call.label} ({call.operator}) returns depends on values"


ShapeFunction = Callable[[Call, Mapping[str, int]], Sequence[Value | None]]


def _shape_function(call: Call) -> ShapeFunction:
    fused = FUSED_SHAPES.get(call.operator)
    if fused is not None:
        return lambda given, _opsets: fused(given)
    return by_schema


def by_schema(call: Call, opsets: Mapping[str, int]) -> Sequence[Value | None]:
    """As ONNX infers it, from the operands' shapes and small contents."""
    node, version = call.node, call.version
    if call.operator in AS_STANDARD:
        node, version = AS_STANDARD[call.operator](call.node), opsets.get("", 1)
    schema = schema_of(node, version)
    if schema is None or any(value and value.shape is None for value in call.inputs):
        return []
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
        raise UsageError(
            f"{call.label} ({call.operator}) does not fit its operands: {_first_line(error)}",
            _CHECK,
        ) from error
    return [of_type(inferred[n], _reason(call)) if n in inferred else None for n in node.output]


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200]


def evaluated(
    call: Call, values: list[Value | None], opsets: Mapping[str, int]
) -> list[Value | None]:
    """The same with contents, where they are small and follow from contents that are known."""
    asked = _answered(call)
    if asked is not None:
        return [asked]
    if any(value and value.data is None for value in call.inputs) or not _small(call, values):
        return values
    if schema_of(call.node, call.version) is None or call.node.op_type.startswith(_RANDOM):
        return values
    try:
        contents = _computed(call, opsets)
    except Exception:  # noqa: BLE001 - whatever the reference cannot do stays unknown
        return values
    return [
        known(c) if v is not None and isinstance(c, np.ndarray) else v
        for c, v in zip(contents, values, strict=True)
    ]


def _answered(call: Call) -> Value | None:
    """What Shape and Size return: they need no contents."""
    if call.operator not in {"onnx.Shape", "onnx.Size"} or call.x.shape is None:
        return None
    if call.node.op_type == "Size":
        return known(np.array(call.x.size, np.int64))
    start, end = call.get("start", 0), call.get("end")
    return known(np.array(call.x.shape[start:end], np.int64))


def _small(call: Call, values: Sequence[Value | None]) -> bool:
    """Whether evaluating is known to make little."""
    if call.node.op_type in _BOUNDED:
        return True
    shapes = [value.shape for value in values if value]
    return all(shape is not None and prod(shape) <= MOST_INTEGERS for shape in shapes)


def _computed(call: Call, opsets: Mapping[str, int]) -> list[Any]:
    inputs = {n: v.data for n, v in zip(call.node.input, call.inputs, strict=False) if n and v}
    graph = helper.make_graph(
        [call.node],
        "one",
        [helper.make_value_info(n, call_input.type) for n, call_input in _present(call)],
        [helper.make_value_info(n, TypeProto()) for n in call.node.output if n],
    )
    imports = [helper.make_operatorsetid(domain, v) for domain, v in opsets.items()]
    model = helper.make_model(graph, opset_imports=imports)
    with np.errstate(all="ignore", divide="raise"):  # integers over 0 are nothing to go on with
        made = iter(ReferenceEvaluator(model).run(None, inputs))
    return [next(made) if name else None for name in call.node.output]


def _present(call: Call) -> list[tuple[str, Value]]:
    pairs = zip(call.node.input, call.inputs, strict=False)
    return list({n: v for n, v in pairs if n and v}.items())


def constant(name: str, value: Any) -> Array:
    """What a Constant's attribute other than a tensor holds: value_ints, value_float ..."""
    if "string" in name:
        return np.array(value, dtype=object)
    return np.array(value, np.int64 if "int" in name else np.float32)
