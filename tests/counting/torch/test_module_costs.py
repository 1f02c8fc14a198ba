"""Costs that a user gives for whole modules."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import model_zoo
from inspect_cost import OpCost, UsageError, count, windowed_convolution
from inspect_cost.counting.torch.module_costs import ModuleRule

Rules = Mapping[type[nn.Module] | str, ModuleRule]


class Strange(nn.Module):
    """A module with an operator that no table has."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x: Tensor, times: int = 1) -> Any:
        return torch.linalg.svdvals(self.inner(x)) * times


class Special(Strange):
    pass


class Pair(nn.Sequential):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self[0](x), self[1](x)


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), Strange(), nn.Linear(4, 2))


def test_a_class_costs_what_its_rule_says() -> None:
    x = torch.ones(4, 4)
    assert not count(model(), x).complete
    report = count(model(), x, module_costs={Strange: lambda *_: OpCost(macs=7)})
    assert report.complete
    assert report.macs == 4 * 4 * 4 + 7 + 4 * 2
    assert report.by_module["1"].macs == 7
    assert report.by_module["1.inner"].macs == 0
    assert report.by_operator["module.Strange"].calls == 1
    assert report.params == 20 + 20 + 10


def test_a_rule_sees_the_module_its_inputs_and_its_output() -> None:
    seen = []

    def rule(module: Strange, inputs: tuple[Tensor, int], out: Tensor) -> OpCost:
        seen.append((type(module), inputs[0].shape, inputs[1], out.shape))
        return OpCost(mul=module.inner.weight.numel())

    count(Strange(), torch.ones(3, 4), times=2, module_costs={Strange: rule})
    assert seen == [(Strange, (3, 4), 2, (3,))]


def test_subclasses_inherit_and_paths_go_first() -> None:
    x = torch.ones(4, 4)
    rules: Rules = {nn.Module: lambda *_: OpCost(add=1), Strange: lambda *_: OpCost(add=10)}
    assert count(Special(), x, module_costs=rules).cost == OpCost(add=10)
    by_path: Rules = {Strange: lambda *_: OpCost(add=10), "1": lambda *_: OpCost(add=5)}
    assert count(Pair(Special(), Special()), x, module_costs=by_path).cost == OpCost(add=15)


def test_a_rule_that_does_not_know_leaves_the_module_uncounted() -> None:
    report = count(model(), torch.ones(4, 4), module_costs={Strange: lambda *_: None})
    assert dict(report.uncounted) == {"module.Strange": 1}


def test_the_model_is_untouched() -> None:
    strange = Strange()
    before = dict(vars(strange))
    count(strange, torch.ones(3, 4), module_costs={Strange: lambda *_: OpCost()})
    assert vars(strange) == before


def test_the_window_of_sing_at_each_call_and_folded() -> None:
    """4,194,304 products a call; folding it into the kernel saves them."""
    preset = model_zoo.preset("sing")
    with torch.device("meta"):
        sing = preset.build()
    call = preset.call(preset.configuration(), 64_000, "meta", 0).kwargs
    generate: Any = sing.generate
    layer = type(sing.get_submodule("decoder.synthesis"))
    by_operator = count(generate, **call)
    per_call = count(generate, **call, module_costs={layer: windowed_convolution()})
    folded = count(generate, **call, module_costs={layer: windowed_convolution("folded")})
    assert per_call.cost == by_operator.cost
    assert per_call.flops - folded.flops == 4_194_304
    assert folded.macs == by_operator.macs == 16_538_853_376


def test_windowed_convolutions_that_are_not_transposed() -> None:
    class Windowed(nn.Conv1d):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.conv1d(x, self.weight * torch.hann_window(5), self.bias)

    layer, x = Windowed(2, 3, 5), torch.ones(1, 2, 9)
    per_call = count(layer, x, module_costs={Windowed: windowed_convolution()})
    assert per_call.flops == count(layer, x).flops - hann_flops()
    folded = count(layer, x, module_costs={Windowed: windowed_convolution("folded")})
    assert folded.cost == OpCost(macs=3 * 5 * 2 * 5, add=15)
    with pytest.raises(ValueError, match="window"):
        windowed_convolution("never")  # type: ignore[arg-type]


def hann_flops() -> int:
    """FLOPs of making the window itself, which a hook would take as given."""

    class Window(nn.Module):
        def forward(self) -> Tensor:
            return torch.hann_window(5)

    return count(Window()).flops


def test_a_constant_is_the_cost_of_each_call() -> None:
    x = torch.ones(4, 4)
    assert count(model(), x, module_costs={"1": OpCost(macs=7)}).by_module["1"].macs == 7
    twice = count(Pair(Special(), Special()), x, module_costs={Strange: OpCost(add=5)})
    assert twice.cost == OpCost(add=10)


@pytest.mark.parametrize(
    ("key", "suggestion"), [(nn.Conv1d, "Linear"), ("1.iner", "1.inner"), (Special, "Strange")]
)
def test_a_key_that_matches_no_module_is_refused(key: Any, suggestion: str) -> None:
    with pytest.raises(UsageError) as caught:
        count(model(), torch.ones(4, 4), module_costs={key: OpCost()})
    assert caught.value.field == "module_costs"
    assert suggestion in caught.value.advice


@pytest.mark.parametrize("costs", [{"1": 7}, {3: OpCost()}, {"1": lambda *_: 7}])
def test_what_is_no_cost_is_refused(costs: Any) -> None:
    with pytest.raises(UsageError) as caught:
        count(model(), torch.ones(4, 4), module_costs=costs)
    assert caught.value.field == "module_costs"
    assert "OpCost" in caught.value.advice or "class or a path" in str(caught.value)
