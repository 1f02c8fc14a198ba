"""Gradients of an LSTM in one kernel, against the chain rule number by number."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inspect_cost.formulas import recurrent_gradients as formula
from tests.formulas.naive import recurrent_gradients as naive
from tests.formulas.proof import draw_normal, to_arrays
from tests.formulas.scalars import Tape

SIZES = [(1, 1, 1, 1), (3, 1, 2, 3), (2, 3, 2, 1), (4, 2, 3, 2)]
#: Which gradients are asked for and which come in: x, h, c, states, last_h, last_c.
CASES = [
    (False, False, False, True, False, False),
    (True, False, False, True, False, False),
    (True, True, True, True, True, True),
    (False, True, False, True, True, False),
    (False, False, True, True, False, True),
    (True, False, False, False, True, False),
    (True, True, True, False, False, True),
    (False, False, False, False, True, True),
]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: "".join("01"[flag] for flag in case))
@pytest.mark.parametrize("biased", [False, True], ids=["unbiased", "biased"])
def test_lstm(sizes: tuple[int, int, int, int], case: tuple[bool, ...], biased: bool) -> None:
    T, B, H, I = sizes
    wants = dict(zip(("x", "h", "c"), case[:3], strict=True))
    states, last_h, last_c = case[3:]
    layer = nn.LSTM(I, H, bias=biased).double()
    x, h, c = draw_normal((T, B, I), (1, B, H), (1, B, H))
    given: dict[str, Tensor | None] = dict.fromkeys(("states", "last_h", "last_c"))
    given |= {"states": draw_normal((T, B, H))[0]} if states else {}
    given |= {"last_h": draw_normal((B, H))[0]} if last_h else {}
    given |= {"last_c": draw_normal((B, H))[0]} if last_c else {}
    expected = differentiate(layer, (x, h, c), given, wants)

    tape = Tape()
    kept = to_arrays([keep(layer, x[:, b], h[0, b], c[0, b]) for b in range(B)], tape)
    W, U = to_arrays((layer.weight_ih_l0.detach(), layer.weight_hh_l0.detach()), tape)
    sequences = [[naive.Step(*step) for step in steps] for steps in kept]
    found: Any = naive.go_back(sequences, U, W, to_arrays(given, tape), wants)
    read_x = [[step.x for step in steps] for steps in sequences]
    read_h = [[step.h for step in steps] for steps in sequences]
    found["W"] = naive.of_weights(found["gates"], read_x)
    found["U"] = naive.of_weights(found["gates"], read_h)
    if biased:
        found["b"] = naive.of_bias(found["gates"])
        found["d"] = naive.of_bias(found["gates"])
    for name, gradient in expected.items():
        assert naive.numbers(order(name, found[name], T)) == pytest.approx(gradient.flatten())

    asked = formula.Wanted(**wants, states=states, last_h=last_h, last_c=last_c)
    assert formula.lstm_gradients(T, B, H, I, asked, biased=biased) == tape.cost


def order(name: str, gradient: Any, T: int) -> Any:
    """Bring the gradients of the input, made back from the last step, into the input's order."""
    if name != "x":
        return gradient
    by_sequence = np.asarray(gradient, dtype=object)
    by_sequence = by_sequence.reshape(-1, T, by_sequence.shape[-1])[:, ::-1]
    return by_sequence.swapaxes(0, 1)


def differentiate(
    layer: nn.LSTM,
    operands: tuple[Tensor, Tensor, Tensor],
    given: dict[str, Tensor | None],
    wants: dict[str, bool],
) -> dict[str, Tensor]:
    """Return torch's gradients by name."""
    x, h, c = (operand.clone().requires_grad_() for operand in operands)
    out, (last_h, last_c) = layer(x, (h, c))
    loss = torch.zeros((), dtype=torch.double)
    for result, gradient in zip((out, last_h[0], last_c[0]), given.values(), strict=True):
        if gradient is not None:
            loss = loss + (result * gradient).sum()
    loss.backward()
    made: dict[str, Any] = {"x": x.grad, "h": h.grad, "c": c.grad}
    found: dict[str, Any] = {name: made[name] for name, wanted in wants.items() if wanted}
    found |= {"W": layer.weight_ih_l0.grad, "U": layer.weight_hh_l0.grad}
    if layer.bias:
        found |= {"b": layer.bias_ih_l0.grad, "d": layer.bias_hh_l0.grad}
    return {name: gradient for name, gradient in found.items() if gradient is not None}


def keep(layer: nn.LSTM, x: Tensor, h: Tensor, c: Tensor) -> list[list[Tensor]]:
    """Return what the forward of each step of one sequence knows, in the order of `naive.Step`."""
    steps = []
    with torch.no_grad():
        for row in x:
            gates = layer.weight_ih_l0 @ row + layer.weight_hh_l0 @ h
            if layer.bias:
                gates = gates + layer.bias_ih_l0 + layer.bias_hh_l0
            i, f, g, o = gates.chunk(4)
            i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
            now = f * c + i * g
            steps.append([row, h, c, i, f, g, o, now.tanh()])
            h, c = o * now.tanh(), now
    return steps
