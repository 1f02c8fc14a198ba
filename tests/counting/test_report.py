"""Costs and reports are values that add up."""

from dataclasses import FrozenInstanceError, fields
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from inspect_cost import FlopWeights, OpCost, count
from inspect_cost.counting.tally import Tally, ancestry
from inspect_cost.values.cost import ARITHMETIC_CLASSES, FREE

counts = st.integers(0, 10**18)
costs = st.builds(OpCost, *[counts] * 7)


@given(costs, costs, costs)
def test_costs_add_up(a: OpCost, b: OpCost, c: OpCost) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + FREE == a
    assert (a + b).flops == a.flops + b.flops
    assert a * 3 == 3 * a == a + a + a


@given(costs)
def test_flops_are_two_macs_and_the_classes(cost: OpCost) -> None:
    assert cost.flops == 2 * cost.macs + sum(cost.flops_by_class.values())
    assert tuple(cost.flops_by_class) == ARITHMETIC_CLASSES


def test_classes_can_be_weighed_without_counting_again() -> None:
    cost = OpCost(macs=10, add=3, special=2)
    assert cost.weighted_flops(FlopWeights(mac=1, special=20)) == 10 + 3 + 40


def test_every_field_of_a_cost_has_a_weight() -> None:
    assert [f.name for f in fields(OpCost)] == ["macs", *ARITHMETIC_CLASSES]
    assert [f.name for f in fields(FlopWeights)] == ["mac", *ARITHMETIC_CLASSES]


def test_costs_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        OpCost().macs = 1  # type: ignore[misc]


def test_tallies_of_different_operators_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        Tally("aten.add", "", 1, FREE, 0) + Tally("aten.mul", "", 1, FREE, 0)


def test_ancestry_ends_with_the_model() -> None:
    assert ancestry("") == [""]
    assert ancestry("a.b") == ["a.b", "a", ""]


def random_stack(widths: list[int]) -> nn.Sequential:
    pairs = pairwise(widths)
    return nn.Sequential(*[nn.Sequential(nn.Linear(a, b), nn.GELU()) for a, b in pairs])


@settings(max_examples=20)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.integers(1, 5))
def test_the_tree_adds_up(widths: list[int], batch: int) -> None:
    report = count(random_stack(widths), torch.zeros(batch, widths[0]))
    for path, module in report.by_module.items():
        children = [m for p, m in report.by_module.items() if p and p.rpartition(".")[0] == path]
        parts = [module.own_cost] + [child.cost for child in children if child is not module]
        assert sum(part.flops for part in parts) == module.flops
    by_operator = sum(tally.cost.flops for tally in report.by_operator.values())
    assert by_operator == report.flops == report.by_module[""].flops


@settings(max_examples=20)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.integers(1, 5))
def test_counts_are_linear_in_the_batch(widths: list[int], batch: int) -> None:
    model = random_stack(widths)
    one = count(model, torch.zeros(1, widths[0]))
    many = count(model, torch.zeros(batch, widths[0]))
    assert many.cost == one.cost * batch


def test_bytes_are_operands_read_and_results_written() -> None:
    report = count(nn.Linear(3, 5), torch.zeros(2, 3))
    assert report.bytes_moved == 4 * (6 + 15 + 5 + 10)
    assert report.arithmetic_intensity == report.flops / report.bytes_moved


def test_views_move_nothing_and_lookups_read_what_they_return() -> None:
    class Moved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(1000, 8)

        def forward(self, ids: torch.Tensor) -> Any:
            return self.table(ids).transpose(1, 2)[:, 1:].unsqueeze(0)

    report = count(Moved(), torch.zeros(2, 3, dtype=torch.int64))
    assert report.bytes_moved == 2 * (6 * 8 * 4) + 6 * 8
    assert report.complete


def test_a_report_in_one_line() -> None:
    linear = nn.Linear(1000, 1000)
    report = count(linear, torch.zeros(1, 1000))
    assert repr(report) == "<CostReport Linear: 1,001,000 params, 1.000 MMAC, 2.001 MFLOP>"
    incomplete = count(
        nn.Sequential(linear), torch.zeros(1, 1000), op_costs={"aten.linear": unknown}
    )
    assert repr(incomplete) == (
        "<CostReport Sequential: 1,001,000 params, at least 0 MAC, at least 0 FLOP>"
    )


def unknown(*_: object) -> None:
    return None


def test_reports_modules_and_operators_have_the_same_figures() -> None:
    report = count(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), torch.zeros(2, 3))
    linear, module = report.by_operator["aten.linear"], report.by_module["0"]
    for figures in (linear, module):
        assert (figures.macs, figures.flops) == (24, 2 * 24 + 8)
        assert figures.flops_by_class["add"] == 8
        assert figures.arithmetic_intensity == 56 / (4 * (6 + 12 + 4 + 8))
    assert (module.params, module.param_bytes) == (report.params, report.param_bytes) == (16, 64)
    assert report.macs == 24
    assert report.flops == 56 + 8
