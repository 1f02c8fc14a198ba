"""Operands that do not fit are refused where onnxruntime refuses them, and only there."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from inspect_cost import count_onnx
from inspect_cost.counting.onnx.value import MOST_INTEGERS
from inspect_cost.values.errors import UsageError
from tests.counting.onnx.graphs import MICROSOFT, graph
from tests.counting.onnx.test_operators import CASES, FUSED

#: Newest IR version that onnxruntime reads.
IR_VERSION = 10
Feed = Mapping[str, Any]


def reshape_to(model: ModelProto, shapes: Sequence[Sequence[int]]) -> ModelProto:
    """Return the model with other shapes of its inputs, and none stated of its results."""
    other = ModelProto()
    other.CopyFrom(model)
    other.ir_version = min(other.ir_version, IR_VERSION)
    del other.graph.value_info[:]
    for entry, shape in zip(other.graph.input, shapes, strict=True):
        kind = entry.type.tensor_type.elem_type
        entry.CopyFrom(helper.make_tensor_value_info(entry.name, kind, list(shape)))
    for entry in other.graph.output:
        entry.type.tensor_type.ClearField("shape")
    return other


def make_feed(model: ModelProto) -> Feed:
    """Return ones for integers, which are valid indices, and random numbers."""
    random, feed = np.random.default_rng(0), {}
    for entry in model.graph.input:
        shape = [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type)
        integers = dtype.kind in "iub"
        feed[entry.name] = np.ones(shape, dtype) if integers else random.random(shape).astype(dtype)
    return feed


def runs(model: ModelProto, feed: Feed) -> bool:
    """Return whether onnxruntime runs a model as it stands."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    onnxruntime.set_default_logger_severity(4)
    try:
        content = model.SerializeToString()
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        session.run(None, feed)
    except Exception:  # noqa: BLE001 - onnxruntime has an error of its own for each stage
        return False
    return True


def is_counted(model: ModelProto) -> bool:
    try:
        count_onnx(model)
    except UsageError:
        return False
    return True


def iterate_larger(shapes: Sequence[Sequence[int]]) -> Iterator[list[list[int]]]:
    """Iterate over the shapes with one size larger by one."""
    for position, shape in enumerate(shapes):
        for axis in range(len(shape)):
            larger = [list(s) for s in shapes]
            larger[position][axis] += 1
            yield larger


BODIES = [(opset, body, "") for opset, body, _ in CASES] + [
    (20, body, f'{MICROSOFT}, "com.microsoft.nchwc" : 1') for body, _ in FUSED
]


@pytest.mark.parametrize(
    ("opset", "body", "domains"), BODIES, ids=[f"{o} {b}" for o, b, _ in BODIES]
)
def test_a_size_that_onnxruntime_refuses_is_refused(opset: int, body: str, domains: str) -> None:
    model = graph(body, opset=opset, domains=domains)
    shapes = [
        [dim.dim_value for dim in entry.type.tensor_type.shape.dim] for entry in model.graph.input
    ]
    whole = reshape_to(model, shapes)
    if not runs(whole, make_feed(whole)):
        pytest.skip("onnxruntime has no such operator on the CPU, or refuses these values")
    for larger in iterate_larger(shapes):
        other = reshape_to(model, larger)
        assert is_counted(other) == runs(other, make_feed(other)), larger


#: Operators of which onnxruntime's kernels refuse what ONNX allows (scales and zero points per row,
#: interpolation over batches, results of a body that were declared), or allow what ONNX does not
#: (a weight for too few classes, updates beyond the end of a buffer).
ONNXRUNTIME_ALONE = {
    "MatMulInteger",
    "QLinearMatMul",
    "Resize",
    "Scan",
    "SoftmaxCrossEntropyLoss",
    "TensorScatter",
}


def store_integers(model: ModelProto, arrays: Sequence[Any]) -> tuple[ModelProto, Feed]:
    """Return the model for arrays, with the small integers stored in it, and the rest to feed."""
    other = reshape_to(model, [array.shape for array in arrays])
    entries, feed = list(other.graph.input), {}
    del other.graph.input[:]
    for entry, array in zip(entries, arrays, strict=True):
        if array.dtype.kind in "iub" and array.size < MOST_INTEGERS:
            other.graph.initializer.append(numpy_helper.from_array(array, entry.name))
        else:
            other.graph.input.append(entry)
            feed[entry.name] = array
    return other, feed


def single_nodes() -> dict[str, tuple[ModelProto, list[Any]]]:
    """Return ONNX's own cases of one node, one of each operator with as many operands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = pytest.importorskip("onnx.backend.test.case.node").collect_testcases(None)
    found: dict[str, tuple[ModelProto, list[Any]]] = {}
    for case in cases:
        if case.model is None or len(case.model.graph.node) != 1 or "_expanded" in case.name:
            continue
        node, given = case.model.graph.node[0], case.data_sets[0][0]
        arrays = [np.asarray(x) for x in given if isinstance(x, np.ndarray | np.generic)]
        whole = len(arrays) == len(given) == len(case.model.graph.input)
        if whole and not any(array.dtype == object for array in arrays):
            found.setdefault(f"{node.op_type}-{len(given)}", (case.model, arrays))
    return found


@pytest.mark.slow
def test_sizes_of_every_operator_are_refused_as_onnxruntime_does() -> None:
    checked, wrong = 0, []
    for name, (model, arrays) in single_nodes().items():
        if name.partition("-")[0] in ONNXRUNTIME_ALONE or not runs(*store_integers(model, arrays)):
            continue
        for larger in iterate_larger([array.shape for array in arrays]):
            pairs = zip(arrays, larger, strict=True)
            other = [np.resize(array, shape).astype(array.dtype) for array, shape in pairs]
            stored, feed = store_integers(model, other)
            checked += 1
            if is_counted(stored) != runs(stored, feed):
                wrong.append((name, larger))
    assert wrong == []
    assert checked > 400


STATED = """g (float[4,16] x, float[16,8] w) => (float[m,n] y) <int64[2] s = {1, 16}> {
  r = Reshape(x, s)  y = MatMul(r, w) }"""
IMPOSSIBLE = {
    "a batch written into a Reshape": STATED,
    "an LSTM of other features": """g (float[5,2,7] x, float[1,16,6] w, float[1,16,4] r)
        => (float[a,b,c,d] y) { y = LSTM <hidden_size = 4> (x, w, r) }""",
    "a state of another batch": """g (float[5,2,6] x, float[1,16,6] w, float[1,16,4] r,
        float[1,3,4] h) => (float[a,b,c,d] y) {
        y = LSTM <hidden_size = 4> (x, w, r, "", "", h, h) }""",
    "a transposed convolution of other channels": """g (float[1,8,5] x, float[6,4,3] w)
        => (float[a,b,c] y) { y = ConvTranspose(x, w) }""",
    "an index of two sizes": """g (float[4,15] a, float[16,8] b) => (float[m,n] y) {
        y = Einsum <equation = "ij,jk->ik"> (a, b) }""",
    "a scale of another row": """g (float[2,5] x, float[4] s) => (float[m,n] y) {
        y = LayerNormalization(x, s) }""",
    "heads that do not share": """g (float[1,3,4,8] q, float[1,2,4,8] k, float[1,2,4,8] v)
        => (float[a,b,c,d] y) { y = Attention(q, k, v) }""",
    "a kernel that is not its weight": """g (float[1,3,9] x, float[4,3,5] w) => (float[a,b,c] y) {
        y = Conv <kernel_shape = [3]> (x, w) }""",
    "groups that do not divide": """g (float[1,4,9] x, float[3,2,3] w) => (float[a,b,c] y) {
        y = Conv <group = 2> (x, w) }""",
}


@pytest.mark.parametrize("body", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_calls_are_refused(body: str) -> None:
    model = graph(body, opset=23)
    with pytest.raises(UsageError, match="does not match its definition"):
        count_onnx(model)
    model.ir_version = IR_VERSION
    assert not runs(model, make_feed(model))


def test_unknown_sizes_fit_everything() -> None:
    body = """g (float[5,2,6] x, float[1,16,6] w, float[1,16,4] r) => (float[a,b,c,d] y) {
        z = own.Pick(x)  y = LSTM <hidden_size = 4> (z, w, r) }"""
    report = count_onnx(graph(body, domains='"own" : 1'))
    assert set(report.uncounted) == {"own.Pick", "onnx.LSTM"}


@pytest.mark.parametrize(("size", "counted"), [(6, True), (7, False)])
def test_known_axes_are_checked_beside_unknown_ones(size: int, counted: bool) -> None:
    body = f"""g (float[5,2,6] x, float[1,16,{size}] w, float[1,16,4] r, bool[5] c)
        => (float[a,b,c,d] y) {{
        z = Compress <axis = 0> (x, c)  y = LSTM <hidden_size = 4> (z, w, r) }}"""
    model = graph(body)
    assert model.graph.input[3].type.tensor_type.elem_type == TensorProto.BOOL
    assert is_counted(model) == counted
