"""MACs of a graph as onnxruntime executes it, by brute force: every value is made an output.

Nothing of the count's code is used. Shapes are those of the arrays that come out, and the
contractions are written out as definitions have them.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, helper, numpy_helper

Arrays = Mapping[str, Any]


def run_exposed(model: ModelProto, feed: Arrays) -> dict[str, Any]:
    """Return name -> array of every stored tensor, input and result of the main graph."""
    onnxruntime = pytest.importorskip("onnxruntime")
    exposed = ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    names = [name for node in model.graph.node for name in node.output if name]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(exposed.SerializeToString(), options)
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        pytest.skip(f"onnxruntime no longer has this version: {error}")
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    return {**stored, **feed, **dict(zip(names, session.run(names, feed), strict=True))}


def sum_macs(model: ModelProto, feed: Arrays) -> int:
    """Return the MACs that one run executes in the main graph."""
    arrays = run_exposed(model, feed)
    return sum(
        EXECUTED[node.op_type](
            node, [arrays.get(n) for n in node.input], arrays.get(node.output[0])
        )
        for node in model.graph.node
        if node.op_type in EXECUTED
    )


def _read(node: NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _matmul(_node: NodeProto, inputs: list[Any], out: Any) -> int:
    return int(out.size * inputs[0].shape[-1])


def _gemm(node: NodeProto, inputs: list[Any], out: Any) -> int:
    return int(out.size * inputs[0].shape[0 if _read(node).get("transA", 0) else 1])


def _conv(weight_at: int) -> Callable[[NodeProto, list[Any], Any], int]:
    """Each result is a sum over one filter."""
    return lambda _node, inputs, out: int(out.size * prod(inputs[weight_at].shape[1:]))


def _conv_transpose(_node: NodeProto, inputs: list[Any], _out: Any) -> int:
    """Each input is multiplied by all weights of its channel."""
    return int(inputs[0].size * prod(inputs[1].shape[1:]))


def _recurrent(_node: NodeProto, inputs: list[Any], _out: Any) -> int:
    x, w, r = inputs[:3]
    return int(x.shape[0] * x.shape[1] * (w.size + r.size))


def _einsum(node: NodeProto, inputs: list[Any], _out: Any) -> int:
    """Return the product of all sizes, for two operands that share each index that is summed."""
    terms = _read(node)["equation"].decode().replace(" ", "").partition("->")[0].split(",")
    if len(terms) == 1:
        return 0
    sizes: dict[str, int] = {}
    for term, array in zip(terms, inputs, strict=True):
        sizes.update(zip(term, array.shape, strict=True))
    return prod(sizes.values())


def _attention(_node: NodeProto, inputs: list[Any], _out: Any) -> int:
    """Return the scores times the sizes of a key and of a value, of 4-D operands."""
    q, k, v = inputs[:3]
    past = inputs[4].shape[2] if len(inputs) > 4 and inputs[4] is not None else 0
    return int(prod(q.shape[:3]) * (past + k.shape[2]) * (q.shape[3] + v.shape[3]))


EXECUTED: Mapping[str, Callable[[NodeProto, list[Any], Any], int]] = {
    "Attention": _attention,
    "Conv": _conv(1),
    "ConvInteger": _conv(1),
    "ConvTranspose": _conv_transpose,
    "Einsum": _einsum,
    "GRU": _recurrent,
    "Gemm": _gemm,
    "LSTM": _recurrent,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearConv": _conv(3),
    "QLinearMatMul": _matmul,
    "RNN": _recurrent,
}


def make_random_feed(model: ModelProto, sizes: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Return small random values for the inputs that nothing stored gives, open axes by name."""
    random, feed = np.random.default_rng(0), {}
    stored = {tensor.name for tensor in model.graph.initializer}
    for entry in model.graph.input:
        if entry.name in stored:
            continue
        dims = entry.type.tensor_type.shape.dim
        shape = [(sizes or {}).get(d.dim_param, 2) if d.dim_param else d.dim_value for d in dims]
        dtype = helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type)
        feed[entry.name] = random.integers(0, 2, shape).astype(dtype)
    return feed
