"""Graphs that onnxruntime itself has optimised or quantised have the MACs of the float graph."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

from inspect_cost import count_onnx
from tests.counting.onnx.graphs import graph

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore")

# Sixteen channels fill a block on every CPU, of 8 with AVX2 and of 16 with AVX-512 or on ARM; fewer
# are padded with zeros, which are then in the file and count.
CONVOLUTIONS = """g (float[1,4,12,12] x) => (float[m,n] y) <
    float[16,4,3,3] a, float[16,1,3,3] b, float[16] c, float[16,16,1,1] d, float[16,5] e> {
  p = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, a)  q = Relu(p)
  r = Conv <group = 16, pads = [1, 1, 1, 1]> (q, b, c)  s = Sigmoid(r)  t = Mul(s, q)
  u = Conv(t, d)  v = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (u)
  w = GlobalAveragePool(v)  f = Flatten(w)  y = MatMul(f, e) }"""
ATTENTION = """g (float[2,6,8] x) => (float[m,n,o] y) <
    float[8,8] a, float[8,8] b, float[8,8] c, float[8] h, float[8] g, float[8,16] e, float[16] i,
    float root = {2.0}, float root2 = {1.4142135}, float one = {1.0}, float half = {0.5}> {
  q = MatMul(x, a)  k = MatMul(x, b)  v = MatMul(x, c)
  kt = Transpose <perm = [0, 2, 1]> (k)  qk = MatMul(q, kt)  z = Div(qk, root)
  p = Softmax <axis = -1> (z)  o1 = MatMul(p, v)  o2 = Add(o1, x)
  n = LayerNormalization(o2, g, h)  l1 = MatMul(n, e)  l = Add(l1, i)
  s2 = Div(l, root2)  s3 = Erf(s2)  s4 = Add(s3, one)  s5 = Mul(l, s4)
  y = Mul(s5, half) }"""
RECURRENT = """g (float[5,2,6] x) => (float[m,n,o,p] y) <
    float[1,16,6] w, float[1,16,4] r, float[1,32] b> { y = LSTM <hidden_size = 4> (x, w, r, b) }"""


def with_weights(body: str) -> ModelProto:
    """The graph, whose weights are declared without contents, with random ones."""
    model = graph(body, opset=17)
    random = np.random.default_rng(0)
    for entry in model.graph.value_info:
        shape = [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
        values = random.random(shape, np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, entry.name))
    return model


class Reader:
    """A few random inputs to calibrate with."""

    def __init__(self, model: ModelProto) -> None:
        entry = model.graph.input[0]
        shape = [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
        random = np.random.default_rng(0)
        self._inputs: Iterator[dict[str, Any]] = iter(
            [{entry.name: random.random(shape, np.float32)}]
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._inputs, None)


def optimised(path: Path) -> Path:
    """What onnxruntime makes of a file with all its optimisations."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(path.with_suffix(".optimised.onnx"))
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return Path(options.optimized_model_filepath)


def quantised(path: Path, model: ModelProto, form: str) -> Path:
    """The file with integers, by onnxruntime's own tool."""
    tool = pytest.importorskip("onnxruntime.quantization")
    out = path.with_suffix(f".{form}.onnx")
    if form == "dynamic":
        tool.quantize_dynamic(path, out)
    else:
        tool.quantize_static(path, out, Reader(model), quant_format=tool.QuantFormat[form])
    return out


GRAPHS = {"convolutions": CONVOLUTIONS, "attention": ATTENTION, "recurrent": RECURRENT}


@pytest.mark.parametrize("form", ["float", "QDQ", "QOperator", "dynamic"])
@pytest.mark.parametrize("name", GRAPHS)
def test_what_onnxruntime_writes_has_the_same_macs(tmp_path: Path, name: str, form: str) -> None:
    model, path = with_weights(GRAPHS[name]), tmp_path / "m.onnx"
    onnx.save(model, path)
    expected = count_onnx(path)
    if form != "float":
        path = quantised(path, model, form)
    for file in (path, optimised(path)):
        report = count_onnx(file)
        assert report.complete, report.uncounted
        assert report.macs == expected.macs
    written = {node.domain for node in onnx.load(file).graph.node}
    assert name == "recurrent" or written - {"", "ai.onnx"}
    if form == "float":  # what is fused costs what its parts did
        assert report.flops == expected.flops
