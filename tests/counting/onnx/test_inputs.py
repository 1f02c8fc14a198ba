"""What a graph's inputs may be: open axes in every spelling, sequences, optionals, unread ones."""

from collections.abc import Callable
from typing import Any

import pytest
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from inspect_cost import OpCost, count_onnx
from inspect_cost.counting.onnx.binding import bind_inputs, find_open_axes
from inspect_cost.values.errors import UsageError
from tests.counting.onnx.graphs import graph

CONV = "g (float[2,3,8,8] x, float[4,3,3,3] w) => (float[p,q,r,s] y) { y = Conv(x, w) }"
Dims = list[int | str | None]


def conv_on(dims: Dims) -> ModelProto:
    """Return a convolution whose input has the given sizes and names of axes."""
    model = graph(CONV)
    shape = model.graph.input[0].type.tensor_type.shape
    del shape.dim[:]
    for dim in dims:
        entry = shape.dim.add()
        if isinstance(dim, int):
            entry.dim_value = dim
        elif dim is not None:
            entry.dim_param = dim
    return model


@pytest.mark.parametrize("mark", [-1, "?", None, "", "-1", "None"])
@pytest.mark.parametrize("given", [(2, 3, 8, 8), (1, 3, 48, 192), (5, 3, 3, 4)])
def test_nameless_open_axes_take_any_size(
    mark: int | str | None, given: tuple[int, int, int, int]
) -> None:
    model = conv_on([mark, 3, mark, mark])
    B, _channels, height, width = given
    macs = B * 4 * (height - 2) * (width - 2) * 27
    assert count_onnx(model, input_shapes={"x": given}).macs == macs
    assert find_open_axes(model.graph) == []
    with pytest.raises(UsageError, match=r"axis 0 of the input x \(\?, 3, \?, \?\) is open"):
        count_onnx(model)


def test_named_open_axes_agree() -> None:
    model = conv_on(["batch", 3, "side", "side"])
    assert find_open_axes(model.graph) == ["batch", "side"]
    assert count_onnx(model, input_shapes={"x": (1, 3, 9, 9)}).macs == 4 * 49 * 27
    with pytest.raises(UsageError, match=r"axis 3 of the input x .* is 48, but 192"):
        count_onnx(model, input_shapes={"x": (1, 3, 48, 192)})


def with_input(body: str, kind: Callable[..., Any], *shape: int | str | None) -> ModelProto:
    """Return the graph with its first input as a sequence or an optional of tensors."""
    model = graph(body)
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, list(shape))
    name = model.graph.input[0].name
    model.graph.input[0].CopyFrom(ValueInfoProto(name=name, type=kind(tensor)))
    return model


ITEM = """g (float[2,3] xs, int64 i, float[3,4] w) => (float[m,n] y) {
  x = SequenceAt(xs, i)  y = MatMul(x, w) }"""


def test_tensors_of_a_sequence_have_the_shape_of_its_type() -> None:
    model = with_input(ITEM, helper.make_sequence_type_proto, 2, 3)
    assert count_onnx(model).macs == 24


@pytest.mark.parametrize("given", [{"n": 5}, {"xs": (5, 3)}])
def test_tensors_of_a_sequence_take_a_given_shape(given: dict[str, Any]) -> None:
    model = with_input(ITEM, helper.make_sequence_type_proto, "n", 3)
    assert count_onnx(model, input_shapes=given).macs == 5 * 12
    with pytest.raises(UsageError, match=r"axis 0 of the input xs \(n, 3\) is open"):
        count_onnx(model)


def test_a_sequence_may_be_given_by_its_tensors() -> None:
    body = """g (float[2,3] xs, float[3,4] w) => (float[m,n] y) {
      x = ConcatFromSequence <axis = 0> (xs)  y = MatMul(x, w) }"""
    model = with_input(body, helper.make_sequence_type_proto, None, 3)
    assert count_onnx(model, input_shapes={"xs": [(2, 3), (5, 3)]}).macs == 7 * 12


def test_a_sequence_is_counted_but_not_fed() -> None:
    model = with_input(ITEM, helper.make_sequence_type_proto, 2, 3)
    with pytest.raises(UsageError, match="the input xs is no tensor"):
        bind_inputs(model.graph, {})


def test_an_optional_holds_what_its_type_says() -> None:
    body = """g (float[2,3] o, float[3,4] w) => (float[m,n] y) {
      x = OptionalGetElement(o)  y = MatMul(x, w) }"""
    model = with_input(body, helper.make_optional_type_proto, "n", 3)
    assert count_onnx(model, input_shapes={"o": (5, 3)}).macs == 5 * 12


def test_whether_an_optional_holds_anything_depends_on_values() -> None:
    body = """g (float[2,3] o) => (float[n] y) <float[3] z = {0, 0, 0}> {
      has = OptionalHasElement(o)
      y = If <then_branch = t () => (float[2,3] a) { v = OptionalGetElement(o)  a = Exp(v) },
              else_branch = e () => (float[3] b) { b = Exp(z) }> (has) }"""
    report = count_onnx(with_input(body, helper.make_optional_type_proto, 2, 3))
    assert report.cost == OpCost(special=6)
    assert [note.code for note in report.notes] == ["costlier-branch"]


@pytest.mark.parametrize("dims", [None, ["n", 3], [-1]])
def test_an_input_that_nothing_reads_needs_no_shape(dims: Dims | None) -> None:
    model = graph(CONV)
    extra = helper.make_tensor_value_info("unread", TensorProto.FLOAT, dims)
    model.graph.input.insert(0, extra)
    assert count_onnx(model).macs == 2 * 4 * 36 * 27
