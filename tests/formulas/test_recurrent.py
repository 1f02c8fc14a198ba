"""Recurrent layers and cells against their equations, unit by unit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from inspect_cost.formulas import recurrent as formula
from inspect_cost.values.cost import OpCost, total
from tests.formulas.naive import recurrent as naive
from tests.formulas.proof import EXACT, SIZE, count_cost, draw_normal, run_reference


@dataclass(frozen=True)
class Kind:
    """A recurrent network: torch's layer and cell, the equations, and the cost of a step."""

    name: str
    layer: Callable[..., nn.RNNBase]
    cell: Callable[..., nn.RNNCellBase]
    reference: naive.Cell
    gates: int
    formula: Callable[..., OpCost]

    def __str__(self) -> str:
        return self.name


LSTM = Kind("lstm", nn.LSTM, nn.LSTMCell, naive.lstm, 4, formula.lstm_step)
KINDS = [
    LSTM,
    Kind("gru", nn.GRU, nn.GRUCell, naive.gru, 3, formula.gru_step),
    Kind("elman", nn.RNN, nn.RNNCell, naive.elman, 1, formula.elman_step),
    Kind(
        "elman with relu",
        partial(nn.RNN, nonlinearity="relu"),
        partial(nn.RNNCell, nonlinearity="relu"),
        naive.elman_relu,
        1,
        partial(formula.elman_step, relu=True),
    ),
]

LAYER: dict[str, Any] = {
    "I": SIZE,
    "H": SIZE,
    "steps": SIZE,
    "batch": st.integers(1, 3),
    "depth": st.integers(1, 3),
    "both": st.booleans(),
    "biased": st.booleans(),
}


def values(layer: nn.Module) -> dict[str, Tensor]:
    """Read a layer's parameters by name."""
    return {name: parameter.detach() for name, parameter in layer.named_parameters()}


@pytest.mark.parametrize("kind", KINDS, ids=str)
@EXACT
@given(batch_first=st.booleans(), **LAYER)
def test_layers(
    kind: Kind,
    I: int,
    H: int,
    steps: int,
    batch: int,
    depth: int,
    both: bool,
    biased: bool,
    batch_first: bool,
) -> None:
    layer = kind.layer(
        I, H, depth, bias=biased, bidirectional=both, batch_first=batch_first
    ).double()
    (x,) = draw_normal((batch, steps, I) if batch_first else (steps, batch, I))

    def reference(x: np.ndarray, parameters: dict[str, np.ndarray]) -> np.ndarray:
        sequences = x if batch_first else x.swapaxes(0, 1)
        out = [
            naive.layers(
                kind.reference,
                kind.gates,
                xs,
                parameters,
                depth=depth,
                bidirectional=both,
            )
            for xs in sequences
        ]
        joined = np.array(out, dtype=object)
        return joined if batch_first else joined.swapaxes(0, 1)

    spent = run_reference(reference, x, values(layer), expected=layer(x)[0].detach())
    inputs = [I] + [H * (1 + both)] * (depth - 1)
    by_step = total(kind.formula(H, size, biased=biased) * (1 + both) for size in inputs)
    assert by_step * (steps * batch) == spent
    assert count_cost(layer, x) == spent


@EXACT
@given(P=SIZE, **LAYER)
def test_projected_lstm(
    P: int, I: int, H: int, steps: int, batch: int, depth: int, both: bool, biased: bool
) -> None:
    H += P  # torch wants the projection to be smaller
    layer = nn.LSTM(I, H, depth, bias=biased, bidirectional=both, proj_size=P).double()
    (x,) = draw_normal((steps, batch, I))

    def reference(x: np.ndarray, parameters: dict[str, np.ndarray]) -> np.ndarray:
        out = [
            naive.layers(naive.lstm, 4, xs, parameters, depth=depth, bidirectional=both)
            for xs in x.swapaxes(0, 1)
        ]
        return np.array(out, dtype=object).swapaxes(0, 1)

    spent = run_reference(reference, x, values(layer), expected=layer(x)[0].detach())
    inputs = [I] + [P * (1 + both)] * (depth - 1)
    by_step = total(formula.lstm_step(H, size, P, biased=biased) * (1 + both) for size in inputs)
    assert by_step * (steps * batch) == spent
    assert count_cost(layer, x) == spent


@pytest.mark.parametrize("kind", KINDS, ids=str)
@EXACT
@given(
    I=SIZE, H=SIZE, lengths=st.lists(st.integers(1, 5), min_size=1, max_size=3), both=st.booleans()
)
def test_packed_sequences_cost_by_their_own_lengths(
    kind: Kind, I: int, H: int, lengths: list[int], both: bool
) -> None:
    layer = kind.layer(I, H, bidirectional=both).double()
    sequences = draw_normal(*[(length, I) for length in sorted(lengths, reverse=True)])
    packed = nn.utils.rnn.pack_sequence(sequences)

    def reference(xs: list[np.ndarray], parameters: dict[str, np.ndarray]) -> np.ndarray:
        out = [
            naive.layers(kind.reference, kind.gates, list(x), parameters, bidirectional=both)
            for x in xs
        ]
        return np.array([h for sequence in out for h in sequence], dtype=object)

    expected = torch.cat(nn.utils.rnn.unpack_sequence(layer(packed)[0])).detach()
    spent = run_reference(reference, sequences, values(layer), expected=expected)
    assert kind.formula(H, I) * (sum(lengths) * (1 + both)) == spent
    assert count_cost(layer, packed) == spent


@pytest.mark.parametrize("kind", KINDS, ids=str)
@EXACT
@given(I=SIZE, H=SIZE, batch=SIZE, biased=st.booleans())
def test_cells(kind: Kind, I: int, H: int, batch: int, biased: bool) -> None:
    cell = kind.cell(I, H, bias=biased).double()
    x, h, c = draw_normal((batch, I), (batch, H), (batch, H))

    def reference(x: Any, h: Any, c: Any, parameters: dict[str, np.ndarray]) -> np.ndarray:
        weights = naive.Weights(*parameters.values())
        states = [(h[i], c[i]) if kind is LSTM else (h[i],) for i in range(batch)]
        out = [kind.reference(weights, x[i], state)[0] for i, state in enumerate(states)]
        return np.array(out, dtype=object)

    state = (h, c) if kind is LSTM else h
    out = cell(x, state)
    expected = out[0] if kind is LSTM else out
    spent = run_reference(reference, x, h, c, values(cell), expected=expected.detach())
    assert kind.formula(H, I, biased=biased) * batch == spent
    assert count_cost(cell, x, state) == spent


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_single_sequence_without_a_batch(kind: Kind) -> None:
    layer = kind.layer(2, 3).double()
    (x,) = draw_normal((4, 2))
    assert count_cost(layer, x) == kind.formula(3, 2) * 4


def test_steps_besides_their_macs_are_as_published() -> None:
    for H in (1, 5):
        assert formula.lstm_step(H, 2).flops - 2 * formula.lstm_step(H, 2).macs == 21 * H
        assert formula.gru_step(H, 2).flops - 2 * formula.gru_step(H, 2).macs == 17 * H
