"""Runs of onnxruntime that complete a count, or are compared with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

from inspect_cost import OpCost, count_onnx
from inspect_cost.counting.onnx import following, running
from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.settling import settle
from inspect_cost.values.errors import MeasurementError, UsageError
from tests.counting.onnx.graphs import graph
from tests.counting.onnx.test_values import TRIPS, codes, voice, with_weights

pytestmark = pytest.mark.filterwarnings("ignore")
onnxruntime = pytest.importorskip("onnxruntime")

SELECT = """g (float[4,8] x) => (float[a,b] y) <float[8,16] w, float[1,5] v, float zero = {0.0},
    int64[1] axis = {1}> {
  a = MatMul(x, w)  g = Greater(a, zero)  nz = NonZero(g)  nt = Transpose(nz)
  p = GatherND(a, nt)  pp = Unsqueeze(p, axis)  [last] y = MatMul(pp, v) }"""
#: A loop that doubles what it carries until its sum is beyond a bound, and multiplies each time.
STOPS = """g (float[4,4] x) => (float[4,4] y, float[n,4,4] all) <float[4,4] w, bool go = {1},
    float end = {100.0}, float two = {2.0}> {
  [until] y, all = Loop ("", go, x) <
    body = b (int64 i, bool on, float[4,4] h) => (bool still, float[4,4] next, float[4,4] out)
    { next = Mul(h, two)  s = ReduceSum <keepdims = 0> (next)  still = Less(s, end)
      [inner] out = MatMul(next, w) }> }"""
#: Each iteration selects more of its rows, so that sizes differ between iterations.
GROWS = """g (int64[6] x) => (int64[a] y) <int64 m = {4}, bool go = {1}, float[1,5] v,
    int64[1] axis = {1}> {
  y = Loop (m, go, x) <body = b (int64 i, bool on, int64[6] h) => (bool still, int64[6] next)
    { still = Identity(on)  next = Identity(h)  less = Less(h, i)  nz = NonZero(less)
      t = Transpose(nz)  f = Cast <to = 1> (t)  o = MatMul(f, v) }> }"""


def test_sizes_that_depend_on_values_are_those_of_a_run() -> None:
    model = with_weights(graph(SELECT))
    x = np.where(np.arange(32).reshape(4, 8) < 16, 1, -1).astype(np.float32)
    report = count_onnx(model, inputs={"x": x}, verify=True)
    kept = int(((x @ np.ones((8, 16))) > 0).sum())
    assert kept == 32
    assert report.macs == 4 * 8 * 16 + kept * 5
    assert set(codes(report)) <= {"as-executed", "run-agrees"}


def test_made_up_values_are_named() -> None:
    report = count_onnx(with_weights(graph(SELECT)))
    (note,) = report.notes
    assert (note.code, note.severity) == ("as-executed", "warning")
    assert "x" in note
    assert report.macs >= 4 * 8 * 16


@pytest.mark.parametrize(("first", "trips"), [(1.0, 3), (10.0, 1), (0.1, 6)])
def test_a_loop_that_given_values_end(first: float, trips: int) -> None:
    x = np.full((4, 4), first, np.float32)
    reference = 1
    while x.sum() * 2**reference < 100:
        reference += 1
    assert reference == trips
    report = count_onnx(with_weights(graph(STOPS)), inputs={"x": first}, verify=True)
    assert report.macs == trips * 64
    assert "run-differs" not in codes(report)


def test_a_loop_that_made_up_values_would_end_is_asked_for() -> None:
    model = with_weights(graph(STOPS))
    with pytest.raises(UsageError) as raised:
        count_onnx(model)
    assert "until" in raised.value.advice
    assert "x" in raised.value.advice
    assert count_onnx(model, trip_counts={"until": 9}).macs == 9 * 64


def test_sizes_that_differ_between_iterations() -> None:
    given = np.array([0, 0, 1, 2, 9, 9])
    report = count_onnx(with_weights(graph(GROWS)), inputs={"x": given}, verify=True)
    assert report.macs == sum(int((given < i).sum()) * 5 for i in range(4)) == (0 + 2 + 3 + 4) * 5
    assert "run-differs" not in codes(report)


def test_a_branch_that_weights_decide() -> None:
    body = """g (float[2,100] x) => (float[a,b] y) <float[100,100] w, float bound = {5000.0}> {
      s = ReduceSum <keepdims = 0> (w)  c = Greater(s, bound)
      y = If (c) <then_branch = t () => (float[a,b] p) { p = MatMul(x, w) },
                  else_branch = e () => (float[a,b] q) { q = Identity(x) }> }"""
    model = with_weights(graph(body))
    report = count_onnx(model)
    assert report.macs == 2 * 100 * 100
    assert [(n.code, n.severity) for n in report.notes] == [("as-executed", "info")]
    model.graph.initializer[-1].CopyFrom(numpy_helper.from_array(np.zeros((100, 100), "f"), "w"))
    assert count_onnx(model).macs == 0


FUNCTION = """<domain: "l", opset_import: ["": 20]>
f (a, w) => (b) { c = MatMul(a, w)  b = Softmax(c) }"""


def with_function() -> ModelProto:
    text = f"""<ir_version: 10, opset_import: ["": 20, "l": 1]>
    g (float[3,4] x) => (float[a,b] y) <float[4,4] w, float[4,5] v> {{
      h = l.f(x, w)  y = l.f(h, v) }} {FUNCTION}"""
    return with_weights(onnx.parser.parse_model(text))


SCAN = """g (float[7,4] x) => (float[4] last, float[7,4] y) <float[4] zero, float[4,4] w> {
  last, y = Scan <num_scan_inputs = 1, body = b (float[4] s, float[4] e) => (float[4] n, float[4] o)
    { n = Add(s, e)  o = MatMul(n, w) }> (zero, x) }"""
#: What is verified: graphs with their inputs, and their MACs by hand.
VERIFIED: dict[str, tuple[Callable[[], ModelProto], dict[str, Any], int]] = {
    "selected": (lambda: with_weights(graph(SELECT)), {"x": 1.0}, 512 + 64 * 5),
    "loop": (lambda: with_weights(graph(TRIPS)), {"n": 3}, 3 * 64),
    "scan": (lambda: with_weights(graph(SCAN)), {}, 7 * 16),
    "functions": (with_function, {}, 3 * 16 + 3 * 20),
    "branch": (lambda: voice(stereo=1), {"x": np.zeros((1, 1, 10)), "mode": 16000}, 96),
}


@pytest.mark.parametrize("name", VERIFIED)
def test_what_agrees(name: str) -> None:
    make, given, macs = VERIFIED[name]
    report = count_onnx(make(), inputs=given, verify=True)
    assert report.macs == macs
    assert "run-agrees" in codes(report)
    assert f"{macs:,}" in report.notes[-1]


def test_a_wrong_shape_is_found_by_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = following.Job._follow  # noqa: SLF001 - what is counted is falsified

    def follow_another(job: Any, model: ModelProto, executed: Any) -> Any:
        x = replace(job.values["x"], shape=(6, 4))
        return inner(replace(job, values={**job.values, "x": x}), model, executed)

    monkeypatch.setattr(following.Job, "_follow", follow_another)
    body = "g (float[5,4] x) => (float[a,b] y) <float[4,3] w> { [proj] y = MatMul(x, w) }"
    report = count_onnx(with_weights(graph(body)), verify=True)
    (note,) = report.notes
    assert note.code == "run-differs"
    assert "proj" in note
    assert "(6, 3)" in note
    assert "(5, 3)" in note


def test_wrong_macs_are_found_by_their_node() -> None:
    body = "g (float[5,4] x) => (float[a,b] y) <float[4,3] w> { [proj] y = MatMul(x, w) }"
    counted: list[NodeCall] = []

    def rule(call: NodeCall) -> OpCost:
        counted.append(call)  # once in each of three counts, and then in the comparison
        return OpCost(macs=60 + len(counted) // 4)

    report = count_onnx(with_weights(graph(body)), op_costs={"onnx.MatMul": rule}, verify=True)
    (note,) = report.notes
    assert (note.code, "proj" in note) == ("run-differs", True)


@pytest.mark.parametrize(("stated", "agrees"), [(3, True), (4, False)])
def test_stated_iterations_are_verified(stated: int, agrees: bool) -> None:
    report = count_onnx(
        with_weights(graph(STOPS)), inputs={"x": 1.0}, trip_counts={"until": stated}, verify=True
    )
    assert report.macs == stated * 64
    assert ("run-agrees" in codes(report)) == agrees
    if not agrees:
        assert "until" in report.notes[0]
        assert "3 iterations" in report.notes[0]


def test_a_model_that_is_too_large_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LARGEST_MODEL_BYTES", 10)
    with pytest.raises(MeasurementError, match="too large"):
        count_onnx(with_weights(graph(SCAN)), verify=True)


def test_a_run_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "VERIFY_LIMIT_S", 0.2)
    forever = with_weights(graph(TRIPS.replace("4,4", "256,256")))
    with pytest.raises(MeasurementError, match="cannot be verified"):
        count_onnx(forever, inputs={"n": 100_000}, verify=True)


def feeds(model: ModelProto, **given: Any) -> tuple[dict[str, Any], list[str]]:
    given = {"input_shapes": None, "inputs": None, "trip_counts": None, **given}
    settled = settle(model, **given)
    return dict(settled.feed), [note.code for note in settled.notes]


def test_a_measurement_is_fed_what_was_counted() -> None:
    one = {"x": (1, 1, 10)}
    assert feeds(voice(), input_shapes=one) == ({"mode": 16000}, ["fed"])
    assert feeds(voice(stereo=1), input_shapes=one)[0]["mode"] != 16000
    assert feeds(voice(stereo=1, outputs=16), input_shapes=one) == ({"mode": 16000}, ["fed"])
    assert feeds(voice(), input_shapes=one, inputs={"mode": 16000}) == ({}, [])
    loop = with_weights(graph(TRIPS))
    assert feeds(loop, trip_counts={"y": 7}) == ({"n": 7}, ["fed"])
    cast = with_weights(
        graph(
            TRIPS.replace("int64 n", "int32 k").replace(
                "y = Loop", "n = Cast <to = 7> (k)  y = Loop"
            )
        )
    )
    assert feeds(cast, trip_counts={"y": 7}) == ({"k": 7}, ["fed"])


def test_a_measurement_that_does_otherwise_says_so() -> None:
    feed, notes = feeds(with_weights(graph(STOPS)), trip_counts={"until": 50})
    assert not feed
    assert notes == ["measured-otherwise"]
