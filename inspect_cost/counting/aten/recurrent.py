"""Rules of recurrent layers and cells, and the shapes of what they return.

A layer arrives as one operator. Its weights come flat: for each layer, and for each direction of
it, W (gates H, I), U (gates H, P), two biases unless unbiased, and V (P, H) where projected. The
shapes are needed because the layer is not run when its values are unknown: taking it apart into
its steps would cost thousands of operators.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from inspect_cost.cost import OpCost, total
from inspect_cost.counting.aten.rule import Rule
from inspect_cost.formulas.recurrent import elman_step, gru_step, lstm_step

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


class Sizes(NamedTuple):
    """One direction of one layer."""

    H: int
    I: int
    P: int | None
    biased: bool


def lstm(s: Sizes) -> OpCost:
    """One step."""
    return lstm_step(s.H, s.I, s.P, biased=s.biased)


def gru(s: Sizes) -> OpCost:
    """One step."""
    return gru_step(s.H, s.I, biased=s.biased)


def rnn_tanh(s: Sizes) -> OpCost:
    """One step."""
    return elman_step(s.H, s.I, biased=s.biased)


def rnn_relu(s: Sizes) -> OpCost:
    """One step."""
    return elman_step(s.H, s.I, biased=s.biased, relu=True)


Step = Callable[[Sizes], OpCost]
STEPS: dict[str, Step] = {"lstm": lstm, "gru": gru, "rnn_tanh": rnn_tanh, "rnn_relu": rnn_relu}


def directions(params: Sequence[Tensor], gates: int, cells: int) -> Iterator[Sizes]:
    """Sizes of each direction of each layer, ``cells`` of them, from the flat weights."""
    per_cell = len(params) // cells
    for first in range(0, len(params), per_cell):
        W, U = params[first], params[first + 1]
        projected, biased = per_cell in {3, 5}, per_cell in {4, 5}
        P = U.shape[1] if projected else None
        yield Sizes(W.shape[0] // gates, W.shape[1], P, biased)


def layer_rule(kind: str) -> Rule:
    """Rule of a layer on a padded batch; (T, B, I), (B, T, I) or, for one sequence, (T, I)."""

    def rule(
        out: Any,
        x: Tensor,
        hx: Any,
        params: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> OpCost:
        return _steps(kind, params, num_layers * (1 + bidirectional)) * (x.numel() // x.shape[-1])

    return rule


def packed_rule(kind: str) -> Rule:
    """Rule of a layer on packed sequences: (steps of all sequences, I)."""

    def rule(
        out: Any,
        data: Tensor,
        batch_sizes: Tensor,
        hx: Any,
        params: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
    ) -> OpCost:
        return _steps(kind, params, num_layers * (1 + bidirectional)) * data.shape[0]

    return rule


def _steps(kind: str, params: Sequence[Tensor], cells: int) -> OpCost:
    """One step of all layers in all directions."""
    return total(STEPS[kind](sizes) for sizes in directions(params, GATES[kind], cells))


def cell_rule(kind: str) -> Rule:
    """Rule of a cell: one step of each batch entry."""

    def rule(
        out: Any,
        x: Tensor,
        hx: Any,
        W: Tensor,
        U: Tensor,
        b: Tensor | None = None,
        c: Tensor | None = None,
    ) -> OpCost:
        sizes = Sizes(W.shape[0] // GATES[kind], W.shape[1], None, b is not None)
        return STEPS[kind](sizes) * (x.numel() // x.shape[-1])

    return rule


def layer_result(
    x: Tensor,
    hx: Tensor | Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, ...]:
    """What a layer returns: the sequence of states, then the last states, without values."""
    states = [hx] if isinstance(hx, Tensor) else list(hx)
    features = states[0].shape[-1] * (1 + bidirectional)
    sequence = x.new_empty((*x.shape[:-1], features))
    return sequence, *(state.new_empty(state.shape) for state in states)


def packed_result(
    data: Tensor,
    batch_sizes: Tensor,
    hx: Tensor | Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> tuple[Tensor, ...]:
    """As `layer_result`, for packed sequences."""
    return layer_result(
        data, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first=False
    )


LAYERS = ("lstm", "gru", "rnn_tanh", "rnn_relu")

RECURRENT: dict[str, Rule] = (
    {f"aten.{kind}.input": layer_rule(kind) for kind in LAYERS}
    | {f"aten.{kind}.data": packed_rule(kind) for kind in LAYERS}
    | {f"aten.{kind}_cell": cell_rule(kind) for kind in LAYERS}
)

#: Operator -> what it returns, without values and without running it.
RECURRENT_RESULTS: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    f"aten.{kind}.input": layer_result for kind in LAYERS
} | {f"aten.{kind}.data": packed_result for kind in LAYERS}
