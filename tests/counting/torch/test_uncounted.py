"""An operator without a formula is reported by name with its calls, never as a silent zero."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import CountError, OpCost, UsageError, count


class Decomposed(nn.Module):
    """Two singular value decompositions and a product."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4, bias=False)

    def forward(self, x: Tensor) -> Any:
        y = self.linear(x)
        return torch.linalg.svdvals(y) + torch.linalg.svdvals(2 * y)


def test_an_unknown_operator_is_listed_with_its_calls() -> None:
    report = count(Decomposed(), torch.zeros(3, 4))
    assert dict(report.uncounted) == {"aten._linalg_svd": 2}
    assert not report.complete
    assert not report.by_operator["aten._linalg_svd"].counted
    assert report.macs == 3 * 16


def test_a_cost_given_with_the_call_completes_the_count() -> None:
    def svd(out: tuple[Tensor, ...], a: Tensor, *_options: bool) -> OpCost:
        del out
        return OpCost(mul=a.numel())

    x = torch.zeros(3, 4)
    report = count(Decomposed(), x, op_costs={"aten._linalg_svd": svd})
    assert report.complete
    assert report.flops_by_class["mul"] == 12 + 2 * 12
    assert not count(Decomposed(), x).complete  # what one call was given is not kept


@pytest.mark.parametrize("name", ["aten._linalg_svd", "aten::_linalg_svd"])
def test_a_constant_is_the_cost_of_each_call(name: str) -> None:
    report = count(Decomposed(), torch.zeros(3, 4), op_costs={name: OpCost(mul=7)})
    assert report.complete
    assert report.flops_by_class["mul"] == 12 + 2 * 7


@pytest.mark.parametrize(
    ("name", "suggestion"), [("aten.linalg_svd", "aten._linalg_svd"), ("xyz", "aten.linear")]
)
def test_a_name_that_matches_no_operator_is_refused(name: str, suggestion: str) -> None:
    with pytest.raises(UsageError) as caught:
        count(Decomposed(), torch.zeros(3, 4), op_costs={name: OpCost()})
    assert caught.value.field == "op_costs"
    assert suggestion in caught.value.advice


@pytest.mark.parametrize("given", [3, (1, 2), "7"])
def test_what_is_no_cost_is_refused(given: Any) -> None:
    for costs in ({"aten.linear": given}, {"aten.linear": lambda *_: given}):
        with pytest.raises(UsageError) as caught:
            count(Decomposed(), torch.zeros(3, 4), op_costs=costs)
        assert caught.value.field == "op_costs"


def test_a_rule_that_fails_is_named() -> None:
    with pytest.raises(CountError, match=r"`op_costs` for aten\.linear") as caught:
        count(Decomposed(), torch.zeros(3, 4), op_costs={"aten.linear": lambda _out: OpCost()})
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.fixture
def scan() -> str:
    """A module that calls a custom operator, registered as a user would."""
    name = "inspect_cost_tests::scan"

    @torch.library.custom_op(name, mutates_args=())
    def scan(x: Tensor) -> Tensor:
        return x.cumsum(-1)

    scan.register_fake(torch.empty_like)
    return name


def test_a_custom_operator_is_named_and_can_be_given_a_cost(scan: str) -> None:
    class Scanned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4, bias=False)

        def forward(self, x: Tensor) -> Any:
            return torch.ops.inspect_cost_tests.scan(self.linear(x))

    name, x = scan.replace("::", "."), torch.zeros(3, 4)
    assert dict(count(Scanned(), x).uncounted) == {name: 1}
    costs = {name: lambda out, _x: OpCost(add=out.numel())}
    assert count(Scanned(), x, op_costs=costs).flops_by_class["add"] == 12


def test_complex_arithmetic_without_a_formula_is_not_taken_for_real() -> None:
    class Oscillator(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sin(torch.complex(x, x))

    assert dict(count(Oscillator(), torch.zeros(3)).uncounted) == {"aten.sin": 1}


def test_integer_arithmetic_is_known_to_be_free() -> None:
    class Positions(nn.Module):
        def forward(self, ids: Tensor) -> Tensor:
            return (torch.arange(ids.shape[1]) + ids * 2).clamp(0, 5)

    report = count(Positions(), torch.zeros(2, 3, dtype=torch.int64))
    assert report.complete
    assert report.flops == 0
