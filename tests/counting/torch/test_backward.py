"""Training steps against rules of thumb and torch's own counter, and gradients by module."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from inspect_cost import CountError, count
from inspect_cost.values.errors import UsageError
from inspect_cost.values.notes import codes


class Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Any:
        return self.second(F.relu(self.first(x)))


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, 2, 1)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 4, 4, 2, 1)

    def forward(self, x: Tensor) -> Any:
        return self.up(F.gelu(self.norm(self.convolution(x)))).mean()


class Language(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 50)

    def forward(self, ids: Tensor) -> Tensor:
        return F.log_softmax(self.head(self.encoder(self.embedding(ids))), -1).mean()


IDS = torch.arange(18).view(2, 9)
CASES = {
    "perceptron": (Perceptron, (torch.ones(3, 6),)),
    "convolutional": (Convolutional, (torch.ones(2, 3, 16, 16),)),
    "language": (Language, (IDS,)),
}


@pytest.mark.parametrize("case", CASES)
def test_macs_of_a_training_step_are_those_of_torchs_counter(case: str) -> None:
    make, inputs = CASES[case]
    model = make()
    with FlopCounterMode(display=False) as torchs:
        out = model(*inputs)
        out.backward(torch.ones_like(out))
    report = count(model, *inputs, backward=True)
    assert report.complete, report.uncounted
    assert 2 * report.macs == torchs.get_total_flops()
    assert codes(report.notes) == ("training-step",)


def test_a_step_is_three_forwards_but_for_the_gradient_of_the_input() -> None:
    model, x = Perceptron(), torch.ones(3, 6)
    forward, step = count(model, x), count(model, x, backward=True)
    assert step.by_module["second"].macs == 3 * forward.by_module["second"].macs
    assert step.by_module["first"].macs == 2 * forward.by_module["first"].macs


def test_frozen_parameters_take_no_gradient() -> None:
    model, x = Perceptron(), torch.ones(3, 6)
    model.first.requires_grad_(False)
    forward, step = count(model, x), count(model, x, backward=True)
    assert step.by_module["first"].macs == forward.by_module["first"].macs
    assert step.by_module["second"].macs == 2 * forward.by_module["second"].macs


def test_layers_that_run_twice_and_recurrent_ones() -> None:
    lstm, x = nn.LSTM(6, 7, 2, bidirectional=True), torch.ones(4, 2, 6)
    forward, step = count(lstm, x), count(lstm, x, backward=True)
    assert step.complete
    first_inputs = 4 * 2 * 2 * 6 * 28  # the first layer's input needs no gradient
    states = 2 * 2 * 2 * 7 * 28  # nor does the initial state, which its two layers start from
    assert step.macs == 3 * forward.macs - first_inputs - states


def test_training_mode_and_parameters_are_as_before() -> None:
    model = Convolutional().eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count(model, torch.ones(2, 3, 8, 8), backward=True)
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_nothing_to_differentiate() -> None:
    with pytest.raises(UsageError, match="output"):
        count(nn.Identity(), torch.ones(2), backward=True)
    with pytest.raises(CountError):
        count(Perceptron(), torch.ones(2, 5), backward=True)


class Residual(nn.Module):
    """Computes between its layers, and before them."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8))
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        return self.second(torch.relu(self.first(x * self.scale)))


def test_gradients_of_what_a_module_computes_itself_are_its_own() -> None:
    rows = 4
    report = count(Residual(), torch.ones(rows, 8), backward=True)
    own = report.by_module[""].own_cost
    # Forward a product and a comparison a number; their gradients, and the scale's sum over rows.
    assert (own.mul, own.compare) == (2 * rows * 8, 2 * rows * 8)
    assert own.add == (rows - 1) * 8
    layers = [report.by_module[name].cost for name in ("first", "second")]
    assert [layer.macs for layer in layers] == [3 * rows * 64, 3 * rows * 64]
    assert {layer.add for layer in layers} == {rows * 8 + (rows - 1) * 8}


def test_an_input_that_is_given_twice_stays_one_in_a_training_step() -> None:
    """Attention projects by one product what attends to itself."""
    attention, x = nn.MultiheadAttention(8, 2), torch.ones(3, 1, 8)
    calls = {
        same: count(attention, x, x if same else x.clone(), x, backward=True)
        .by_operator["aten.addmm"]
        .calls
        for same in (True, False)
    }
    assert calls == {True: 2, False: 4}  # the last projects the result
