"""Rules for recurrent layers: steps x batch x directions x one step of a cell.

Padded steps count too, whatever lengths are given. The bias is one tensor that holds both of
torch's.
"""

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.formulas.pointwise import ADD, MUL
from inspect_cost.formulas.quantization import RESCALE, dynamic_quantization
from inspect_cost.formulas.recurrent import elman_step, gru_step, lstm_step
from inspect_cost.values.cost import FREE, OpCost

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
USUAL = {
    "LSTM": [b"Sigmoid", b"Tanh", b"Tanh"],
    "GRU": [b"Sigmoid", b"Tanh"],
}
PEEPHOLES = 3


def count_steps(call: NodeCall) -> int:
    """Return directions x T x B; x may be (T, B, I) or (B, T, I)."""
    return call.operand(1).sizes[0] * call.x.sizes[0] * call.x.sizes[1]


def read_sizes(call: NodeCall) -> tuple[int, int, bool]:
    """Return H, I and whether there are biases, from W (directions, gates x H, I)."""
    _directions, rows, inputs = call.operand(1).sizes
    return rows // GATES[call.node.op_type], inputs, call.has(3)


def is_unusual(call: NodeCall) -> bool:
    """Return whether the gates use other activations than the textbook's."""
    usual = USUAL[call.node.op_type.removeprefix("DynamicQuantize")]
    activations = call.get("activations") or usual
    return list(activations) != usual * (len(activations) // len(usual)) or bool(
        call.get("input_forget", 0)
    )


def count_clipping(call: NodeCall, preactivations: int) -> OpCost:
    """Count two comparisons per preactivation if they are clipped."""
    return OpCost(compare=2 * preactivations) if call.get("clip") else FREE


def lstm(call: NodeCall) -> OpCost | None:
    """Count LSTM; peepholes add a product and a sum to three gates. None for other activations."""
    if is_unusual(call):
        return None
    H, I, biased = read_sizes(call)
    peepholes = (MUL + ADD) * (PEEPHOLES * H) if call.has(7) else FREE
    step = lstm_step(H, I, biased=biased) + peepholes + count_clipping(call, 4 * H)
    return step * count_steps(call)


def quantized_lstm(call: NodeCall) -> OpCost | None:
    """Count DynamicQuantizeLSTM, which quantises x and the state, and rescales both products.

    W is (directions, I, 4 x H).
    """
    if is_unusual(call):
        return None
    _directions, I, gates = call.operand(1).sizes
    H = gates // GATES["LSTM"]
    quantisation = dynamic_quantization(I) + dynamic_quantization(H) + RESCALE * (2 * gates)
    peepholes = (MUL + ADD) * (PEEPHOLES * H) if call.has(7) else FREE
    step = lstm_step(H, I, biased=call.has(3)) + peepholes + count_clipping(call, gates)
    return (step + quantisation) * count_steps(call)


def gru(call: NodeCall) -> OpCost | None:
    """Count GRU, which costs the same if the reset gate is applied before or after the product."""
    if is_unusual(call):
        return None
    H, I, biased = read_sizes(call)
    return (gru_step(H, I, biased=biased) + count_clipping(call, 3 * H)) * count_steps(call)


def rnn(call: NodeCall) -> OpCost | None:
    """Count Elman's network, by tanh or relu; None for other activations."""
    names = set(call.get("activations") or [b"Tanh"])
    if len(names) != 1 or not names <= {b"Tanh", b"Relu"}:
        return None
    H, I, biased = read_sizes(call)
    step = elman_step(H, I, biased=biased, relu=names == {b"Relu"})
    return (step + count_clipping(call, H)) * count_steps(call)


RECURRENT: dict[str, Rule] = {
    "onnx.LSTM": lstm,
    "onnx.GRU": gru,
    "onnx.RNN": rnn,
    "com.microsoft.DynamicQuantizeLSTM": quantized_lstm,
}
