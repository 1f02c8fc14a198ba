"""Explanations add up to the count, and their formulas give its numbers when they are evaluated."""

import re
from typing import Any

import pytest
import torch
from torch import nn

from inspect_cost import CostExplanation, CostReport, UsageError, count, explain
from inspect_cost.counting.explanation import ExplainedCall
from inspect_cost.values.cost import OpCost, total
from tests.counting.torch.test_modules import CASES, SIGNAL, layers
from tests.counting.torch.test_training_layers import Step

#: Layer -> classes of its operations that do not follow from sizes by a short formula, and why.
WITHOUT_FORMULA: dict[str, set[str]] = {
    f"Adaptive{kind.title()}Pool{d}d": {f"aten.adaptive_{kind}_pool{d}d"}  # windows differ in size
    for kind in ("avg", "max")
    for d in (2, 3)
}


def evaluate(text: str, sizes: dict[str, int]) -> float:
    """Return the value of a formula, with sizes for its symbols."""
    plain = re.sub(r"[A-Za-z_][\w.]*\[\d+\]", lambda found: str(sizes[found[0]]), text)
    plain = plain.replace(",", "").replace("^", "**").replace("floor", "int")
    return float(eval(plain))  # noqa: S307 - our own text, of numbers and operators


def list_sizes(call: ExplainedCall) -> dict[str, int]:
    """Return the sizes that the symbols of a call stand for."""
    results = [(f"out.{r.name}" if r.name else "out", r.shape) for r in call.results]
    operands = [*((o.name, o.shape) for o in call.operands), *results]
    sizes = {f"{name}[{d}]": n for name, shape in operands for d, n in enumerate(shape)}
    first = call.operands[0].shape if call.operands else ()
    sizes |= {f"normalized_shape[{d}]": n for d, n in enumerate(reversed(first[:-3:-1]))}
    return sizes


def check(explanation: CostExplanation, report: CostReport) -> None:
    assert explanation.cost == report.cost
    assert explanation.bytes_moved == report.bytes_moved
    assert sum(call.times for call in explanation.calls) == report.by_module[""].calls
    for call in explanation.calls:
        for kind, formula in call.formulas.items():
            assert evaluate(formula.numbers, {}) == formula.value == getattr(call.cost, kind)


def find_unexplained(explanation: CostExplanation) -> set[str]:
    """Return operators with a class of operations that has no formula; a constant needs none."""
    return {
        call.operator
        for call in explanation.calls
        for kind in ("macs", *(call.cost or OpCost()).flops_by_class)
        if getattr(call.cost, kind, 0) > 1 and kind not in call.formulas
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(layers()))
def test_every_layer(name: str) -> None:
    arguments, inputs = CASES.get(name, ((), (SIGNAL,)))
    layer = getattr(nn, name)(*arguments)
    explanation = explain(layer, "", *inputs)
    check(explanation, count(layer, *inputs))
    assert find_unexplained(explanation) == WITHOUT_FORMULA.get(name, set())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(layers())[::3])
def test_training_steps(name: str) -> None:
    arguments, inputs = CASES.get(name, ((), (SIGNAL,)))
    step = Step(getattr(nn, name)(*arguments))
    check(explain(step, "", *inputs, backward=True), count(step, *inputs, backward=True))


@pytest.mark.parametrize(
    ("layer", "shape", "kind", "symbols", "numbers"),
    [
        (
            nn.Conv1d(4, 8, 3),
            (2, 4, 10),
            "macs",
            "out[0] * out[1] * out[2] * weight[1] * weight[2]",
            "2 * 8 * 8 * 4 * 3",
        ),
        (nn.Linear(3, 5), (2, 3), "add", "out[0] * out[1]", "2 * 5"),
        (nn.GELU(), (2, 3), "mul", "3 * input[0] * input[1]", "3 * 2 * 3"),
        (nn.Softmax(-1), (2, 7), "add", "input[0] * (2 * input[1] - 1)", "2 * (2 * 7 - 1)"),
    ],
    ids=["convolution", "bias", "elementwise", "reduction"],
)
def test_formulas(
    layer: nn.Module, shape: tuple[int, ...], kind: str, symbols: str, numbers: str
) -> None:
    (call,) = (c for c in explain(layer, "", torch.zeros(shape)).calls if c.cost)
    formula = call.formulas[kind]
    assert (formula.symbols, formula.numbers) == (symbols, numbers)
    assert evaluate(symbols, list_sizes(call)) == formula.value == getattr(call.cost, kind)


class Nested(nn.Module):
    """Two blocks of a layer that is used twice, and another."""

    def __init__(self) -> None:
        super().__init__()
        shared = nn.Linear(4, 4)
        self.first = nn.Sequential(shared, nn.ReLU())
        self.second = nn.Sequential(shared, nn.Linear(4, 2, bias=False))

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x))


def test_a_module_has_all_that_is_below_it() -> None:
    model, x = Nested(), torch.zeros(3, 4)
    report = count(model, x)
    for path, module in report.by_module.items():
        explanation = explain(model, path, x)
        assert explanation.cost == module.cost
        assert explanation.type == module.type


def test_equal_calls_are_one() -> None:
    (call,) = explain(Nested(), "second.0", torch.zeros(3, 4)).calls
    assert call.times == 2
    assert call.cost == OpCost(macs=48, add=12)


def test_an_operator_is_explained_wherever_it_ran() -> None:
    explanation = explain(Nested(), "aten.linear", torch.zeros(3, 4))
    assert explanation.type == "operator"
    assert [(c.module, c.times) for c in explanation.calls] == [("first.0", 2), ("second.1", 1)]
    assert explanation.macs == 2 * 48 + 24


def test_shapes_of_the_module() -> None:
    model = nn.Sequential(nn.Conv1d(3, 6, 5), nn.ReLU())
    explanation = explain(model, "0", torch.zeros(2, 3, 20, dtype=torch.float32))
    assert [str(o) for o in explanation.inputs] == ["input (2, 3, 20) float32"]
    assert [str(o) for o in explanation.outputs] == ["(2, 6, 16) float32"]


def test_what_valid_leaves() -> None:
    model = nn.Sequential(nn.Conv1d(2, 3, 3, padding=1, bias=False), nn.ReLU())
    explanation = explain(model, "0", torch.zeros(1, 2, 5))
    (call,) = explanation.calls
    assert (call.cost, call.valid_cost) == (OpCost(macs=90), OpCost(macs=78))
    assert explanation.valid_cost == OpCost(macs=78)


def test_without_a_rule() -> None:
    explanation = explain(lambda x: torch.linalg.svdvals(x), "", torch.zeros(3, 3))
    assert list(explanation.uncounted.values()) == [1]
    assert total(c.cost for c in explanation.calls if c.cost) == OpCost()


def test_module_costs_are_calls_of_their_own() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    costs = {"0": OpCost(macs=7)}
    explanation = explain(model, "", torch.zeros(2, 4), module_costs=costs)
    assert [c.operator for c in explanation.calls] == ["module.Linear", "aten.relu"]
    assert explanation.macs == 7


def test_a_rule_that_wants_more_than_sizes_has_no_formula() -> None:
    def rule(out: torch.Tensor, x: torch.Tensor) -> OpCost:
        return OpCost(add=out.shape.numel() + x.shape.numel())  # sizes with symbols have no numel

    (call,) = explain(nn.ReLU(), "", torch.zeros(2, 4), op_costs={"aten.relu": rule}).calls
    assert (call.cost, call.formulas) == (OpCost(add=16), {})


@pytest.mark.parametrize("path", ["frist", "second.7", "aten.lineal"])
def test_an_unknown_path(path: str) -> None:
    with pytest.raises(UsageError, match=re.escape(path)) as caught:
        explain(Nested(), path, torch.zeros(3, 4))
    assert caught.value.field == "path"


def test_a_forgotten_path() -> None:
    with pytest.raises(UsageError) as caught:
        explain(Nested(), torch.zeros(3, 4))  # type: ignore[arg-type]
    assert caught.value.field == "path"


def test_the_model_is_not_touched() -> None:
    model = Nested()
    before = {path: dict(vars(module)) for path, module in model.named_modules()}
    explain(model, "first", torch.zeros(3, 4), backward=True)
    assert {path: vars(module) for path, module in model.named_modules()} == before
    assert all(parameter.grad is None for parameter in model.parameters())
