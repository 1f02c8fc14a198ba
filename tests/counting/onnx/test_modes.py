"""Modes of operators whose cost or shape differs from the usual one's."""

from itertools import product
from pathlib import Path

import onnx
import pytest
import torch
from onnx import ModelProto

from inspect_cost import OpCost, count, count_onnx
from inspect_cost.counting.options import CountOptions
from inspect_cost.formulas.pointwise import HARD_SIGMOID, RELU, SOFT_SIGN
from inspect_cost.subjects import resolve
from inspect_cost.values.errors import UsageError
from tests.counting.onnx.graphs import graph
from tests.counting.onnx.test_impossible_calls import IR_VERSION, make_feed, runs


def resize(sizes: str, attributes: str, opset: int = 20) -> ModelProto:
    return graph(
        f"""g (float[1,3,64,48] x) => (float[a,b,c,d] y) <int64[4] s = {{{sizes}}}> {{
      y = Resize <{attributes}> (x, , , s) }}""",
        opset=opset,
    )


MODES = {"linear": "bilinear", "cubic": "bicubic"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("height", "width"), [(16, 16), (13, 48), (100, 30)])
def test_filters_against_aliasing_cost_what_they_do_in_torch(
    mode: str, height: int, width: int
) -> None:
    def run(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(
            x, size=(height, width), mode=MODES[mode], antialias=True
        )

    model = resize(f"1, 3, {height}, {width}", f'mode = "{mode}", antialias = 1')
    assert count_onnx(model).cost == count(run, torch.ones(1, 3, 64, 48)).cost


def test_filters_against_aliasing_by_hand() -> None:
    # Shrunk to a quarter, a result spans 8 numbers, 6 at the edges; the width comes first.
    across, down = ((2 * 6 + (n - 2) * 8) for n in (12, 16))
    mul = 3 * (across * 64 + down * 12)
    model = resize("1, 3, 16, 12", 'mode = "linear", antialias = 1')
    assert count_onnx(model).cost == OpCost(mul=mul, add=mul - 3 * 12 * (64 + 16))


def test_filters_with_aligned_corners_are_listed() -> None:
    attributes = 'mode = "linear", antialias = 1, coordinate_transformation_mode = "align_corners"'
    assert count_onnx(resize("1, 3, 16, 16", attributes)).uncounted == {"onnx.Resize": 1}


@pytest.mark.parametrize(
    ("pad", "stride", "padding"), list(product(["SAME_UPPER", "SAME_LOWER"], [1, 2, 3], [0, 1]))
)
def test_same_padding_makes_inputs_times_stride(pad: str, stride: int, padding: int) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    extra = f", output_padding = [{padding}, {padding}]" if padding < stride else ""
    body = f"""g (float[1,2,3,3] x, float[2,4,3,3] w) => (float[a,b,c,d] y) {{
      z = ConvTranspose <auto_pad = "{pad}", strides = [{stride}, {stride}]{extra}> (x, w)
      y = Exp(z) }}"""
    model = graph(body)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (y,) = session.run(None, make_feed(model))
    assert y.shape == (1, 4, 3 * stride, 3 * stride)
    report = count_onnx(model)
    assert report.by_operator["onnx.Exp"].cost == OpCost(special=y.size)
    assert report.macs == 9 * 2 * 4 * 9


def layer(op: str, gates: int, attributes: str, directions: int = 1) -> ModelProto:
    return graph(
        f"""g (float[5,2,3] x, float[{directions},{4 * gates},3] w,
        float[{directions},{4 * gates},4] r) => (float[a,b,c,d] y) {{
      y = {op} <hidden_size = 4{attributes}> (x, w, r) }}""",
        opset=14,
    )


BIDIRECTIONAL = ', direction = "bidirectional"'
#: Layer, gates, attributes, directions, what a step of 4 units differs by from the textbook's.
ACTIVATIONS = [
    ("LSTM", 4, ', activations = ["sigmoid", "TANH", "Tanh"]', 1, OpCost()),
    (
        "LSTM",
        4,
        ', activations = ["HardSigmoid", "Tanh", "Tanh"]',
        1,
        HARD_SIGMOID * 12 + OpCost(special=-12),
    ),
    ("GRU", 3, ', activations = ["Sigmoid", "Softsign"]', 1, SOFT_SIGN * 4 + OpCost(special=-4)),
    ("RNN", 1, ', activations = ["Relu"]', 1, RELU * 4 + OpCost(special=-4)),
    ("RNN", 1, ', activations = ["Affine"]', 1, OpCost(mul=4, add=4, special=-4)),
    (
        "RNN",
        1,
        f'{BIDIRECTIONAL}, activations = ["Relu", "Tanh"]',
        2,
        None,  # one direction of each
    ),
    ("LSTM", 4, ", input_forget = 1", 1, OpCost(add=4, special=-4)),
]


@pytest.mark.parametrize(
    ("op", "gates", "attributes", "directions", "difference"),
    ACTIVATIONS,
    ids=[f"{a[0]} {a[2]}" for a in ACTIVATIONS],
)
def test_layers_with_any_activation(
    op: str, gates: int, attributes: str, directions: int, difference: OpCost | None
) -> None:
    direction = BIDIRECTIONAL if directions > 1 else ""
    usual = count_onnx(layer(op, gates, direction, directions)).cost
    model = layer(op, gates, attributes, directions)
    report = count_onnx(model)
    assert report.complete
    assert report.macs == directions * 10 * gates * 4 * (3 + 4)
    steps = difference * 10 if difference is not None else OpCost(compare=40, special=-40)
    assert report.cost == usual + steps
    model.ir_version = IR_VERSION
    assert runs(model, make_feed(model))


@pytest.mark.parametrize(
    "attributes",
    [
        ', activations = ["Sigmoid", "Tanh", "Swish"]',
        f'{BIDIRECTIONAL}, activations = ["Sigmoid", "Tanh", "Tanh"]',
    ],
)
def test_layers_with_impossible_activations(attributes: str) -> None:
    directions = 2 if "bidirectional" in attributes else 1
    model = layer("LSTM", 4, attributes, directions)
    with pytest.raises(UsageError, match="does not match its definition"):
        count_onnx(model)
    model.ir_version = IR_VERSION
    assert not runs(model, make_feed(model))


def test_a_report_has_the_files_name(tmp_path: Path) -> None:
    model = graph("main_graph (float[2] x) => (float[2] y) { y = Exp(x) }")
    path = tmp_path / "voice-detector.onnx"
    onnx.save(model, path)
    subject = resolve(str(path))
    names = {count_onnx(path).model, subject.count(subject.phases[0], CountOptions()).model}
    assert names == {"voice-detector"}
    assert count_onnx(model).model == "main_graph"
    assert count_onnx(path, title="mine").model == "mine"
