"""`count`: one signature for modules, methods, functions, calls and ONNX files."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from inspect_cost import Call, CountError, OpCost, Policy, UsageError, cost_law, count
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.values.notes import codes

ENCODER = nn.Linear(3, 4, bias=False).eval()


class Chosen(nn.Module):
    """A convolution whose forward has a parameter of the name of an option."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor, policy: str = "once", backward: bool = False) -> Tensor:
        del backward
        y = self.conv(x)
        return self.conv(y) if policy == "twice" else y


def decoder() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout())


def test_a_function_is_counted_with_the_modules_that_it_refers_to() -> None:
    net, x = decoder(), torch.ones(2, 3)
    report = count(lambda x: net(ENCODER(x)), x)
    whole = count(nn.Sequential(ENCODER, net), x)
    assert (report.params, report.cost) == (whole.params, whole.cost)
    assert report.by_module["net"].macs == 2 * 4 * 5
    assert report.by_module["ENCODER"].macs == 2 * 3 * 4
    assert report.by_module[""].type == report.model == "function"
    assert codes(report.notes) == ("train-mode",)


def test_partials_are_counted_with_their_modules() -> None:
    def run(encoder: nn.Module, x: Tensor, scale: float = 1.0) -> Tensor:
        return encoder(x) * scale

    for function in (functools.partial(run, ENCODER), functools.partial(run, encoder=ENCODER)):
        report = count(function, x=torch.ones(2, 3))
        assert (report.params, report.macs) == (12, 24)
        assert report.by_module["encoder"].macs == 24
    assert count(run, ENCODER, torch.ones(2, 3), scale=2.0).params == 12


def test_operators_of_torch_are_counted_as_they_are() -> None:
    a, b = torch.ones(2, 3), torch.ones(3, 5)
    report = count(torch.matmul, a, b)
    assert (report.model, report.params, report.macs, report.notes) == ("matmul", 0, 30, ())
    assert report.input_bytes == 4 * (6 + 15)


def test_values_stay_known_in_a_function_without_parameters() -> None:
    def course(x: Tensor) -> Tensor:
        return x @ x.T if x.sum().item() > 0 else x

    assert count(course, torch.ones(2, 3)).macs == 12
    assert count(course, -torch.ones(2, 3)).macs == 0


def state(net: nn.Module) -> Any:
    return (
        {name: value.tolist() for name, value in net.state_dict().items()},
        [module.training for module in net.modules()],
        [sorted(vars(module)) for module in net.modules()],
        [parameter.grad for parameter in net.parameters()],
        torch.get_rng_state().tolist(),
    )


@pytest.mark.parametrize("backward", [False, True])
def test_modules_in_a_function_are_not_changed(backward: bool) -> None:
    net, cache = decoder().train(), torch.zeros(5)
    net[0].register_forward_hook(lambda *_: None)  # type: ignore[index]

    def run(x: Tensor) -> Tensor:
        cache.add_(1)
        return net(ENCODER(x)) + cache

    before = state(net), state(ENCODER)
    report = count(run, torch.ones(2, 3), backward=backward)
    assert (state(net), state(ENCODER)) == before
    assert not cache.any()
    assert report.complete


def test_a_training_step_of_a_function_is_that_of_its_modules() -> None:
    net, target = decoder(), torch.ones(2, 5)
    report = count(lambda x: (net(x) - target).square().mean(), torch.ones(2, 4), backward=True)
    assert report.by_module["net"].macs == 2 * (2 * 4 * 5)  # the input needs no gradient
    assert codes(report.notes) == ("training-step",)
    weight = nn.Parameter(torch.ones(3))
    count(lambda x: x * weight, torch.ones(3), backward=True)
    assert weight.grad is None


def test_a_compiled_function_is_counted_as_written() -> None:
    compiled = torch.compile(lambda x: ENCODER(x), backend="eager")
    assert count(compiled, torch.ones(2, 3)).params == 12


def test_a_call_carries_its_arguments() -> None:
    x = torch.ones(2, 3)
    assert count(Call.of(ENCODER, x)).tallies == count(ENCODER, x).tallies
    with pytest.raises(UsageError, match="has its arguments already"):
        count(Call.of(ENCODER, x), x)
    with pytest.raises(UsageError, match="has its arguments already"):
        count(Call.of(ENCODER, x), input=x)


def test_an_option_that_the_model_takes_too_is_refused_in_the_short_form() -> None:
    model, x = Chosen(), torch.ones(1, 1, 8)
    mistakes: dict[str, Callable[[], CostReport]] = {
        "policy": lambda: count(model, x, policy="twice"),
        "backward": lambda: count(model, x, backward=True),
    }
    for name, mistake in mistakes.items():
        with pytest.raises(UsageError) as caught:
            mistake()
        assert caught.value.field == name
        assert f"inspect_cost.Call.of(model, ..., {name}=...)" in caught.value.advice
    assert count(model, x).macs == 24
    assert count(model, x, op_costs={"aten.conv1d": OpCost(macs=1)}).macs == 1


def test_through_a_call_the_model_and_the_count_have_an_option_each() -> None:
    call = Call.of(Chosen(), torch.ones(1, 1, 8), policy="twice")
    assert count(call).macs == 2 * 24
    assert count(call, policy="valid").macs == 2 * 22
    assert count(call, backward=True).macs > 2 * 24


MISTAKES: list[tuple[Callable[[], CostReport], str]] = [
    (lambda: count(ENCODER), "input"),
    (lambda: count(ENCODER, (2, 3)), "input"),
    (lambda: count(ENCODER, [2, 3]), "input"),
    (lambda: count(ENCODER, input=torch.Size([2, 3])), "input"),
    (lambda: count(ENCODER, torch.ones(2, 3).numpy()), "input"),
    (lambda: count(ENCODER, torch.ones(2, 3), policy="sparse"), "policy"),
    (lambda: count(ENCODER, torch.ones(2, 3), policy=3), "policy"),  # type: ignore[arg-type]
    (lambda: count(ENCODER, torch.ones(2, 3), input_shapes={"x": 3}), "input_shapes"),
    (lambda: count("net.onnx", backward=True), "backward"),
    (lambda: count("net.onnx", x=torch.ones(2)), "x"),
    (lambda: count("net.onnx", torch.ones(2)), ""),
    (lambda: count("wavenet"), ""),
    (lambda: count(nn.Linear, 3, 4), ""),
]


@pytest.mark.parametrize(("mistake", "field"), MISTAKES)
def test_mistakes_name_the_parameter_and_say_what_to_do(
    mistake: Callable[[], CostReport], field: str
) -> None:
    with pytest.raises(UsageError) as caught:
        mistake()
    assert caught.value.field == field
    assert caught.value.advice
    assert isinstance(caught.value, ValueError)


def test_a_shape_becomes_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        count(ENCODER, (2, 3))
    assert "torch.zeros(2, 3)" in caught.value.advice


def test_a_sequence_of_numbers_that_a_model_takes_is_no_mistake() -> None:
    class Resized(nn.Module):
        def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
            return x.expand(size) * 2

    assert count(Resized(), torch.ones(1), (2, 3)).flops == 6


def test_other_errors_of_a_forward_stay_what_they_are() -> None:
    with pytest.raises(CountError, match="shapes cannot be multiplied"):
        count(ENCODER, torch.ones(2, 4))


def test_options_are_checked_once() -> None:
    options = CountOptions.of(policy="valid", op_costs={"mylib::scan": OpCost(add=1)})
    assert options.policy == Policy("valid", "triangular")
    assert list(options.op_costs) == ["mylib.scan"]
    with pytest.raises(TypeError, match="unknown"):
        CountOptions.of(unknown=1)  # type: ignore[call-arg]


def test_a_law_takes_a_call_for_each_length() -> None:
    def make_call(length: int) -> Call:
        return Call.of(Chosen(), torch.ones(1, 1, length), policy="twice")

    assert list(cost_law(Chosen(), make_call, policy="valid").macs) == [-4, 6]
    assert list(cost_law(lambda x: ENCODER(x), lambda n: torch.ones(n, 3)).macs) == [0, 12]
    with pytest.raises(UsageError, match="matches nothing"):
        cost_law(ENCODER, lambda n: torch.ones(n, 3), op_costs={"aten.conv1d": OpCost()})


@pytest.mark.parametrize("name", ["net.onnx", "NET.ONNX"])
def test_an_onnx_file_or_model_is_counted_by_the_same_function(tmp_path: Path, name: str) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])
    w = helper.make_tensor("w", TensorProto.FLOAT, [3, 4], [0.0] * 12)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = helper.make_model(helper.make_graph([product], "net", [x], [y], [w]))
    path = tmp_path / name
    path.write_bytes(model.SerializeToString())
    for source in (path, str(path), model):
        assert count(source, input_shapes={"N": 2}).macs == 24
    constant = count(model, input_shapes={"N": 2}, op_costs={"onnx.MatMul": OpCost(macs=1)})
    assert constant.macs == 1
    for costs in ({"onnx.MatMull": OpCost()}, {"onnx.MatMul": 7}, {"onnx.MatMul": lambda _: 7}):
        with pytest.raises(UsageError) as caught:
            count(model, input_shapes={"N": 2}, op_costs=costs)  # type: ignore[arg-type]
        assert caught.value.field == "op_costs"
