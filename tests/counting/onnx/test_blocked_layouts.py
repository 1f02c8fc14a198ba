"""Layouts that onnxruntime blocks: the padding, which depends on the CPU, is told apart."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

from inspect_cost import OpCost, count_onnx
from inspect_cost.values.notes import codes
from tests.counting.onnx.graphs import graph
from tests.counting.onnx.test_onnxruntime import optimised, with_weights

NCHWC = '"com.microsoft.nchwc" : 1'


def fill_weight(own: tuple[int, int, int], padded: tuple[int, int, int], block: int) -> Any:
    """Return ones with padding (O, I, K, K), the filters of a block side by side in memory."""
    (outputs, inputs, side), (all_outputs, all_inputs, _side) = own, padded
    plain = np.zeros((all_outputs, all_inputs, side, side), np.float32)
    plain[:outputs, :inputs] = 1
    by_block = plain.reshape(all_outputs // block, block, all_inputs // block, block, side, side)
    return by_block.transpose(0, 2, 4, 5, 3, 1).reshape(plain.shape)


def blocked(block: int, own: int) -> ModelProto:
    """Return two blocked convolutions of 20 to `own` to 24 channels, padded to a block."""
    middle, last = (-(-n // block) * block for n in (own, 24))
    read = -(-20 // block) * block
    body = """g (float[1,20,6,6] x) => (float[1,24,6,6] y) {
      r = com.microsoft.nchwc.ReorderInput(x)
      a = com.microsoft.nchwc.Conv <activation = "Relu", pads = [1, 1, 1, 1]> (r, v, b)
      p = com.microsoft.nchwc.MaxPool <kernel_shape = [1, 1]> (a)
      c = com.microsoft.nchwc.Conv(p, w)
      y = com.microsoft.nchwc.ReorderOutput <channels = 24> (c) }"""
    model = graph(body, domains=NCHWC)
    first = fill_weight((own, 20, 3), (middle, read, 3), block)
    second = fill_weight((24, own, 1), (last, middle, 1), block)
    for name, array in (("v", first), ("w", second), ("b", np.zeros(middle, np.float32))):
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


@pytest.mark.parametrize("block", [1, 8, 16])
@pytest.mark.parametrize("own", [8, 12, 13, 16])
def test_a_count_does_not_depend_on_the_block(block: int, own: int) -> None:
    report = count_onnx(blocked(block, own))
    macs = 36 * (own * 20 * 9 + 24 * own)
    biases, maxima = 36 * own, 36 * own
    assert report.cost == OpCost(macs=macs, add=biases, compare=maxima)
    assert report.bytes_moved == count_onnx(blocked(1, own)).bytes_moved
    middle, last, read = (-(-n // block) * block for n in (own, 24, 20))
    padding = 36 * (middle * read * 9 + last * middle) - macs
    assert codes(report.notes) == (("padding",) if padding else ())
    assert not padding or f"{padding:,} MACs" in report.notes[0]


CONVOLUTIONS = {
    "narrow": """g (float[1,4,8,8] x) => (float[m,n] y) <float[8,4,3,3] a, float[20,8,3,3] b,
        float[12,20,1,1] c> { p = Conv(x, a)  q = Relu(p)  r = Conv(q, b)  y = Conv(r, c) }""",
    "pooled": """g (float[1,16,8,8] x) => (float[m,n] y) <float[16,16,3,3] a, float[16,16,1,1] b> {
        p = Conv <pads = [1, 1, 1, 1]> (x, a)
        q = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (p)  y = Conv(q, b) }""",
    "summed": """g (float[1,24,8,8] x) => (float[m,n] y) <float[12,24,3,3] a, float[12,12,3,3] b> {
        p = Conv(x, a)  q = Conv <pads = [1, 1, 1, 1]> (p, b)  s = Add(p, q)  t = Relu(s)
        y = GlobalAveragePool(t) }""",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("opset", [9, 11, 13, 17])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_what_the_optimiser_writes_has_the_models_macs(
    tmp_path: Path, name: str, opset: int
) -> None:
    model = with_weights(CONVOLUTIONS[name])
    model.opset_import[0].version = opset
    model.ir_version = 8
    onnx.save(model, tmp_path / "m.onnx")
    expected, report = (count_onnx(p) for p in (model, optimised(tmp_path / "m.onnx")))
    assert report.complete, report.uncounted
    assert (report.macs, report.flops) == (expected.macs, expected.flops)
