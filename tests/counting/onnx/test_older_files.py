"""Files of old IR versions and opsets, among them those that ship with the onnx package."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from inspect_cost import CostReport, OpCost, count_onnx
from inspect_cost.counting.onnx.binding import find_open_axes
from tests.counting.onnx.graphs import BODIES, graph

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data"
FILES = sorted(FOLDER.rglob("*.onnx"))
if not FILES:
    pytest.skip("onnx was installed without its test data", allow_module_level=True)
#: Operators of the training preview, which no runtime has.
UNCOUNTED = {"ai.onnx.preview.training.Gradient"}


def count_at(path: Path, size: int = 3) -> CostReport:
    """Count a file with a size for every open axis."""
    axes = find_open_axes(onnx.load(path, load_external_data=False).graph)
    return count_onnx(path, input_shapes=dict.fromkeys(axes, size))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_file_that_ships_with_onnx_is_counted(path: Path) -> None:
    report = count_at(path)
    assert set(report.uncounted) <= UNCOUNTED


@pytest.mark.parametrize(
    ("name", "macs"),
    [("light_resnet50", 4_089_184_256), ("light_vgg19", 19_632_062_464)],
)
def test_published_networks_of_ir_3(name: str, macs: int) -> None:
    (path,) = (file for file in FILES if file.stem == name)
    assert onnx.load(path).ir_version == 3
    assert count_onnx(path).macs == macs


def list_weights_as_inputs(model: ModelProto, ir_version: int) -> ModelProto:
    """Return the model as written with `keep_initializers_as_inputs`."""
    old = ModelProto()
    old.CopyFrom(model)
    old.ir_version = ir_version
    for tensor in model.graph.initializer:
        entry = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        old.graph.input.append(entry)
    return old


@pytest.mark.parametrize("ir_version", [3, 4, 8, 10])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_weights_among_the_inputs_are_weights(body: str, ir_version: int) -> None:
    plain = graph(body)
    for entry in plain.graph.value_info:
        shape = [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
        values = np.ones(shape, helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type))
        plain.graph.initializer.append(numpy_helper.from_array(values, entry.name))
    expected, report = count_onnx(plain), count_onnx(list_weights_as_inputs(plain, ir_version))
    assert report.cost == expected.cost
    assert report.storage == expected.storage
    assert expected.params > 0


def test_weights_come_before_other_inputs() -> None:
    model = graph("g (float[2,64] x, float[64,8] w) => (float[m,n] y) { y = MatMul(x, w) }")
    entries = list(model.graph.input)
    del model.graph.input[:]
    model.graph.input.extend(reversed(entries))
    weight = numpy_helper.from_array(np.ones((64, 8), np.float32), "w")
    model.graph.initializer.append(weight)
    report = count_onnx(model)
    assert (report.macs, report.params) == (2 * 64 * 8, 64 * 8)


def early(op: str, shapes: list[Any], constants: dict[str, Any], **attributes: Any) -> GraphProto:
    """Return a graph of one node on inputs of the given shapes and on constants, then Tanh."""
    names = [f"x{i}" for i in range(len(shapes))]
    results = ["h", "other"] if op in {"Split", "TopK"} else ["h"]
    nodes = [
        helper.make_node(op, [*names, *constants], results, **attributes),
        helper.make_node("Tanh", ["h"], ["y"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip(names, shapes, strict=True)
    ]
    weights = [
        numpy_helper.from_array(np.array(v, np.float32), name) for name, v in constants.items()
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    return helper.make_graph(nodes, "early", inputs, [output], weights)


RNN_SHAPES = [(5, 2, 3), (1, 4, 3), (1, 4, 4)]
#: Operator, shapes, constants, attributes, versions of the form, shape of the first result.
EARLY = [
    ("Relu", [(2, 3)], {}, {"consumed_inputs": [0]}, (1, 5), (2, 3)),
    ("Add", [(2, 3, 4), (3,)], {}, {"broadcast": 1, "axis": 1}, (1, 6), (2, 3, 4)),
    ("Concat", [(2, 3), (2, 4)], {}, {}, (1, 3), (2, 7)),
    ("Concat", [(2, 3), (4, 3)], {}, {"axis": 0}, (1, 13), (6, 3)),
    ("Cast", [(2, 3)], {}, {"to": "DOUBLE"}, (1, 5), (2, 3)),
    ("Pad", [(2, 3)], {}, {"paddings": [0, 1, 0, 2]}, (1, 1), (2, 6)),
    ("Pad", [(2, 3)], {}, {"pads": [0, 1, 0, 2]}, (2, 10), (2, 6)),
    (
        "Upsample",
        [(1, 2, 3, 3)],
        {},
        {"mode": "nearest", "height_scale": 2.0, "width_scale": 3.0},
        (1, 5),
        (1, 2, 6, 9),
    ),
    ("Reshape", [(2, 6)], {}, {"shape": [0, 3, -1]}, (1, 4), (2, 3, 2)),
    ("Split", [(2, 6)], {}, {"axis": 1, "split": [2, 4]}, (1, 12), (2, 2)),
    ("Split", [(2, 6)], {"lengths": [2, 4]}, {"axis": 1}, (1, 1), (2, 2)),
    ("Tile", [(2, 6)], {"tiles": 3, "axis": 1}, {}, (1, 5), (2, 18)),
    ("TopK", [(2, 9)], {}, {"k": 3, "axis": 1}, (1, 9), (2, 3)),
    ("GRU", [(5, 2, 3), (1, 12, 3), (1, 12, 4)], {}, {"hidden_size": 4}, (1, 22), (5, 1, 2, 4)),
    ("RNN", RNN_SHAPES, {}, {"hidden_size": 4, "output_sequence": 1}, (1, 6), (5, 1, 2, 4)),
    ("BatchNormalization", [(2, 3, 4), *[(3,)] * 4], {}, {"is_test": 1}, (1, 6), (2, 3, 4)),
    ("InstanceNormalization", [(1, 2, 8), (2,), (2,)], {}, {}, (1, 22), (1, 2, 8)),
    ("Dropout", [(2, 3)], {}, {"is_test": 1, "ratio": 0.5}, (1, 6), (2, 3)),
    ("Gemm", [(2, 3), (3, 4), (4,)], {}, {"broadcast": 1}, (1, 6), (2, 4)),
    ("LpPool", [(1, 2, 8)], {}, {"kernel_shape": [3], "p": 2.0}, (1, 1), (1, 2, 6)),
    ("GlobalLpPool", [(1, 2, 8)], {}, {"p": 2.0}, (1, 1), (1, 2, 1)),
    ("PRelu", [(2, 3), (3,)], {}, {}, (1, 16), (2, 3)),
    ("Clip", [(2, 3)], {}, {"min": 0.0, "max": 1.0}, (1, 10), (2, 3)),
    ("Sum", [(2, 3)] * 3, {}, {}, (1, 13), (2, 3)),
    ("Max", [(2, 3)] * 3, {}, {}, (1, 13), (2, 3)),
    ("Selu", [(2, 3)], {}, {}, (1, 6), (2, 3)),
]


@pytest.mark.parametrize(
    ("op", "shapes", "constants", "attributes", "versions", "shape"),
    EARLY,
    ids=[f"{op} {attributes}" for op, _, _, attributes, _, _ in EARLY],
)
def test_early_operators_have_results(
    op: str, shapes: Any, constants: Any, attributes: Any, versions: Any, shape: Any
) -> None:
    for opset in range(versions[0], versions[1] + 1):
        imports = [helper.make_operatorsetid("", opset)]
        body = early(op, shapes, constants, **attributes)
        report = count_onnx(helper.make_model(body, opset_imports=imports, ir_version=3))
        assert report.by_operator["onnx.Tanh"].cost == OpCost(special=prod(shape)), opset
        assert report.complete


def test_layers_of_the_first_opset() -> None:
    model = graph(
        """g (float[1,3,4,4] x, float[4,3,1,1] v, float[2,4,1,1] w) => (float[p,q,r,s] y) {
      a = Conv(x, v)  b = Relu(a)  y = Conv(b, w) }""",
        opset=1,
    )
    assert count_onnx(model).macs == (3 * 4 + 4 * 2) * 16
