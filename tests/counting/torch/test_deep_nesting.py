"""Deeply nested models are counted as far as torch can run them."""

import sys
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import count
from inspect_cost.values.errors import CountError


def nested(depth: int) -> nn.Module:
    net: nn.Module = nn.Linear(8, 8)
    for _ in range(depth):
        net = nn.Sequential(net)
    return net


class Chain(nn.Module):
    """Modules that call one another without containers between them."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.inner: nn.Module = Chain(depth - 1) if depth else nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x)
        return out


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("model", [nested(200), Chain(150)], ids=["sequential", "chain"])
def test_what_torch_runs_is_counted(model: nn.Module, backward: bool) -> None:
    limit = sys.getrecursionlimit()
    x = torch.zeros(1, 8)
    model(x)
    assert count(model, x, backward=backward).macs == (128 if backward else 64)
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize("depth", [1000, 5000])
def test_beyond_what_torch_runs_is_an_error(depth: int) -> None:
    limit = sys.getrecursionlimit()
    model = nested(depth)
    for target in (model, partial(model), lambda x: model(x)):
        with pytest.raises(CountError, match="deep"):
            count(target, torch.zeros(1, 8))
    assert sys.getrecursionlimit() == limit


def test_functions_that_call_themselves_without_end() -> None:
    def endless(x: Tensor) -> Tensor:
        return endless(x + 1)

    with pytest.raises(CountError, match="deep"):
        count(endless, torch.zeros(1))
