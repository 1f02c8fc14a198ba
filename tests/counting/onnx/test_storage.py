"""Parameters of files: names by scope, weights of few bits, every form of a constant, classics."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from inspect_cost import count_onnx

RANDOM = np.random.default_rng(0)
FLOAT = TensorProto.FLOAT


def weight(name: str, *shape: int, dtype: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(RANDOM.random(shape).astype(dtype), name)


def entry(name: str, shape: Sequence[int] | None, dtype: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def make(
    nodes: Sequence[NodeProto],
    shape: Sequence[int],
    weights: Sequence[TensorProto] = (),
    *,
    inputs: Sequence[onnx.ValueInfoProto] = (),
    functions: Sequence[onnx.FunctionProto] = (),
) -> ModelProto:
    """Return a model from x to y."""
    body = helper.make_graph(
        nodes, "g", [entry("x", shape), *inputs], [entry("y", None)], list(weights)
    )
    domains = {"": 17, "com.microsoft": 1, "ai.onnx.ml": 3, "own": 1}
    imports = [helper.make_operatorsetid(domain, version) for domain, version in domains.items()]
    return helper.make_model(body, opset_imports=imports, functions=functions, ir_version=8)


def branch(name: str, *shape: int) -> onnx.GraphProto:
    node = helper.make_node("MatMul", ["x", "W"], [name])
    return helper.make_graph([node], name, [], [entry(name, None)], [weight("W", *shape)])


def test_two_branches_may_use_one_name() -> None:
    node = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch("a", 16, 16), else_branch=branch("b", 16, 32)
    )
    model = make([node], (2, 16), inputs=[entry("c", [], TensorProto.BOOL)])
    assert count_onnx(model).params == 16 * 16 + 16 * 32
    model.graph.initializer.append(weight("W", 5))  # a third tensor, which the branches hide
    assert count_onnx(model).params == 16 * 16 + 16 * 32 + 5


def function(name: str, *shape: int, op: str = "MatMul", at: int = 1) -> onnx.FunctionProto:
    """Return a function with a constant w of its own, which its one node reads."""
    constant = helper.make_node("Constant", [], ["w"], value=weight("", *shape))
    operands = ["x", "x", "x", "x", "x"]
    operands[at:] = ["w"]
    node = helper.make_node(op, operands, ["r"])
    imports = [helper.make_operatorsetid("", 17)]
    return helper.make_function("own", name, ["x"], ["r"], [constant, node], imports)


def call(name: str, source: str, result: str) -> NodeProto:
    return helper.make_node(name, [source], [result], domain="own")


def test_two_functions_may_use_one_name_and_store_it_once() -> None:
    nodes = [call("f", "x", "a"), call("f", "a", "b"), call("g", "b", "y")]
    functions = [function("f", 16, 16), function("g", 16, 32)]
    report = count_onnx(make(nodes, (2, 16), functions=functions))
    assert report.params == 16 * 16 + 16 * 32
    assert report.macs == 2 * (16 * 16 * 2 + 16 * 32)


def test_a_functions_constant_is_judged_by_its_own_readers() -> None:
    nodes = [call("f", "x", "a"), helper.make_node("Clip", ["a", "w"], ["y"])]
    report = count_onnx(make(nodes, (2, 16), [weight("w")], functions=[function("f", 16, 16)]))
    assert (report.params, report.storage.buffers) == (256, 1)


def test_a_weight_is_judged_by_what_a_function_does_with_it() -> None:
    imports = [helper.make_operatorsetid("", 17)]
    inner = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["r"])
    names = ["x", "s", "b", "m", "v"]
    normalise = helper.make_function("own", "normalise", names, ["r"], [inner], imports)
    node = helper.make_node("normalise", ["x", "s0", "b0", "m0", "v0"], ["y"], domain="own")
    weights = [weight(name, 3) for name in ("s0", "b0", "m0", "v0")]
    report = count_onnx(make([node], (2, 3, 4), weights, functions=[normalise]))
    assert (report.params, report.storage.buffers) == (6, 6)


@pytest.mark.parametrize("copy", ["Identity", "Cast"])
def test_a_copied_setting_is_a_setting(copy: str) -> None:
    attributes: dict[str, Any] = {"to": FLOAT} if copy == "Cast" else {}
    nodes = [
        helper.make_node(copy, ["m"], ["m2"], **attributes),
        helper.make_node("BatchNormalization", ["x", "s", "b", "m2", "v"], ["y"]),
    ]
    weights = [weight(name, 3) for name in ("s", "b", "m", "v")]
    report = count_onnx(make(nodes, (2, 3, 4), weights))
    assert (report.params, report.storage.buffers) == (6, 6)


def sparse(values: int, *shape: int) -> onnx.SparseTensorProto:
    stored = helper.make_tensor("s", FLOAT, [values], [1.0] * values)
    indices = helper.make_tensor("i", TensorProto.INT64, [values], list(range(values)))
    return helper.make_sparse_tensor(stored, indices, shape)


#: Attribute of a Constant, its value, parameters and buffers.
FORMS: list[tuple[str, Any, int, int]] = [
    ("value", weight("", 3), 3, 0),
    ("value_floats", [1.0, 2.0, 3.0], 3, 0),
    ("value_float", 2.0, 0, 1),
    ("value_ints", [1, 2, 3], 0, 3),
    ("value_int", 2, 0, 1),
    ("sparse_value", sparse(2, 3), 2, 0),
]


@pytest.mark.parametrize(("form", "value", "params", "buffers"), FORMS, ids=[f[0] for f in FORMS])
def test_constants_of_every_form(form: str, value: Any, params: int, buffers: int) -> None:
    nodes = [
        helper.make_node("Constant", [], ["b"], **{form: value}),
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Cast", ["b"], ["c"], to=FLOAT),
        helper.make_node("Add", ["h", "c"], ["y"]),
    ]
    report = count_onnx(make(nodes, (2, 4), [weight("w", 4, 3)]))
    assert (report.params, report.storage.buffers) == (12 + params, buffers)
    assert report.param_bytes == 4 * (12 + params)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize(("K", "N"), [(64, 32), (70, 33)])
def test_weights_of_few_bits_are_elements(bits: int, K: int, N: int) -> None:
    blocks = -(-K // 32)
    node = helper.make_node(
        "MatMulNBits",
        ["x", "q", "s", "z"],
        ["y"],
        domain="com.microsoft",
        K=K,
        N=N,
        bits=bits,
        block_size=32,
    )
    weights = [
        weight("q", N, blocks, 32 * bits // 8, dtype=np.uint8),
        weight("s", N * blocks),
        weight("z", N * -(-blocks * bits // 8), dtype=np.uint8),
    ]
    report = count_onnx(make([node], (1, 5, K), weights))
    assert report.params == K * N
    assert report.param_bytes == N * blocks * 32 * bits // 8
    assert report.storage.buffers == N * blocks + N * -(-blocks * bits // 8)
    assert report.storage.dtypes == {f"uint{bits}": K * N}


def layers() -> ModelProto:
    """Return an embedding and two linear layers."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        helper.make_node("MatMul", ["e", "up"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "down"], ["y"]),
    ]
    weights = [weight("table", 256, 64), weight("up", 64, 128), weight("down", 128, 64)]
    model = make(nodes, (1,), weights, inputs=[entry("ids", [1, 10], TensorProto.INT64)])
    del model.graph.input[0]
    model.opset_import[0].version = 21
    model.ir_version = 10
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["QOperator", "QDQ"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
def test_the_few_bit_tool_keeps_macs_and_parameters(form: str, symmetric: bool, bits: int) -> None:
    pytest.importorskip("onnxruntime")
    tool = pytest.importorskip("onnxruntime.quantization.matmul_nbits_quantizer")
    quant = pytest.importorskip("onnxruntime.quantization.quant_utils")
    expected = count_onnx(layers())
    packed = ("MatMul", "Gather") if form == "QOperator" else ("MatMul",)  # as the tool can
    config = tool.DefaultWeightOnlyQuantConfig(
        block_size=32,
        is_symmetric=symmetric,
        quant_format=quant.QuantFormat[form],
        op_types_to_quantize=packed,
        bits=bits,
    )
    quantizer = tool.MatMulNBitsQuantizer(layers(), algo_config=config)
    quantizer.process()
    report = count_onnx(quantizer.model.model)
    assert report.complete, report.uncounted
    assert report.macs == expected.macs
    assert report.params == expected.params == 32_768


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("name", ["w", "enc.fc.weight"])
def test_scales_of_the_dynamic_quantiser_are_settings(
    tmp_path: Path, name: str, per_channel: bool
) -> None:
    pytest.importorskip("onnxruntime")
    tool = pytest.importorskip("onnxruntime.quantization")
    model = make([helper.make_node("MatMul", ["x", name], ["y"])], (2, 16), [weight(name, 16, 8)])
    onnx.save(model, tmp_path / "m.onnx")
    tool.quantize_dynamic(tmp_path / "m.onnx", tmp_path / "q.onnx", per_channel=per_channel)
    report = count_onnx(tmp_path / "q.onnx")
    assert (report.params, report.param_bytes) == (128, 128)
    assert report.macs == 2 * 16 * 8


def test_bnb4_weights_are_elements() -> None:
    node = helper.make_node(
        "MatMulBnb4",
        ["x", "q", "absmax"],
        ["y"],
        domain="com.microsoft",
        K=64,
        N=32,
        block_size=16,
        quant_type=1,
    )
    weights = [weight("q", 1024, dtype=np.uint8), weight("absmax", 128)]
    report = count_onnx(make([node], (1, 5, 64), weights))
    assert (report.params, report.param_bytes) == (2048, 1024)
    assert report.macs == 5 * 64 * 32
    assert report.storage.dtypes == {"nf4": 2048}


TREE = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
    "target_treeids": [0, 0],
    "target_nodeids": [1, 2],
    "target_ids": [0, 0],
    "target_weights": [1.0, 2.0],
    "n_targets": 1,
}
CLASSICAL = [
    ("LinearRegressor", {"coefficients": [1.0, 2.0, 3.0], "intercepts": [1.0]}, 4),
    ("TreeEnsembleRegressor", TREE, 3),  # a threshold and two leaves
    ("Scaler", {"offset": [1.0] * 3, "scale": [1.0] * 3}, 0),
]


@pytest.mark.parametrize(("op", "attributes", "params"), CLASSICAL, ids=[c[0] for c in CLASSICAL])
def test_classical_models_have_parameters(op: str, attributes: Any, params: int) -> None:
    node = helper.make_node(op, ["x"], ["y"], domain="ai.onnx.ml", **attributes)
    report = count_onnx(make([node], (2, 3)))
    assert (report.params, report.param_bytes) == (params, 4 * params)
