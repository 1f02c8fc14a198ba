"""What the values of inputs decide: sizes, branches, and numbers of iterations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper

from inspect_cost import CostReport, count, count_onnx
from inspect_cost.values.errors import MeasurementError, UsageError
from tests.counting.onnx.graphs import graph

pytestmark = pytest.mark.filterwarnings("ignore")
pytest.importorskip("onnxruntime")


def codes(report: CostReport) -> list[str]:
    return [note.code for note in report.notes]


def voice(stereo: int = 2, outputs: int = 4) -> ModelProto:
    """One branch for a single channel at 16,000 Hz; another, of 8 outputs, for `stereo` ones."""
    body = f"""g (float[1,c,n] x, int64 mode) => (float[a,b,d] y) <
        float[{outputs},1,3] mono, float[8,{stereo},3] other, int64 k = {{16000}}> {{
      c = Equal(mode, k)
      [which] y = If (c) <
        then_branch = t () => (float[a,b,d] p) {{ p = Conv(x, mono) }},
        else_branch = e () => (float[a,b,d] q) {{ q = Conv(x, other) }}> }}"""
    return with_weights(graph(body))


def with_weights(model: ModelProto) -> ModelProto:
    """The graph, whose weights are declared without contents, with ones."""
    stored = {tensor.name for tensor in model.graph.initializer}
    for entry in list(model.graph.value_info):
        if entry.name not in stored:
            shape = [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
            values = np.ones(shape, np.float32)
            model.graph.initializer.append(numpy_helper.from_array(values, entry.name))
    return model


@pytest.mark.parametrize(("channels", "macs"), [(1, 4 * 8 * 3), (2, 8 * 8 * 2 * 3)])
def test_a_branch_that_the_shapes_exclude_is_not_taken(channels: int, macs: int) -> None:
    report = count_onnx(voice(), input_shapes={"x": (1, channels, 10)})
    assert report.macs == macs
    assert codes(report) == ["excluded-branch"]
    assert ("then" if channels == 1 else "else") in report.notes[0]


def test_an_if_that_no_branch_fits() -> None:
    with pytest.raises(UsageError, match="channels"):
        count_onnx(voice(), input_shapes={"x": (1, 3, 10)})


@pytest.mark.parametrize(
    ("given", "macs"),
    [(16000, 96), (8000, 192), (np.int32(16000), 96), ([8000], 192), (np.array(16000.0), 96)],
)
def test_a_value_decides_a_branch(given: Any, macs: int) -> None:
    model = voice(stereo=1)
    report = count_onnx(model, input_shapes={"x": (1, 1, 10)}, inputs={"mode": given}, verify=True)
    assert report.macs == macs
    assert codes(report) == ["run-agrees"]
    assert count(model, input_shapes={"x": (1, 1, 10)}, inputs={"mode": given}).macs == macs


def test_an_unknown_branch_is_the_costlier_and_the_note_names_what_decides() -> None:
    report = count_onnx(voice(stereo=1), input_shapes={"x": (1, 1, 10)})
    assert report.macs == 192
    assert codes(report) == ["costlier-branch"]
    assert "else" in report.notes[0]
    assert "mode" in report.notes[0]


def test_a_verification_runs_the_branch_that_was_counted() -> None:
    report = count_onnx(voice(), input_shapes={"x": (1, 1, 10)}, verify=True)
    assert report.macs == 96
    assert codes(report) == ["excluded-branch", "run-agrees"]


EXPAND = """g (float[1,4] x, int64[r] shape) => (float[a,b] y) <float[4,6] w> {
  e = Expand(x, shape)  y = MatMul(e, w) }"""
RESHAPE = """g (float[24] x, int64[2] shape) => (float[a,b] y) <float[4,6] w> {
  e = Reshape(x, shape)  y = MatMul(e, w) }"""
RANGE = """g (int64 n) => (float[a,b] y) <float[1,6] w, int64 zero = {0}, int64 one = {1},
    int64[1] axis = {1}> { r = Range(zero, n, one)  f = Cast <to = 1> (r)
  u = Unsqueeze(f, axis)  y = MatMul(u, w) }"""
TRIPS = """g (float[4,4] x, int64 n) => (float[4,4] y) <float[4,4] w, bool go = {1}> {
  y = Loop (n, go, x) <body = b (int64 i, bool on, float[4,4] h) => (bool still, float[4,4] next)
    { still = Identity(on)  next = MatMul(h, w) }> }"""
SIZED = [
    (EXPAND, {"shape": [7, 4]}, 7 * 4 * 6),
    (EXPAND, {"shape": np.array([3, 1])}, 3 * 4 * 6),
    (RESHAPE, {"shape": (-1, 4)}, 6 * 4 * 6),
    (RANGE, {"n": 9}, 9 * 6),
    (TRIPS, {"n": 5}, 5 * 64),
    (TRIPS, {"n": 0}, 0),
]


@pytest.mark.parametrize(("body", "given", "macs"), SIZED)
def test_sizes_and_iterations_follow_from_values(
    body: str, given: dict[str, Any], macs: int
) -> None:
    report = count_onnx(with_weights(graph(body)), inputs=given, verify=True)
    assert report.macs == macs
    assert codes(report) == ["run-agrees"]


@pytest.mark.parametrize("body", [EXPAND, RESHAPE, RANGE])
def test_a_setting_without_a_value_is_not_guessed(body: str) -> None:
    model = with_weights(graph(body))
    sizes = {"r": 2} if "[r]" in body else {}
    try:
        report = count_onnx(model, input_shapes=sizes)
    except UsageError as error:
        assert "inputs" in str(error)  # noqa: PT017 - either is right
    else:
        assert "as-executed" not in codes(report)
        assert report.macs == 0


def test_a_loop_without_a_name_is_known_by_its_result() -> None:
    model = with_weights(graph(TRIPS))
    with pytest.raises(UsageError) as raised:
        count_onnx(model)
    assert "'y'" in raised.value.advice
    assert count_onnx(model, trip_counts={"y": 7}).macs == 7 * 64


def test_one_number_fills_an_input() -> None:
    body = "g (int64[1,L] mask) => (int64[a,b] y) { y = NonZero(mask) }"
    report = count_onnx(graph(body), input_shapes={"L": 5}, inputs={"mask": 1}, verify=True)
    assert codes(report) == ["run-agrees"]


def test_a_file_of_values(tmp_path: Path) -> None:
    np.save(tmp_path / "shape.npy", [7, 4])
    report = count_onnx(with_weights(graph(EXPAND)), inputs={"shape": tmp_path / "shape.npy"})
    assert report.macs == 7 * 4 * 6


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"z": 1}, "no input 'z'"),
        ({"shape": [1.5, 4]}, "is of int64"),
        ({"shape": [2**70, 4]}, "int64|no array"),
        ({"shape": "ab"}, "is of int64"),
        ({"shape": [[1, 2], [3]]}, "no array"),
        ({"shape": [[7, 4]]}, "axes"),
        ({"shape": Path("none.npy")}, "does not exist"),
    ],
)
def test_values_that_are_not_the_inputs(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        count_onnx(with_weights(graph(EXPAND)), inputs=given)


def test_a_graph_that_cannot_be_run_cannot_be_verified() -> None:
    model = graph("g (float[2] x) => (float[2] y) { y = own.F(x) }", domains='"own" : 1')
    assert count_onnx(model).uncounted
    with pytest.raises(MeasurementError, match="cannot be verified"):
        count_onnx(model, verify=True)
