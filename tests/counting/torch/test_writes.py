"""A run on real values writes to copies of the caller's weights."""

from collections.abc import Callable
from typing import Any, Self

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import count
from tests.counting.torch.models import is_real_run

X = torch.randn(2, 8)


def clamp(model: nn.Linear) -> None:
    model.weight.clamp_(-0.01, 0.01)


def write_a_view(model: nn.Linear) -> None:
    model.weight.view(-1)[::2].zero_()


def write_out(model: nn.Linear) -> None:
    torch.mul(model.weight, 0, out=model.weight)


def write_many(model: nn.Linear) -> None:
    torch._foreach_mul_([model.weight, model.bias], 0.5)


def write_data(model: nn.Linear) -> None:
    model.weight.data.mul_(0.5)


def assign(model: nn.Linear) -> None:
    model.weight[0] = 7.0


def copy_in(model: nn.Linear) -> None:
    nn.init.ones_(model.weight)


def write_bravely(model: nn.Linear) -> None:
    try:
        model.weight.mul_(2)
    except Exception:  # noqa: BLE001 - swallows whatever it is told
        model.bias.add_(0.0)


def resize(model: nn.Linear) -> None:
    model.bias.resize_(8)
    model.bias.fill_(3)


WRITES: dict[str, Callable[[Any], None]] = {
    "clamp": clamp,
    "view": write_a_view,
    "out": write_out,
    "many": write_many,
    "data": write_data,
    "assign": assign,
    "init": copy_in,
    "swallowed": write_bravely,
    "resize": resize,
}


class Writing(nn.Module):
    """Writes to its weights, and goes on as values tell it."""

    def __init__(self, write: Callable[[Any], None]) -> None:
        super().__init__()
        self.fc, self.write = nn.Linear(8, 8), write

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.write(self.fc)
        y: Tensor = self.fc(x)
        return y * 2 if y.sum().item() > 1e9 else y


@pytest.mark.parametrize("name", WRITES)
def test_weights_stay(name: str) -> None:
    model = Writing(WRITES[name])
    before = {key: value.clone() for key, value in model.state_dict().items()}
    pointers = [p.data_ptr() for p in model.parameters()]
    report = count(model, X)
    assert report.macs == 2 * 64
    assert is_real_run(report)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert [p.data_ptr() for p in model.parameters()] == pointers


def test_a_training_step_that_writes_leaves_weights_and_gradients() -> None:
    model = Writing(clamp)
    before = model.fc.weight.detach().clone()
    assert count(model, X, backward=True).macs > 2 * 64
    assert torch.equal(model.fc.weight, before)
    assert model.fc.weight.grad is None


class Merging(Writing):
    """Merges an update into its weight when it leaves training, as adapters do."""

    def train(self, mode: bool = True) -> Self:
        if self.training and not mode:
            self.fc.weight.data += 1.0
        return super().train(mode)


@pytest.mark.parametrize("write", [lambda _layer: None, clamp])
def test_a_change_of_modes_writes_to_copies(write: Callable[[Any], None]) -> None:
    model = Merging(write)
    before = model.fc.weight.detach().clone()
    assert is_real_run(count(model, X))
    assert torch.equal(model.fc.weight, before)
    assert model.training


def test_derived_weights_stay_too() -> None:
    model = Writing(lambda layer: layer.scaled.mul_(0.5))
    vars(model.fc)["scaled"] = model.fc.weight * 2
    before = vars(model.fc)["scaled"].detach().clone()
    assert is_real_run(count(model, X))
    assert torch.equal(vars(model.fc)["scaled"], before)
