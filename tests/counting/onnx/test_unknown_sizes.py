"""A size or a cost that nothing tells is a result: what does not hang on it is counted as ever."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from inspect_cost import CostReport, OpCost, count_onnx
from inspect_cost.counting.onnx import following
from inspect_cost.values.errors import UsageError
from tests.counting.onnx.graphs import graph


@pytest.fixture(autouse=True)
def without_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of files that onnxruntime cannot run: a run would tell the sizes."""
    monkeypatch.setattr(following, "has_foreign_operators", lambda _model: True)


CUSTOM = '"acme" : 1, "com.microsoft" : 1'
#: Two products, the second behind rows that a condition picks.
PICKED = """g (float[4,8] x, float[8,16] w, float[1,5] v) => (float[m,n] y)
  <float z = {0.0}, int64[1] last = {1}> {
  a = MatMul(x, w)  g = Greater(a, z)  [nz] nz = NonZero(g)  nt = Transpose(nz)
  p = GatherND(a, nt)  pp = Unsqueeze(p, last)  [behind] y = MatMul(pp, v)  BESIDE }"""


def nodes_of(report: CostReport, code: str = "uncounted") -> str:
    return " ".join(str(note) for note in report.notes if note.code == code)


def test_what_hangs_on_an_unknown_size_is_listed() -> None:
    report = count_onnx(graph(PICKED.replace("BESIDE", "")))
    assert report.macs == 4 * 8 * 16
    assert report.uncounted == {"onnx.MatMul": 1}
    assert "behind" in nodes_of(report)
    assert "nz" in nodes_of(report)
    assert "nz" in nodes_of(report, "unsized")
    assert "at least" in repr(report)


def test_what_stands_beside_an_unknown_size_is_counted() -> None:
    text = PICKED.replace("BESIDE", "b = MatMul(a, u)  c = Tanh(b)")
    report = count_onnx(graph(text.replace("float[1,5] v)", "float[1,5] v, float[16,3] u)")))
    assert report.cost == OpCost(macs=4 * 8 * 16 + 4 * 16 * 3, compare=64, special=12)
    assert report.uncounted == {"onnx.MatMul": 1}
    assert report.by_operator["onnx.MatMul"].calls == 3


#: Operators whose result has a size that depends on values: nodes from x to rows r, and whether
#: the number of features is known behind them.
VALUED = {
    "NonZero": "n = NonZero(x)  t = Transpose(n)  r = Cast <to = 1> (t)",
    "Compress": "c = Greater(x, z)  d = ReduceMax <axes = [1], keepdims = 0> (x)  "
    "e = Cast <to = 9> (d)  r = Compress <axis = 0> (x, e)",
    "Unique": "r = Unique <axis = 0> (x)",
    "NonMaxSuppression": "i = NonMaxSuppression(boxes, scores)  r = Cast <to = 1> (i)",
    "Range": "s = ReduceSum <keepdims = 0> (x)  q = Range(z, s, one)  o = Unsqueeze(q, last)  "
    "r = Identity(o)",
    "Slice": "s = ReduceMax <keepdims = 0, axes = [0, 1]> (x)  i = Cast <to = 7> (s)  "
    "o = Unsqueeze(i, first)  r = Slice(x, first, o, first)",
    "Expand": "s = ReduceMax <keepdims = 0> (x)  i = Cast <to = 7> (s)  "
    "o = Unsqueeze(i, first)  c = Concat <axis = 0> (o, fixed)  r = Expand(x, c)",
    "custom": "r = acme.Pick(x)",
}


@pytest.mark.parametrize("nodes", VALUED.values(), ids=VALUED)
def test_layers_before_beside_and_behind(nodes: str) -> None:
    body = f"""g (float[4,8] h, float[8,8] v, float[1,6,4] boxes, float[1,2,6] scores)
        => (float[m,n] y, float[m,n] k) <float z = {{0.0}}, float one = {{1.0}},
        int64[1] first = {{0}}, int64[1] last = {{1}}, int64[2] fixed = {{2, 16}}> {{
      x = MatMul(h, v)  {nodes}
      [hidden] y = Exp(r)  [known] back = Reshape(y, fixed)  known = Tanh(back)
      k = Sin(x) }}"""
    report = count_onnx(graph(body, opset=17, domains=CUSTOM))
    assert report.macs == 4 * 8 * 8
    assert report.uncounted["onnx.Exp"] == 1
    assert "hidden" in nodes_of(report)
    assert report.by_operator["onnx.Sin"].cost == OpCost(special=32)
    assert report.by_operator["onnx.Tanh"].cost == OpCost(special=32)  # known again
    assert not report.complete


def with_value_info(body: str, name: str, *shape: int | str | None) -> ModelProto:
    model = graph(body, opset=17, domains=CUSTOM)
    entry = helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
    model.graph.value_info.append(entry)
    return model


FOO = """g (float[N,32] x, float[32,64] v, float[64,10] w) => (float[m,n] y) {
  a = MatMul(x, v)  [odd] f = acme.Foo(a)  y = MatMul(f, w) }"""


def test_an_operator_of_another_domain_is_listed() -> None:
    report = count_onnx(graph(FOO, domains=CUSTOM), input_shapes={"x": (3, 32)})
    assert report.macs == 3 * 32 * 64
    assert report.uncounted == {"acme.Foo": 1, "onnx.MatMul": 1}
    assert "odd" in nodes_of(report)


@pytest.mark.parametrize("given", [{"x": (3, 32)}, {"N": 3}])
def test_open_axes_in_the_files_own_shapes_are_bound(given: dict[str, Any]) -> None:
    report = count_onnx(with_value_info(FOO, "f", "N", 64), input_shapes=given)
    assert report.macs == 3 * 32 * 64 + 3 * 64 * 10
    assert report.uncounted == {"acme.Foo": 1}


def test_an_axis_that_only_results_have_may_be_given() -> None:
    model = with_value_info(FOO, "f", "picked", 64)
    report = count_onnx(model, input_shapes={"N": 3, "picked": 5})
    assert report.macs == 3 * 32 * 64 + 5 * 64 * 10


def test_a_shape_may_be_given_to_any_tensor() -> None:
    model = graph(FOO, domains=CUSTOM)
    shapes = {"x": (3, 32), "f": (7, 64)}
    report = count_onnx(model, input_shapes=shapes, op_costs={"acme.Foo": OpCost(add=1)})
    assert report.cost == OpCost(macs=3 * 32 * 64 + 7 * 64 * 10, add=1)
    assert report.complete
    assert not report.notes


def test_a_given_shape_completes_what_is_inferred() -> None:
    report = count_onnx(graph(PICKED.replace("BESIDE", "")), input_shapes={"nz": (2, 9)})
    assert report.macs == 4 * 8 * 16 + 9 * 1 * 5
    assert report.complete


@pytest.mark.parametrize("shape", [(3, 9), (2, 9, 1)])
def test_a_given_shape_that_contradicts_what_is_inferred(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="nz, which nz") as raised:
        count_onnx(graph(PICKED.replace("BESIDE", "")), input_shapes={"nz": shape})
    assert raised.value.field == "input_shapes"


def test_integers_of_another_domain_may_be_indices() -> None:
    body = """g (float[9,8] x, float[8,2] w) => (float[m,n] y) {
      i = acme.Pick(x)  r = Gather(x, i)  y = MatMul(r, w) }"""
    report = count_onnx(graph(body, domains=CUSTOM), input_shapes={"i": (5,)})
    assert report.macs == 5 * 8 * 2


@pytest.mark.parametrize(("trips", "macs"), [(0, 0), (3, 3 * 64), (20_000, 20_000 * 64)])
def test_unknown_sizes_in_a_loop(trips: int, macs: int) -> None:
    body = f"""g (float[4,4] x, float[4,4] w) => (float[4,4] y) <int64 m = {{{trips}}},
        bool go = {{1}}> {{
      y = Loop <body = b (int64 i, bool on, float[4,4] h) => (bool still, float[4,4] next) {{
        still = Identity(on)  next = MatMul(h, w)  p = acme.Pick(next)  [in] q = Exp(p) }}>
        (m, go, x) }}"""
    report = count_onnx(graph(body, domains=CUSTOM))
    assert report.macs == macs
    assert set(report.uncounted) == ({"acme.Pick", "onnx.Exp"} if trips else set())


@pytest.mark.parametrize("trips", [0, 1, 5])
def test_a_loop_of_no_iterations_stacks_nothing(trips: int) -> None:
    body = f"""g (float[4,4] x, float[4,6] w) => (float[m,n,o] y) <int64 m = {{{trips}}},
        bool go = {{1}}> {{
      last, all = Loop <body = b (int64 i, bool on, float[4,4] h)
        => (bool still, float[4,4] next, float[4,4] out) {{
        still = Identity(on)  next = Identity(h)  out = Identity(h) }}> (m, go, x)
      y = MatMul(all, w) }}"""
    report = count_onnx(graph(body))
    assert report.macs == trips * 4 * 4 * 6
    assert report.complete


def test_a_scan_over_a_sequence_of_unknown_length_is_listed() -> None:
    body = """g (float[4,4] x, float[8] h) => (float[8] y) {
      n = NonZero(x)  t = Transpose(n)  f = Cast <to = 1> (t)
      [scan] y = Scan <num_scan_inputs = 1, body = b (float[8] s, float[2] r)
        => (float[8] u) { u = Exp(s) }> (h, f) }"""
    report = count_onnx(graph(body))
    assert report.uncounted == {"onnx.Scan": 1}
    assert "scan" in nodes_of(report)


#: Operators of onnxruntime that have no rule, or more results than are counted.
MICROSOFT: Mapping[str, tuple[str, tuple[int, ...] | None]] = {
    "MoE": (
        "h = com.microsoft.MoE <k = 2> (x, router, up, ub, down)",
        (1, 2, 32),
    ),
    "GroupQueryAttention": (
        (
            "h, k, v, qk = com.microsoft.GroupQueryAttention <num_heads = 4, kv_num_heads = 2, "
            "qk_output = 1> (x, key, key)"
        ),
        (1, 2, 32),
    ),
    "unknown": ("h = com.microsoft.NoSuchOperator(x)", None),
}


@pytest.mark.parametrize(("node", "shape"), MICROSOFT.values(), ids=MICROSOFT)
def test_operators_of_onnxruntime_do_not_refuse_the_file(
    node: str, shape: tuple[int, ...] | None
) -> None:
    body = f"""g (float[1,2,32] x, float[2,4] router, float[4,64,32] up, float[4,64] ub,
        float[4,32,64] down, float[1,2,16] key, float[32,8] w) => (float[a,b,c] y, float[a,b,c] z)
    {{
      {node}  y = Tanh(h)  z = MatMul(x, w) }}"""
    report = count_onnx(graph(body, domains=CUSTOM))
    assert report.by_operator["onnx.MatMul"].macs == 2 * 32 * 8
    assert ("onnx.Tanh" in report.uncounted) == (shape is None)
    if shape is not None:
        assert report.by_operator["onnx.Tanh"].cost == OpCost(special=int(np.prod(shape)))


def test_parameters_behind_an_unknown_size_are_counted() -> None:
    model = graph(FOO, domains=CUSTOM)
    for entry in list(model.graph.input)[1:]:
        shape = [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
        values = np.ones(shape, np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, entry.name))
        model.graph.input.remove(entry)
    assert count_onnx(model, input_shapes={"N": 3}).params == 32 * 64 + 64 * 10


def test_a_file_keeps_its_module_tree_with_unknown_sizes() -> None:
    model = graph(PICKED.replace("BESIDE", ""))
    for node in model.graph.node:
        node.name = f"/block/{node.name or node.op_type}"
    report = count_onnx(model)
    assert report.by_module["block"].macs == 512
    assert not report.by_module["block"].judged
    assert CostReport.from_dict(report.to_dict()).uncounted == report.uncounted
