"""The MACs of a count are those that onnxruntime executes, by the shapes of what it computes."""

from pathlib import Path

import onnx
import pytest
from onnx import ModelProto

from inspect_cost import count_onnx
from tests.counting.onnx.executed import EXECUTED, make_random_feed, sum_macs
from tests.counting.onnx.graphs import BODIES
from tests.counting.onnx.test_impossible_calls import IR_VERSION, runs, single_nodes
from tests.counting.onnx.test_older_files import FILES, FOLDER, list_weights_as_inputs
from tests.counting.onnx.test_onnxruntime import with_weights

pytest.importorskip("onnxruntime")

#: Values decide on the size, which is followed where the count knows it.
DYNAMIC = """g (float[4,8] x) => (float[m,n] y) <float[8,16] w, float[16,5] v> {
  a = MatMul(x, w)  s = Shape(a)  k = Shape <start = 0, end = 1> (x)  n = ConstantOfShape(k)
  m = NonZero(n)  r = Relu(a)  y = MatMul(r, v) }"""


@pytest.mark.parametrize("body", [*BODIES.values(), DYNAMIC], ids=[*BODIES, "dynamic"])
def test_small_graphs(body: str) -> None:
    model = with_weights(body)
    model.ir_version = 8
    if any(node.op_type == "If" for node in model.graph.node):
        pytest.skip("its contractions are not in the main graph")
    assert count_onnx(model).macs == sum_macs(model, make_random_feed(model)) > 0


@pytest.mark.parametrize("body", [BODIES["convolutions"], BODIES["products"]])
def test_graphs_with_weights_as_inputs(body: str) -> None:
    model = list_weights_as_inputs(with_weights(body), 8)
    assert count_onnx(model).macs == sum_macs(model, make_random_feed(model)) > 0


def read_runnable(path: Path) -> ModelProto | None:
    """Return a file with contractions that runs, and has no open axes."""
    model = onnx.load(path)
    operators = {node.op_type for node in model.graph.node}
    closed = all(
        dim.HasField("dim_value") for e in model.graph.input for dim in e.type.tensor_type.shape.dim
    )
    return model if operators & EXECUTED.keys() and closed else None


CONTRACTING = [path for path in FILES if "pytorch" in str(path) and read_runnable(path)]


@pytest.mark.parametrize("path", CONTRACTING, ids=lambda path: str(path.relative_to(FOLDER)))
def test_files_that_ship_with_onnx(path: Path) -> None:
    model = read_runnable(path)
    assert model is not None
    assert count_onnx(path).macs == sum_macs(model, make_random_feed(model)) > 0


@pytest.mark.slow
def test_onnxs_own_cases_of_each_contraction() -> None:
    found = 0
    for name, (model, arrays) in single_nodes().items():
        node = model.graph.node[0]
        usual = all(len(a.shape) > 2 for a in arrays[:2]) or node.op_type != "Attention"
        layout = any(a.name == "layout" for a in node.attribute)
        if node.op_type not in EXECUTED or not usual or layout:
            continue
        feed = dict(zip([entry.name for entry in model.graph.input], arrays, strict=True))
        model.ir_version = min(model.ir_version, IR_VERSION)
        if not runs(model, feed):
            continue
        assert count_onnx(model).macs == sum_macs(model, feed), name
        found += 1
    assert found > 10


def test_a_loop_over_products_is_counted_as_unrolled() -> None:
    loop = with_weights(
        """g (float[4,4] x) => (float[4,4] y) <float[4,4] w> {
      m = Constant <value_int = 3> ()
      y = Loop <body = b (int64 i, bool on, float[4,4] h) => (bool still, float[4,4] next) {
        still = Identity(on)  next = MatMul(h, w) }> (m, "", x) }"""
    )
    unrolled = with_weights(
        "g (float[4,4] x) => (float[4,4] y) <float[4,4] w> "
        "{ a = MatMul(x, w)  b = MatMul(a, w)  y = MatMul(b, w) }"
    )
    unrolled.ir_version = 8
    assert count_onnx(loop).macs == sum_macs(unrolled, make_random_feed(unrolled))
