"""What a report says on an operator without a cost: samples by the kind of what it does."""

from types import SimpleNamespace

import pytest
import torch

import inspect_cost
from inspect_cost import OpCost, count
from inspect_cost.reports.sections.count import write_costs


def test_samples_are_costs() -> None:
    lines = write_costs("aten.cumsum", of_node=False).splitlines()
    x = torch.zeros(4, 5)
    costs = [eval(line, {"OpCost": OpCost, "k": 3}) for line in lines[2::2]]  # noqa: S307
    counted = [count(torch.cumsum, x, 0, op_costs={"aten.cumsum": cost}).cost for cost in costs]
    assert counted == [OpCost(macs=60), OpCost(mul=20), OpCost()]


def test_a_kind_must_be_chosen() -> None:
    line = write_costs("aten.cumsum", of_node=False).splitlines()[0]
    names = {"inspect_cost": inspect_cost, "model": torch.cumsum, "inputs": (torch.zeros(3), 0)}
    with pytest.raises(NameError):
        eval(line, names)  # noqa: S307 - our own line


def test_samples_for_nodes_take_a_node() -> None:
    node = SimpleNamespace(out=SimpleNamespace(size=20))
    lines = write_costs("own.F", of_node=True).splitlines()
    costs = [eval(line, {"OpCost": OpCost, "k": 3}) for line in lines[2:5:2]]  # noqa: S307
    assert [cost(node) for cost in costs] == [OpCost(macs=60), OpCost(mul=20)]
