"""Shapes that are computed, subgraphs, functions, parameters and modules."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from inspect_cost import OpCost, count_onnx
from inspect_cost.counting.onnx import control
from inspect_cost.values.errors import UsageError
from inspect_cost.values.notes import codes
from tests.counting.onnx.graphs import MICROSOFT, graph

RESHAPED = """g (float[B,L,6] x, float[3,5] w) => (float[p,q,r,t] y) <int64 one = {1},
    int64[1] two = {2}, int64[1] three = {3}, int64 zero = {0}, int64[1] first = {0}> {
  s = Shape(x)
  b = Gather(s, zero)  bs = Unsqueeze(b, first)
  l = Gather(s, one)   ls = Unsqueeze(l, first)
  shape = Concat <axis = 0> (bs, ls, two, three)
  split = Reshape(x, shape)
  y = MatMul(split, w)
}"""


def test_shapes_are_computed_as_a_runtime_would() -> None:
    report = count_onnx(graph(RESHAPED), input_shapes={"x": (2, 7, 6)})
    assert report.macs == 2 * 7 * 2 * 3 * 5
    assert count_onnx(graph(RESHAPED), input_shapes={"B": 2, "L": 7}).cost == report.cost


def test_open_axes_must_be_given() -> None:
    with pytest.raises(UsageError, match=r"axis 1 of the input x \(B, L, 6\) is open") as raised:
        count_onnx(graph(RESHAPED), input_shapes={"B": 2})
    assert raised.value.field == "input_shapes"


@pytest.mark.parametrize(
    ("shapes", "complaint"),
    [
        ({"z": (1, 2, 6)}, "no input 'z'"),
        ({"Q": 3}, "no open axis 'Q'"),
        ({"x": (1, 2)}, "has 3 axes"),
        ({"x": (1, 2, 7)}, "axis 2 of the input x .* is 6, but 7"),
        ({"x": (1, 2, 6), "L": 3}, "axis 1 of the input x .* is 3, but 2"),
    ],
)
def test_shapes_that_do_not_fit_the_file(shapes: dict[str, int], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as raised:
        count_onnx(graph(RESHAPED), input_shapes=shapes)
    assert raised.value.field == "input_shapes"


BRANCHES = """g (float[4,4] x, float[4,4] w, bool c) => (float[4,4] y) {
  y = If <then_branch = t () => (float[4,4] a) { a = MatMul(x, w) },
          else_branch = e () => (float[4,4] b) { b = Relu(x) }> (c)
}"""


def test_an_if_on_values_counts_its_costlier_branch_and_says_so() -> None:
    report = count_onnx(graph(BRANCHES))
    assert report.cost == OpCost(macs=64)
    assert codes(report.notes) == ("costlier-branch",)
    assert "then" in report.notes[0]


@pytest.mark.parametrize(("condition", "cost"), [(1, OpCost(macs=64)), (0, OpCost(compare=16))])
def test_an_if_on_a_constant_takes_its_branch(condition: int, cost: OpCost) -> None:
    constant = BRANCHES.replace(", bool c)", ")").replace(
        "y) {", f"y) <bool c = {{{condition}}}> {{", 1
    )
    report = count_onnx(graph(constant))
    assert report.cost == cost
    assert not report.notes


def loop(body: str, *, trips: str = "int64 m = {5}, ", inputs: str = "") -> str:
    return f"""g (float[4,4] x, float[4,4] w{inputs}) => (float[4,4] y, float[n,4,4] all)
      <{trips}bool go = {{1}}> {{
      [loop] y, all = Loop <body = b (int64 i, bool on, float[4,4] h)
        => (bool still, float[4,4] next, float[4,4] out) {{ {body} }}> (m, go, x)
    }}"""


STEP = "still = Identity(on)  next = MatMul(h, w)  out = Relu(next)"


def test_a_loop_is_counted_as_often_as_it_runs() -> None:
    report = count_onnx(graph(loop(STEP)))
    assert report.cost == OpCost(macs=64, compare=16) * 5
    assert report.by_operator["onnx.MatMul"].calls == 5


def test_a_loop_whose_iterations_differ_is_followed() -> None:
    body = """still = Identity(on)  next = Identity(h)
      one = Constant <value_ints = [1]> ()  zero = Constant <value_ints = [0]> ()
      end = Add(i, one)  part = Slice(h, zero, end, zero)  out = Identity(h)  r = Relu(part)"""
    report = count_onnx(graph(loop(body)))
    assert report.cost == OpCost(compare=4 * (1 + 2 + 3 + 4 + 4))  # rows of h, up to all four


def test_a_trip_count_that_depends_on_values_must_be_given() -> None:
    unknown = graph(loop(STEP, trips="", inputs=", int64 m"))
    with pytest.raises(UsageError, match=r"loop \(Loop\) depends on values") as raised:
        count_onnx(unknown)
    assert raised.value.field == "trip_counts"
    assert "'loop'" in raised.value.advice
    assert count_onnx(unknown, trip_counts={"loop": 3}).macs == 3 * 64


def test_a_loop_that_may_stop_early_needs_a_trip_count() -> None:
    stopping = """s = ReduceSum <keepdims = 0> (h)  still = Greater(s, s)
      next = MatMul(h, w)  out = Relu(h)"""
    with pytest.raises(UsageError, match="depends on values"):
        count_onnx(graph(loop(stopping)))


def until(most: str, first: str = "1") -> str:
    """Return a loop that ends once its counter reaches 4."""
    return f"""g (float[4,4] x) => (float[4,4] y) <int64 n = {{{first}}}, int64 end = {{4}},
        int64 m = {{{most}}}, int64 step = {{1}}> {{
      go = Less(n, end)
      k, y = Loop <body = b (int64 i, bool on, int64 at, float[4,4] h)
        => (bool still, int64 next, float[4,4] r) {{
          next = Add(at, step)  still = Less(next, end)  r = Relu(h) }}> (m, go, n, x) }}"""


@pytest.mark.parametrize(
    ("most", "first", "runs"), [("9", "1", 3), ("2", "1", 2), ("9", "4", 0), ("0", "1", 0)]
)
def test_a_loop_whose_condition_is_computed_is_followed(most: str, first: str, runs: int) -> None:
    assert count_onnx(graph(until(most, first))).cost == OpCost(compare=16) * runs
    unlimited = until(most, first).replace("(m, go", '("", go')
    if most == "9":
        assert count_onnx(graph(unlimited)).cost == OpCost(compare=16) * runs


def test_a_loop_that_never_ends_is_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MOST_STEPS", 50)
    endless = (
        until("9")
        .replace("(m, go", '("", go')
        .replace("next = Add(at, step)", "next = Sub(at, step)")
    )
    with pytest.raises(UsageError, match="depends on values"):
        count_onnx(graph(endless))


@pytest.mark.parametrize(("lengths", "steps"), [("", 3 * 7), ("lengths", 2 + 7 + 5)])
def test_an_older_scan_runs_once_for_each_entry_of_each_sequence(lengths: str, steps: int) -> None:
    body = f"""g (float[3,2] h, float[3,7,2] xs) => (float[p,q] last, float[p,q,r] all)
      <int64[3] lengths = {{2, 7, 5}}> {{
      last, ys = Scan <num_scan_inputs = 1, body = b (float[2] s, float[2] x)
        => (float[2] t, float[2] y) {{ t = Add(s, x)  y = Tanh(t) }}> ({lengths or '""'}, h, xs)
      all = Exp(ys) }}"""
    cost = OpCost(add=2, special=2) * steps + OpCost(special=3 * 7 * 2)
    assert count_onnx(graph(body, opset=8)).cost == cost


SEQUENCES = [
    ("s = SequenceConstruct(x, x)  i = SequenceInsert(s, w)  y = SequenceAt(i, last)", 12),
    ("s = SequenceConstruct(x, x)  y = ConcatFromSequence <axis = 0> (s)", 12),
    ("s = SequenceConstruct(x, x)  y = ConcatFromSequence <axis = -1, new_axis = 1> (s)", 12),
    # how many axes there are
    (
        (
            "s = SequenceConstruct(x, x)  c = ConcatFromSequence <axis = 0> (s)  t = Shape(c) "
            "n = Shape(t)  y = ConstantOfShape(n)"
        ),
        2,
    ),
    (
        (
            "s = SequenceConstruct(x, x)  c = ConcatFromSequence <axis = 1, new_axis = 1> (s) "
            "t = Shape(c)  n = Shape(t)  y = ConstantOfShape(n)"
        ),
        3,
    ),
    ("s = SplitToSequence <axis = 1> (x, two)  y = SequenceAt(s, last)", 2),
    ("s = SplitToSequence <axis = 1, keepdims = 0> (x)  y = SequenceAt(s, last)", 2),
    ("s = SplitToSequence <axis = 1> (x, pieces)  y = SequenceAt(s, zero)", 4),
    ("s = SequenceConstruct(x, w)  e = SequenceErase(s, zero)  y = SequenceAt(e, zero)", 12),
    ("s = SplitToSequence(w, two)  n = SequenceLength(s)  y = ConstantOfShape(n)", 2),
    ("o = Optional(x)  y = OptionalGetElement(o)", 6),
    (
        (
            "t = SequenceConstruct(x, w)  o = Optional(t)  s = OptionalGetElement(o) "
            "y = SequenceAt(s, last)"
        ),
        12,
    ),
]


@pytest.mark.parametrize(("nodes", "elements"), SEQUENCES, ids=[nodes for nodes, _ in SEQUENCES])
def test_sequences_are_followed(nodes: str, elements: int) -> None:
    body = f"""g (float[2,3] x, float[3,4] w) => (float[n] r) <int64 two = {{2}},
        int64 zero = {{0}}, int64 last = {{-1}}, int64[2] pieces = {{2, 1}}> {{
      {nodes}  r = Relu(y) }}"""
    assert count_onnx(graph(body)).cost == OpCost(compare=elements)


def test_an_empty_optional_takes_its_branch() -> None:
    body = """g (float[2,3] x) => (float[n] y) {
      o = Optional(x)  has = OptionalHasElement(o)
      y = If <then_branch = t () => (float[2,3] a) { a = Relu(x) },
              else_branch = e () => (float[2,3] b) { b = Exp(x) }> (has) }"""
    assert count_onnx(graph(body)).cost == OpCost(compare=6)


def test_a_scan_runs_once_for_each_entry() -> None:
    body = """g (float[2,3] h, float[7,2,3] xs) => (float[2,3] last, float[p,q,r] ys) {
      last, ys = Scan <num_scan_inputs = 1, body = b (float[2,3] s, float[2,3] x)
        => (float[2,3] t, float[2,3] y) { t = Add(s, x)  y = Tanh(t) }> (h, xs)
    }"""
    assert count_onnx(graph(body)).cost == OpCost(add=6, special=6) * 7


def test_functions_of_the_file_are_followed() -> None:
    model = onnx.parser.parse_model("""
      <ir_version: 10, opset_import: ["" : 20, "own" : 1]>
      g (float[2,3] x, float[3,4] w) => (float[m,n] y) { y = own.act <alpha = 0.5> (x, w) }
      <domain: "own", opset_import: ["" : 20]>
      act <alpha> (a, b) => (c) { d = MatMul(a, b)  c = LeakyRelu <alpha: float = @alpha> (d) }
    """)
    assert count_onnx(model).cost == OpCost(macs=24, compare=8)


def test_a_functions_attributes_reach_the_shapes_inside() -> None:
    model = onnx.parser.parse_model("""
      <ir_version: 10, opset_import: ["" : 20, "own" : 1]>
      g (float[2,3,5] x) => (float[m,n,o] y) { y = own.mix <p = [1, 0, 2], k = 0> (x) }
      <domain: "own", opset_import: ["" : 20]>
      mix <p, k> (a) => (c) {
        t = Transpose <perm: ints = @p> (a)  d = Concat <axis: int = @k> (t, t)
        u = Transpose <perm = [0, 2, 1]> (d)  c = MatMul(d, u) }
    """)
    assert count_onnx(model).cost == OpCost(macs=6 * 2 * 2 * 5)


def test_a_definition_may_have_more_results_than_are_asked_for() -> None:
    body = """g (float[3,5] x, int64[3] labels) => (float[n] r) {
      y = SoftmaxCrossEntropyLoss <reduction = "none"> (x, labels)  r = Exp(y) }"""
    report = count_onnx(graph(body))
    assert report.by_operator["onnx.Exp"].cost == OpCost(special=3)


def test_operators_without_a_rule_are_followed_into_their_definition() -> None:
    body = "g (float[2,3] x, int64[2] t) => (float l) { l = NegativeLogLikelihoodLoss(x, t) }"
    report = count_onnx(graph(body))
    assert "onnx.NegativeLogLikelihoodLoss" not in report.by_operator
    assert report.flops > 0


def custom() -> onnx.ModelProto:
    body = (
        "g (float[2,3] x, float[3,4] w) => (float[2,4] y) {\n"
        " [strange] z = com.acme.Strange(x)  y = MatMul(z, w) }"
    )
    model = graph(body, domains='"com.acme" : 1')
    model.graph.value_info.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [2, 3]))
    return model


def test_an_unknown_operator_is_a_result_with_its_nodes() -> None:
    report = count_onnx(custom())
    assert report.uncounted == {"com.acme.Strange": 1}
    assert codes(report.notes) == ("uncounted",)
    assert "strange" in report.notes[0]
    assert report.macs == 24


@pytest.mark.parametrize("cost", [OpCost(add=6), lambda call: OpCost(add=call.out.size)])
def test_costs_of_operators_can_be_given(cost: OpCost) -> None:
    report = count_onnx(custom(), op_costs={"com.acme.Strange": cost})
    assert report.complete
    assert report.cost == OpCost(macs=24, add=6)


def stored() -> onnx.ModelProto:
    def tensor(name: str, *shape: int, dtype: type = np.float32) -> TensorProto:
        return onnx.numpy_helper.from_array(np.ones(shape, dtype), name)

    names = ["norm.weight", "norm.bias", "norm.mean", "norm.var"]
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["c"]),
        helper.make_node("BatchNormalization", ["c", *names], ["n"]),
        helper.make_node("Mul", ["n", "factor"], ["m"]),
        helper.make_node("Conv", ["m", "conv2.weight"], ["d"]),
        helper.make_node("Reshape", ["d", "shape"], ["y"]),
    ]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "stored",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [
                tensor("conv.weight", 4, 4, 1),
                tensor("conv.bias", 4),
                *(tensor(name, 4) for name in names),
                tensor("factor"),
                tensor("conv2.weight", 4, 4, 1),
                tensor("shape", 1, dtype=np.int64),
            ],
        ),
        opset_imports=[helper.make_operatorsetid("", 15)],
        ir_version=10,
    )


def test_weights_are_distinguished_from_settings() -> None:
    model = stored()
    model.graph.initializer[-1].CopyFrom(onnx.numpy_helper.from_array(np.array([-1]), "shape"))
    report = count_onnx(model)
    assert report.params == 16 + 4 + 8 + 16  # not statistics, factor or shape
    assert report.storage.buffers == 8 + 1 + 1
    assert report.param_bytes == 4 * report.params
    assert report.by_module["conv"].params == 20
    assert report.by_module["conv"].macs == report.by_module["conv2"].macs == 4 * 4 * 8


def test_weights_in_another_file_are_not_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight = onnx.numpy_helper.from_array(rng.standard_normal((64, 64)).astype(np.float32), "w")
    model = graph("g (float[2,64] x, float[64,64] w) => (float[m,n] y) { y = MatMul(x, w) }")
    del model.graph.input[1:]
    model.graph.initializer.append(weight)
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="m.data", size_threshold=0)
    (tmp_path / "m.data").write_bytes(bytes(64 * 64 * 4))  # other values, same size
    report = count_onnx(path)
    assert (report.params, report.param_bytes, report.macs) == (4096, 16384, 2 * 4096)


def test_the_older_exporters_node_names_are_modules() -> None:
    model = graph("g (float[2,3] x) => (float[m,n] y) { [n] y = Relu(x) }")
    model.graph.node[0].name = "/encoder/layer.0/act/Relu"
    assert count_onnx(model).by_module["encoder.layer.0.act"].flops == 6
    assert list(count_onnx(model).by_module) == [
        "",
        "encoder",
        "encoder.layer",
        "encoder.layer.0",
        "encoder.layer.0.act",
    ]


IMPOSSIBLE = {
    "a position beyond the end": "s = SequenceConstruct(x)  y = SequenceAt(s, i)",
    "nothing to erase": "s = SequenceEmpty()  t = SequenceErase(s)  y = SequenceLength(t)",
    "nothing to join": "s = SequenceEmpty()  y = ConcatFromSequence <axis = 0> (s)",
    "pieces of no length": "s = SplitToSequence(x, o)  y = ConcatFromSequence <axis = 0> (s)",
    "an axis that is not there": "s = SplitToSequence <axis = 5> (x)  y = SequenceAt(s, o)",
    "operands left out": "y = com.microsoft.Attention <num_heads = 2> (x)",
    "no heads": "y = com.microsoft.MultiHeadAttention <num_heads = 0> (x, x, x)",
    "quantised operands left out": "y = com.microsoft.QGemm(x)",
}


@pytest.mark.parametrize("nodes", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_malformed_node_is_named(nodes: str) -> None:
    body = (
        f"g (float[6,3,8] x) => (float[p,q,r] y) <int64 i = {{7}}, int64 o = {{0}}> {{ {nodes} }}"
    )
    with pytest.raises(UsageError, match="does not match its definition"):
        count_onnx(graph(body, domains=MICROSOFT))


def test_a_size_below_zero_is_no_count() -> None:
    model = graph("g (float[3,2] x) => (float[p,q] y) { y = Relu(x) }")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -3
    with pytest.raises(UsageError, match=r"axis 0 of the input x .* is negative"):
        count_onnx(model)


def test_a_weight_whose_contents_are_truncated() -> None:
    model = graph("g (float[2,3] x) => (float[p,q] y) <int64[2] s = {3, 2}> { y = Reshape(x, s) }")
    del model.graph.initializer[0].int64_data[:]
    model.graph.initializer[0].raw_data = b"abc"
    with pytest.raises(UsageError, match=r"the weight s .* shape \(2,\)"):
        count_onnx(model)


def test_a_weight_for_other_channels_is_no_count() -> None:
    body = "g (float[1,3,9] x, float[4,5,3] w) => (float[p,q,r] y) { y = Conv(x, w) }"
    with pytest.raises(UsageError, match=r"5 channels, .* 3"):
        count_onnx(graph(body))


def test_an_unknown_shape_names_where_it_begins() -> None:
    body = "g (float[2] x) => (float[n] y) { a = own.F(x)  b = Neg(a)  y = Relu(b) }"
    report = count_onnx(graph(body, domains='"own" : 1'))
    behind = [str(note) for note in report.notes if "onnx.Relu" in note]
    assert len(behind) == 1
    assert "the node of a (own.F) returns" in behind[0]
