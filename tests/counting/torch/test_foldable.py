"""Exactly the work that depends on parameters and buffers alone is found."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import OpCost, count
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.subjects import resolve
from inspect_cost.values.cost import total

SIZE = 5


class Net(nn.Module):
    """A matrix, a counter, and a forward that is passed in."""

    window: Tensor
    calls: Tensor

    def __init__(self, body: Callable[["Net", Tensor], Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(SIZE, SIZE))
        self.register_buffer("window", torch.ones(SIZE))
        self.register_buffer("calls", torch.zeros(()))
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self, x)


def count_preset(name: str, samples: int | None = None, **settings: Any) -> CostReport:
    """Count the generating call of a preset."""
    subject = resolve(name, input_len=samples, settings=settings)
    return subject.count(subject.phases[0], CountOptions())


def foldable(report: CostReport) -> OpCost:
    assert report.foldable is not None
    return total(report.foldable.values())


def in_place_on_its_own_memory(net: Net, x: Tensor) -> Tensor:
    kernel = net.weight.clone()
    kernel.mul_(net.window)
    return x @ kernel


def count_calls(net: Net, x: Tensor) -> Tensor:
    net.calls += 1.0
    return x * net.calls


def length_dependent(net: Net, x: Tensor) -> Tensor:
    return x @ net.weight + torch.arange(len(x)).float().sin()


FOLDED = OpCost(mul=SIZE * SIZE)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(lambda net, x: x @ (net.weight * net.window), FOLDED, id="a window"),
        pytest.param(in_place_on_its_own_memory, FOLDED, id="in place"),
        pytest.param(
            lambda net, x: x @ (net.weight * net.window).t().relu(),
            FOLDED + OpCost(compare=SIZE * SIZE),
            id="a chain through a view",
        ),
        pytest.param(
            lambda net, x: x @ (net.weight @ net.weight), OpCost(macs=SIZE**3), id="a product"
        ),
        pytest.param(lambda net, x: (x @ net.weight) * net.window, OpCost(), id="of the input"),
        pytest.param(count_calls, OpCost(), id="state that each call changes"),
        pytest.param(
            lambda net, x: x * torch.dropout(net.window, 0.5, train=True), OpCost(), id="random"
        ),
        pytest.param(length_dependent, OpCost(), id="made of a length"),
    ],
)
def test_what_is_the_same_in_every_call(
    body: Callable[[Net, Tensor], Tensor], expected: OpCost
) -> None:
    assert foldable(count(Net(body), torch.ones(SIZE, SIZE))) == expected


def test_a_training_step_changes_what_is_stored() -> None:
    net = Net(lambda net, x: x @ (net.weight * net.window))
    assert foldable(count(net, torch.ones(SIZE, SIZE), backward=True)) == OpCost()


def test_the_window_of_sing_is_named_and_what_folding_it_saves() -> None:
    bare, windowed = count_preset("sing", window=None), count_preset("sing")
    assert windowed.foldable == {"decoder.synthesis": OpCost(mul=4_194_304)}
    assert windowed.flops - bare.flops == 4_194_304
    assert bare.foldable == {}


def test_weight_norm_is_what_does_not_grow_with_the_length() -> None:
    subject = resolve("flowavenet")
    law = subject.law(subject.phases[0], CountOptions())
    normalized = count_preset("flowavenet", 256)
    constant = law.flops[0]
    assert foldable(normalized).flops == constant
    assert foldable(law.report(256_000)).flops == constant == 545_783_562
    plain = count_preset("flowavenet", 256, weight_norm=False)
    assert normalized.flops - plain.flops == 545_780_290
