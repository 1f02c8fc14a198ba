"""Steps of optimizers against their definitions, one number at a time, and against torch's own."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inspect_cost import count
from inspect_cost.values.cost import OpCost
from tests.formulas.naive import optimizers as naive
from tests.formulas.proof import draw_normal, to_arrays, to_tensor
from tests.formulas.scalars import Real, Tape, value

#: Name: torch's optimizer, the definition.
CASES: dict[str, tuple[Callable[..., Any], naive.Step]] = {
    "sgd": (torch.optim.SGD, naive.sgd()),
    "momentum": (partial(torch.optim.SGD, momentum=0.9), naive.sgd(momentum=0.9)),
    "nesterov": (
        partial(torch.optim.SGD, momentum=0.9, nesterov=True),
        naive.sgd(momentum=0.9, nesterov=True),
    ),
    "sgd with decay": (
        partial(torch.optim.SGD, momentum=0.9, weight_decay=0.1),
        naive.sgd(momentum=0.9, decay=0.1),
    ),
    "adam": (torch.optim.Adam, naive.adam()),
    "adam with decay": (partial(torch.optim.Adam, weight_decay=0.1), naive.adam(decay=0.1)),
    "adamw": (torch.optim.AdamW, naive.adam(decay=1e-2, decoupled=True)),
    "amsgrad": (
        partial(torch.optim.AdamW, amsgrad=True),
        naive.adam(decay=1e-2, decoupled=True, amsgrad=True),
    ),
    "adafactor": (torch.optim.Adafactor, naive.adafactor()),
    "muon": (torch.optim.Muon, naive.muon()),
}


class Scaled(nn.Module):
    """A model with one parameter."""

    def __init__(self, parameter: Tensor) -> None:
        super().__init__()
        self.parameter = nn.Parameter(parameter.clone())

    def forward(self) -> Tensor:
        return self.parameter * 2


def count_step(model: nn.Module, optimizer: Any) -> OpCost:
    report = count(model, backward=True, optimizer=optimizer)
    assert report.complete, report.uncounted
    return report.by_module["(optimizer)"].cost


SHAPES: tuple[tuple[int, ...], ...] = ((3, 5), (5, 3), (4, 4), (6,))


@pytest.mark.parametrize(
    ("name", "shape"),
    [(n, shape) for n in CASES for shape in SHAPES if len(shape) == 2 or n != "muon"],
)
def test_second_step(name: str, shape: tuple[int, ...]) -> None:
    make, step = CASES[name]
    start, *gradients = draw_normal(shape, shape, shape)
    model = Scaled(start)
    optimizer = make([model.parameter])
    state: naive.State = {}
    p: np.ndarray = np.empty(0)
    for gradient in gradients:
        model.parameter.grad = gradient.clone()
        tape = Tape()
        (p0, g), state = to_arrays((model.parameter.detach(), gradient), tape), retape(state, tape)
        p = step(p0, g, state)
        optimizer.step()
    rtol, atol = (0, 1e-4) if name == "muon" else (1e-7, 1e-7)  # torch's Muon has 8 bits
    torch.testing.assert_close(
        to_tensor(p), model.parameter.detach().flatten(), rtol=rtol, atol=atol
    )
    assert count_step(Scaled(start), make) == tape.cost
    assert count_step(model, optimizer) == tape.cost


def retape(state: naive.State, tape: Tape) -> naive.State:
    """Return a state whose numbers are on a new tape."""
    move = np.vectorize(lambda x: Real(value(x), tape), otypes=[object])
    return {
        name: move(kept) if isinstance(kept, np.ndarray) else move(kept).item()
        for name, kept in state.items()
    }


@pytest.mark.parametrize(
    ("name", "each"),
    [
        ("sgd", 2),
        ("momentum", 4),
        ("nesterov", 6),
        ("adam", 13),
        ("adamw", 14),
        ("amsgrad", 15),
        ("adam with decay", 15),
    ],
)
def test_flops_of_each_element(name: str, each: int) -> None:
    """Beside these there is one addition to the number of steps, where it is kept."""
    make, _ = CASES[name]
    steps = int("adam" in name or "ams" in name)
    assert count_step(Scaled(torch.zeros(7, 5)), make).flops == 35 * each + steps


@pytest.mark.parametrize(("m", "n"), [(6, 10), (10, 6), (8, 8), (1, 7)])
@pytest.mark.parametrize("iterations", [5, 3])
def test_products_of_newton_and_schulz(m: int, n: int, iterations: int) -> None:
    """Each iteration squares the smaller side twice, and multiplies the result by the matrix."""
    optimizer = partial(torch.optim.Muon, ns_steps=iterations)
    short, long = min(m, n), max(m, n)
    macs = iterations * (short**2 * long + short**3 + short**2 * long)
    assert count_step(Scaled(torch.zeros(m, n)), optimizer).macs == macs
