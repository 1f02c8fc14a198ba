"""Files that are damaged, incomplete or malicious are refused, and nothing else is opened."""

import os
from itertools import permutations
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from inspect_cost import OpCost, count_onnx
from inspect_cost.counting.options import CountOptions
from inspect_cost.subjects import resolve
from inspect_cost.values.errors import UsageError
from tests.counting.onnx.graphs import graph

#: The branch reads h, made outside.
BRANCHED = """g (float[2,3] x, float[3,2] w) => (float[m,n] y) <bool one = {1}> {
  h = Relu(x)
  p = If <then_branch = t () => (float[2,3] a) { a = Tanh(h) },
          else_branch = e () => (float[2,3] b) { b = Identity(h) }> (one)
  q = MatMul(p, w)  y = Exp(q) }"""
GOOD = "g (float[2,3] x) => (float[m,n] y) { [a] h = Relu(x)  [b] y = Tanh(h) }"


def saved(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    "content",
    [b"", b"PNG\x89 not a model", b"{}", os.urandom(300), b"\x00" * 64],
    ids=["empty", "text", "json", "noise", "zeros"],
)
def test_a_file_that_is_not_a_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"m\.onnx is (empty|not an ONNX file)"):
        count_onnx(path)


def test_a_file_cut_short(tmp_path: Path) -> None:
    whole = saved(graph(GOOD), tmp_path / "m.onnx").read_bytes()
    counted = 0
    for length in range(len(whole)):
        (tmp_path / "m.onnx").write_bytes(whole[:length])
        try:
            counted += count_onnx(tmp_path / "m.onnx").flops == 12
        except UsageError:
            continue
    assert counted <= 8  # only the list of opsets, which stands last, is cut


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        count_onnx(tmp_path / "missing.onnx")
    with pytest.raises(UsageError, match="is a folder"):
        count_onnx(tmp_path)


def test_an_opset_of_the_future() -> None:
    with pytest.raises(UsageError, match="opset 999"):
        count_onnx(graph(GOOD, opset=999))


def test_an_input_without_a_shape() -> None:
    model = graph(GOOD)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(UsageError, match="the input x has no shape") as raised:
        count_onnx(model)
    assert raised.value.field == "input_shapes"
    assert count_onnx(model, input_shapes={"x": (5,)}).flops == 10


def test_a_cycle() -> None:
    model = graph(GOOD)
    model.graph.node[0].input[0] = "y"
    with pytest.raises(UsageError, match=r"cycle: [ab], [ab]"):
        count_onnx(model)


def test_nodes_out_of_order_are_sorted() -> None:
    model = graph(BRANCHED)
    expected = count_onnx(model)
    for order in permutations(list(model.graph.node)):
        del model.graph.node[:]
        model.graph.node.extend(order)
        report = count_onnx(model)
        assert report.cost == expected.cost == OpCost(macs=12, compare=6, special=6 + 4)


def test_a_value_that_no_node_makes() -> None:
    model = graph(GOOD)
    model.graph.node[0].input[0] = "nothing"
    with pytest.raises(UsageError, match=r"reads 'nothing', .* no node"):
        count_onnx(model)


def test_operands_that_do_not_fit() -> None:
    body = "g (float[2,3] a, float[4,5] b) => (float[m,n] y) { [product] y = MatMul(a, b) }"
    with pytest.raises(UsageError, match=r"^product \(onnx\.MatMul\) does not fit its operands"):
        count_onnx(graph(body))


def external(location: str, *, offset: str = "0") -> onnx.ModelProto:
    model = graph("g (float[2,3] x, float[3,4] w) => (float[m,n] y) { y = MatMul(x, w) }")
    del model.graph.input[1:]
    weight = TensorProto(name="w", dims=[3, 4], data_type=TensorProto.FLOAT)
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", "48")):
        weight.external_data.add(key=key, value=value)
    model.graph.initializer.append(weight)
    return model


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../w.bin", "a/../../w.bin", "C:\\w.bin", "..\\w.bin", ""]
)
def test_weights_outside_the_folder_are_refused_unseen(
    tmp_path: Path, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(external(location), tmp_path / "m.onnx")
    looked_at: list[str] = []
    stat = os.stat

    def watched_stat(path: str | Path, **options: Any) -> os.stat_result:
        looked_at.append(str(path))
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", watched_stat)
    with pytest.raises(UsageError, match="outside the model's folder"):
        count_onnx(path)
    assert all("passwd" not in name and "w.bin" not in name for name in looked_at)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(48))
    (tmp_path / "inside" / "w.bin").symlink_to(tmp_path / "w.bin")
    path = saved(external("w.bin"), tmp_path / "inside" / "m.onnx")
    with pytest.raises(UsageError, match="is a link"):
        count_onnx(path)


def test_weights_that_are_missing_or_cut_short(tmp_path: Path) -> None:
    path = saved(external("w.bin"), tmp_path / "m.onnx")
    with pytest.raises(UsageError, match=r"'w\.bin', which is not in the model's folder"):
        count_onnx(path)
    (tmp_path / "w.bin").write_bytes(bytes(40))
    with pytest.raises(UsageError, match=r"beyond the end of w\.bin"):
        count_onnx(path)
    (tmp_path / "w.bin").write_bytes(bytes(48))
    assert count_onnx(path).macs == 24


def test_a_function_that_calls_itself() -> None:
    model = onnx.parser.parse_model("""
      <ir_version: 10, opset_import: ["" : 20, "own" : 1]>
      g (float[2] x) => (float[n] y) { y = own.f (x) }
      <domain: "own", opset_import: ["" : 20, "own" : 1]> f (a) => (b) { b = own.f (a) }
    """)
    with pytest.raises(UsageError, match="the function f calls itself"):
        count_onnx(model)


def test_a_graph_that_asks_for_much_memory_gets_none() -> None:
    body = """g (float[1] x) => (float[n] y) <int64[1] n = {1000000000000}> {
      big = ConstantOfShape(n)  y = Add(big, x) }"""
    assert count_onnx(graph(body)).flops == 10**12


def test_optional_operands_may_be_missing() -> None:
    node = helper.make_node("MatMul", ["x"], ["y"], name="half")
    model = graph(GOOD)
    del model.graph.node[:]
    model.graph.node.append(node)
    with pytest.raises(UsageError, match=r"half \(onnx\.MatMul\)"):
        count_onnx(model)


RELU = "g (float[2,4] x) => (float[2,4] y) { y = Relu(x) }"


@pytest.mark.parametrize(
    ("dtype", "dims", "complaint"), [(99, [2], "unknown type"), (1, [-2, 4], "negative size")]
)
def test_weights_of_impossible_type_or_shape(dtype: int, dims: list[int], complaint: str) -> None:
    model = graph(RELU)
    model.graph.initializer.append(onnx.TensorProto(name="w", data_type=dtype, dims=dims))
    with pytest.raises(UsageError, match=complaint):
        count_onnx(model)


def test_a_name_that_is_made_twice() -> None:
    body = "g (float[2] x) => (float[2] y) { z = Relu(x)  y = Exp(x)  z = Exp(y) }"
    with pytest.raises(UsageError, match="makes 'z'"):
        count_onnx(graph(body))


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        (["x=2,4:int64"], "x is of float32, and int64 was given"),
        (["x=2,4", "x=2,4"], "x is given twice"),
        (["z=2,4"], "no input 'z'"),
        (["2,4", "2,4"], "2 inputs are given, and the graph has 1"),
    ],
)
def test_inputs_that_are_not_the_files(tmp_path: Path, inputs: list[str], complaint: str) -> None:
    onnx.save(graph(RELU), tmp_path / "m.onnx")
    subject = resolve(str(tmp_path / "m.onnx"), inputs=inputs)
    with pytest.raises(UsageError, match=complaint):
        subject.count(subject.phases[0], CountOptions())


@pytest.mark.parametrize(
    ("trips", "complaint"), [({"lop": 3}, "no Loop 'lop'"), ({"loop": -3}, "loop: -3")]
)
def test_trip_counts_that_are_not_the_files(trips: dict[str, int], complaint: str) -> None:
    body = """g (float[2] x, int64 n) => (float[2] y) <bool go = {1}> {
      [loop] y = Loop <body = b (int64 i, bool c, float[2] h) => (bool d, float[2] r)
        { d = Identity(c)  r = Relu(h) }> (n, go, x) }"""
    with pytest.raises(UsageError, match=complaint) as raised:
        count_onnx(graph(body), trip_counts=trips)
    assert raised.value.field == "trip_counts"
