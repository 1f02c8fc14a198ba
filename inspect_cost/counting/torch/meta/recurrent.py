"""Meta kernels of recurrent layers and cells, whose weights must fit their inputs and states.

A layer with unknown values is not run: decomposing it into its steps would take thousands of
operators.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.meta.plain import Result, are_of_one_kind, empty

#: What a tensor is called, the tensor, and the shape that it should have.
Expected = tuple[str, Any, Sequence[Any]]

States = Tensor | Sequence[Tensor]

MATRIX, SEQUENCES = 2, 3


def layer_result(
    x: Tensor,
    hx: States,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    _dropout: float,
    _train: bool,
    bidirectional: bool,
    batch_first: bool,
    **_options: Any,
) -> tuple[Tensor, ...] | None:
    """Make a layer's results without values: the sequence of states, then the last states."""
    states = list_states(hx)
    sizes = expect_layer(x, hx, params, has_biases, num_layers, bidirectional, batch_first)
    fits = sizes is not None and _have_shapes(sizes)
    packed = any(not isinstance(p, Tensor) for p in params)
    known = [x, *states] if packed else [x, *states, *params]
    if not fits or not are_of_one_kind(known) or (packed and x.dtype is not torch.float32):
        return None
    return _make_results(x, states, bidirectional)


def packed_result(
    data: Tensor,
    batch_sizes: Tensor,
    hx: States,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    _dropout: float,
    _train: bool,
    bidirectional: bool,
) -> tuple[Tensor, ...] | None:
    """Make the results of `layer_result` for packed sequences: (steps of all sequences, I)."""
    states = list_states(hx)
    sizes = expect_packed(data, states, params, has_biases, num_layers, bidirectional)
    fits = sizes is not None and _have_shapes(sizes)
    fits = fits and batch_sizes.dim() == 1 and batch_sizes.dtype is torch.int64
    if not fits or not are_of_one_kind([data, *states, *params]):
        return None
    return _make_results(data, states, bidirectional)


def _make_results(x: Tensor, states: Sequence[Tensor], bidirectional: bool) -> tuple[Tensor, ...]:
    """Make the states of each step of x (..., I), and the last ones."""
    features = states[0].shape[-1] * (1 + bidirectional)
    return empty((*x.shape[:-1], features), x), *(empty(s.shape, s) for s in states)


def next_state(x: Tensor, state: States, *weights: Tensor | None) -> Result:
    """Return a recurrent cell's new state, or the two new states of an LSTM."""
    given = [w for w in weights if w is not None]
    fits = _have_shapes(expect_cell(x, state, *weights))
    if not fits or not are_of_one_kind([x, *list_states(state), *given]):
        return None
    if isinstance(state, Tensor):
        return empty(state.shape, state)
    return tuple(empty(s.shape, s) for s in state)


def _have_shapes(expected: Iterable[Expected]) -> bool:
    return all(tensor.shape == tuple(shape) for _, tensor, shape in expected)


def list_states(state: States) -> list[Tensor]:
    """Return the states of a layer or cell: one, or two of an LSTM."""
    return [state] if isinstance(state, Tensor) else list(state)


def unpack_weights(params: Sequence[Any]) -> list[Tensor]:
    """Return the two weights of each direction of each layer of integers; biases are in them."""
    return [weight.unpack()[0] for cell in params for weight in cell.__getstate__()[0][4]]


def expect_cell(x: Tensor, state: States, *weights: Tensor | None) -> Iterator[Expected]:
    """Yield the tensors of a cell and their shapes, beside an input (B, I) and gates H of U."""
    W, U, *biases = weights
    if W is None or U is None or W.dim() != MATRIX or U.dim() != MATRIX:
        odd = W if W is None or W.dim() != MATRIX else U
        yield "its weight", odd, ("gates", "features")
        return
    yield "its input", x, (x.shape[0] if x.dim() else 1, W.shape[1])
    for s in list_states(state):
        yield "its state", s, (x.shape[0] if x.dim() else 1, U.shape[1])
    yield "its weight for states", U, (W.shape[0], U.shape[1])
    for b in biases:
        if b is not None:
            yield "its bias", b, W.shape[:1]


def expect_layer(
    x: Tensor,
    hx: States,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
) -> list[Expected] | None:
    """List the tensors of a layer and their shapes; None if they are too few, or of odd ranks."""
    states = list_states(hx)
    if any(t.dim() != SEQUENCES for t in (x, *states)):
        return None
    if any(not isinstance(p, Tensor) for p in params):
        params, has_biases = unpack_weights(params), False
    weights = expect_weights(x, states, params, has_biases, num_layers, bidirectional)
    if weights is None:
        return None
    return [*expect_states(x, states, num_layers * (1 + bidirectional), batch_first), *weights]


def expect_states(
    x: Tensor, states: Sequence[Tensor], cells: int, batch_first: bool
) -> list[Expected]:
    """List the states: one entry for each direction of each layer, and for each batch entry."""
    batch = x.shape[0 if batch_first else 1]
    return [("its state", s, (cells, batch, s.shape[-1])) for s in states]


def expect_packed(
    data: Tensor,
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
) -> list[Expected] | None:
    """List the tensors of a layer on packed sequences and their shapes, as `expect_layer` does."""
    if data.dim() != MATRIX or any(s.dim() != SEQUENCES for s in states):
        return None
    cells, batch = num_layers * (1 + bidirectional), states[0].shape[1]
    weights = expect_weights(data, states, params, has_biases, num_layers, bidirectional)
    if weights is None:
        return None
    return [*(("its state", s, (cells, batch, s.shape[-1])) for s in states), *weights]


def expect_weights(
    x: Tensor,
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
) -> list[Expected] | None:
    """List the weights of each direction of each layer, and the shapes that fit its states."""
    cells, ways = num_layers * (1 + bidirectional), 1 + bidirectional
    projected = len(states) > 1 and states[0].shape[-1:] != states[1].shape[-1:]
    each = 2 + 2 * has_biases + projected
    if not states[0].dim() or len(params) != cells * each:
        return None
    output, hidden = states[0].shape[-1], states[-1].shape[-1]
    gates = params[0].shape[0] // hidden if hidden and params[0].dim() else 0
    shapes: list[Expected] = []
    for cell in range(cells):
        inputs = x.shape[-1] if cell < ways else output * ways
        rows = gates * hidden
        expected = [(rows, inputs), (rows, output), *[(rows,)] * (2 * has_biases)]
        expected += [(output, hidden)] * projected
        own = params[cell * each :][:each]
        shapes += [("its weight", p, shape) for p, shape in zip(own, expected, strict=True)]
    return shapes
