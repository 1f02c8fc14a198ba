"""Composite operators within which autocast casts: it knows their parts, and not them.

In an inference, such operators would arrive whole, and their parts would never come by autocast.
Where it is on, they are taken apart as torch takes them apart on a device.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

#: Composite operators whose parts autocast casts.
COMPOSITES = """
    einsum tensordot inner linalg_multi_dot chain_matmul matrix_power linalg_matrix_power
    lstm.input lstm.data gru.input gru.data rnn_tanh.input rnn_tanh.data rnn_relu.input
    rnn_relu.data lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell
    rms_norm nll_loss_nd stft pad vstack hstack dstack column_stack row_stack concat concatenate
"""


def take_apart(func: OpOverload, kind: str, args: Sequence[Any], kwargs: Any) -> Any:
    """Run an operator as its parts.

    Args:
        func: the operator.
        kind: kind of the device that it would run on.
        args: its positional arguments.
        kwargs: its keyword arguments.
    """
    run = _ON_CPU.get(func) if kind == "cpu" else None
    out = NotImplemented if run is None else run(*args, **kwargs)
    if out is NotImplemented:
        out = func.decompose(*args, **kwargs)
    return func(*args, **kwargs) if out is NotImplemented else out


def run_lstm(
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    biased: bool,
    layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Any:
    """Run an LSTM by the CPU's layers, each direction of which casts all that it is given."""
    directions = 1 + bidirectional
    each = len(weights) // (layers * directions)
    if each != 2 * (1 + biased) or (train and dropout):
        return NotImplemented  # torch takes one with projections apart
    y, (h, c) = x.transpose(0, 1) if batch_first else x, states
    ends: list[tuple[Tensor, Tensor]] = []
    for layer in range(layers):
        outputs = []
        for direction in range(directions):
            index = layer * directions + direction
            own = list(weights[index * each : (index + 1) * each])
            # What torch gives for biases that are missing has the weights' shapes.
            own += [] if biased else [torch.zeros_like(weight) for weight in own]
            out, hidden, cell, _ = torch.ops.aten.mkldnn_rnn_layer(
                *(y, *own, h[index], c[index], bool(direction), [], LSTM_MODE, h.shape[-1], layers),
                *(biased, bidirectional, batch_first, train),
            )
            outputs.append(out)
            ends.append((hidden, cell))
        y = outputs[0] if directions == 1 else torch.cat(outputs, -1)
    hidden, cell = (
        torch.stack([end.reshape(h.shape[1:]) for end in kind]) for kind in zip(*ends, strict=True)
    )
    return y.transpose(0, 1) if batch_first else y, hidden, cell


#: Torch's number for the kind of a recurrent layer.
LSTM_MODE = 2

#: Composite operators that torch does not take apart on a CPU.
_ON_CPU: dict[OpOverload, Callable[..., Any]] = {torch.ops.aten.lstm.input: run_lstm}
