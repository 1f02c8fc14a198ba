"""Rules of recurrent layers and cells.

A layer arrives as one operator. Its weights come as a flat list: for each layer and each of its
directions W (gates H, I), U (gates H, P), two biases unless unbiased, and V (P, H) if projected.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas.quantization import RESCALE, dynamic_quantization
from inspect_cost.formulas.recurrent import elman_step, gru_step, lstm_step
from inspect_cost.formulas.recurrent_gradients import Wanted, lstm_gradients
from inspect_cost.values.cost import OpCost, total

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


class CellSizes(NamedTuple):
    """Sizes of one direction of one layer.

    Attributes:
        H: hidden units.
        I: inputs.
        P: size of the projected state; None if there is no projection.
        biased: whether there are biases.
    """

    H: int
    I: int
    P: int | None
    biased: bool


def lstm(s: CellSizes) -> OpCost:
    """Count one step."""
    return lstm_step(s.H, s.I, s.P, biased=s.biased)


def gru(s: CellSizes) -> OpCost:
    """Count one step."""
    return gru_step(s.H, s.I, biased=s.biased)


def rnn_tanh(s: CellSizes) -> OpCost:
    """Count one step."""
    return elman_step(s.H, s.I, biased=s.biased)


def rnn_relu(s: CellSizes) -> OpCost:
    """Count one step."""
    return elman_step(s.H, s.I, biased=s.biased, relu=True)


Step = Callable[[CellSizes], OpCost]
STEPS: dict[str, Step] = {"lstm": lstm, "gru": gru, "rnn_tanh": rnn_tanh, "rnn_relu": rnn_relu}


def directions(params: Sequence[Tensor], gates: int, cells: int) -> Iterator[CellSizes]:
    """Yield the sizes of each direction of each layer, ``cells`` in all, from the flat weights."""
    per_cell = len(params) // cells
    for first in range(0, len(params), per_cell):
        W, U = params[first], params[first + 1]
        projected, biased = per_cell in {3, 5}, per_cell in {4, 5}
        P = U.shape[1] if projected else None
        yield CellSizes(W.shape[0] // gates, W.shape[1], P, biased)


def layer_rule(kind: str) -> Rule:
    """Make the rule of a layer on a batch (T, B, I) or (B, T, I), or on one sequence (T, I)."""

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
        return _steps(kind, params, num_layers * (1 + bidirectional)) * (
            x.numel() // max(1, x.shape[-1])
        )

    return rule


def packed_rule(kind: str) -> Rule:
    """Make the rule of a layer on packed sequences: (steps of all sequences, I)."""

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
    """Count one step of all layers in all directions."""
    return total(STEPS[kind](sizes) for sizes in directions(params, GATES[kind], cells))


def cell_rule(kind: str) -> Rule:
    """Make the rule of a cell: one step of each batch entry."""

    def rule(
        out: Any,
        x: Tensor,
        hx: Any,
        W: Tensor,
        U: Tensor,
        b: Tensor | None = None,
        c: Tensor | None = None,
    ) -> OpCost:
        sizes = CellSizes(W.shape[0] // GATES[kind], W.shape[1], None, b is not None)
        return STEPS[kind](sizes) * (x.numel() // max(1, x.shape[-1]))

    return rule


def quantized_rule(kind: str) -> Rule:
    """Make the rule of a layer whose weights are packed: its sizes are those of its states.

    By convention each step quantises its input and its state, and rescales both products.
    """

    def rule(
        out: Any, x: Tensor, hx: Any, params: Any, has_biases: bool, *rest: Any, **_: Any
    ) -> OpCost:
        num_layers, bidirectional = rest[0], rest[3]
        state = hx if isinstance(hx, Tensor) else hx[0]
        H, directions, steps = (
            state.shape[-1],
            int(1 + bidirectional),
            x.numel() // max(1, x.shape[-1]),
        )
        inputs = [x.shape[-1]] + [H * directions] * (num_layers - 1)
        one_direction = total(_quantized_step(kind, H, I, biased=has_biases) for I in inputs)
        return one_direction * (directions * steps)

    return rule


def _quantized_step(kind: str, H: int, I: int, *, biased: bool) -> OpCost:
    """Count one step in integers, including the quantisation of numbers and the rescaling."""
    rescaled = RESCALE * (2 * GATES[kind] * H)
    quantized = dynamic_quantization(I) + dynamic_quantization(H)
    return STEPS[kind](CellSizes(H, I, None, biased)) + quantized + rescaled


def mkldnn_layer(
    out: Any,
    x: Tensor,
    W: Tensor,
    U: Tensor,
    b: Tensor,
    c: Tensor,
    hx: Tensor,
    cx: Tensor,
    reverse: bool,
    batch_sizes: Sequence[int],
    mode: int,
    hidden_size: int,
    num_layers: int,
    has_biases: bool,
    *_rest: Any,
) -> OpCost:
    """Count one direction of one layer on a CPU; mode 2 is LSTM, 3 is GRU, as for cuDNN."""
    kind = KINDS[mode]
    sizes = CellSizes(W.shape[0] // GATES[kind], W.shape[1], None, has_biases)
    return STEPS[kind](sizes) * (x.numel() // max(1, x.shape[-1]))


def mkldnn_layer_gradients(
    out: Any,
    x: Tensor,
    W: Tensor,
    U: Tensor,
    b: Tensor,
    c: Tensor,
    hx: Tensor,
    cx: Tensor,
    output: Tensor,
    hy: Tensor,
    cy: Tensor,
    grad_output: Tensor | None,
    grad_hy: Tensor | None,
    grad_cy: Tensor | None,
    reverse: bool,
    mode: int,
    hidden_size: int,
    num_layers: int,
    has_biases: bool,
    *_rest: Any,
) -> OpCost | None:
    """Count the gradients of one direction of one LSTM layer on a CPU, where nothing else is one.

    The kernel makes all gradients; those count that autograd asks for.
    """
    if KINDS[mode] != "lstm":
        return None
    wanted = Wanted(
        x=x.requires_grad,
        h=hx.requires_grad,
        c=cx.requires_grad,
        weights=W.requires_grad,
        states=grad_output is not None,
        last_h=grad_hy is not None,
        last_c=grad_cy is not None,
    )
    T, B = x.shape[:2]
    return lstm_gradients(T, B, hidden_size, x.shape[-1], wanted, biased=has_biases)


def cudnn_layers(
    out: Any,
    x: Tensor,
    weights: Sequence[Tensor],
    weight_stride0: int,
    weight_buf: Tensor | None,
    hx: Tensor,
    cx: Tensor | None,
    mode: int,
    hidden_size: int,
    proj_size: int,
    num_layers: int,
    batch_first: bool,
    dropout: float,
    train: bool,
    bidirectional: bool,
    *_rest: Any,
) -> OpCost:
    """Count all layers on a GPU, whose weights are a flat list."""
    cells = num_layers * (1 + bidirectional)
    return _steps(KINDS[mode], weights, cells) * (x.numel() // max(1, x.shape[-1]))


def fused_cell(kind: str) -> Rule:
    """Make the rule of the part of a cell after its products: from gates to the new state."""

    def rule(
        out: Any, W_x: Tensor, U_h: Tensor, state: Tensor, b: Tensor | None = None, *_c: Any
    ) -> OpCost:
        H = state.shape[-1]
        step = STEPS[kind](CellSizes(H, 0, None, b is not None))
        return replace(step, macs=0) * (state.numel() // max(1, H))

    return rule


KINDS = ("rnn_relu", "rnn_tanh", "lstm", "gru")

LAYERS = ("lstm", "gru", "rnn_tanh", "rnn_relu")

RECURRENT: dict[str, Rule] = (
    {f"aten.{kind}.input": layer_rule(kind) for kind in LAYERS}
    | {f"aten.{kind}.data": packed_rule(kind) for kind in LAYERS}
    | {f"aten.{kind}_cell": cell_rule(kind) for kind in LAYERS}
    | {f"aten.quantized_{kind}.input": quantized_rule(kind) for kind in ("lstm", "gru")}
    | {f"aten._thnn_fused_{kind}_cell": fused_cell(kind) for kind in ("lstm", "gru")}
    | {"aten.mkldnn_rnn_layer": mkldnn_layer, "aten._cudnn_rnn": cudnn_layers}
    | {"aten.mkldnn_rnn_layer_backward": mkldnn_layer_gradients}
)
