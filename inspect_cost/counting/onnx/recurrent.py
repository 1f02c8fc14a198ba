"""Rules for recurrent layers: steps x batch x directions x one step of a cell.

Padded steps count too, whatever lengths are given. The bias is one tensor that holds both of
torch's.
"""

from dataclasses import replace

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.formulas import pointwise
from inspect_cost.formulas.pointwise import ADD, COMPARE, MUL, SPECIAL
from inspect_cost.formulas.quantization import RESCALE, dynamic_quantization
from inspect_cost.formulas.recurrent import elman_step, gru_step, lstm_step
from inspect_cost.values.cost import FREE, OpCost, total

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
#: Activations by default, and of how many of H numbers each is taken in a step.
USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}
TAKEN = {"LSTM": (3, 1, 1), "GRU": (2, 1), "RNN": (1,)}
#: Activation -> its cost; names are matched without case, as onnxruntime's LSTM does.
ACTIVATIONS = {
    "affine": MUL + ADD,
    "elu": pointwise.ELU,
    "hardsigmoid": pointwise.HARD_SIGMOID,
    "leakyrelu": pointwise.LEAKY_RELU,
    "relu": pointwise.RELU,
    "scaledtanh": 2 * MUL + SPECIAL,
    "sigmoid": SPECIAL,
    "softplus": pointwise.SOFTPLUS,
    "softsign": pointwise.SOFT_SIGN,
    "tanh": SPECIAL,
    "thresholdedrelu": COMPARE,
}
PEEPHOLES = 3


def read_sizes(call: NodeCall) -> tuple[int, int, bool]:
    """Return H, I and whether there are biases, from W (directions, gates x H, I)."""
    _directions, rows, inputs = call.operand(1).sizes
    return rows // GATES[call.node.op_type], inputs, call.has(3)


def count_activations(call: NodeCall, H: int) -> list[OpCost]:
    """Return the cost of a step's activations in each direction.

    Raises:
        ValueError: there are too few of them, or one is none of ONNX's.
    """
    kind = call.node.op_type.removeprefix("DynamicQuantize")
    directions, each = call.operand(1).sizes[0], len(USUAL[kind])
    given = [name.decode().lower() for name in call.get("activations") or ()]
    names = given or [*USUAL[kind]] * directions
    if len(names) != each * directions:
        raise ValueError(f"{len(names)} activations are not {each} in {directions} directions")
    unknown = [name for name in names if name not in ACTIVATIONS]
    if unknown:
        raise ValueError(f"{unknown[0]} is no activation")
    taken = list(TAKEN[kind])
    taken[0] -= bool(call.get("input_forget", 0))  # the forget gate is 1 - the input gate
    return [
        total(ACTIVATIONS[name] * (n * H) for name, n in zip(names[i:], taken, strict=False))
        for i in range(0, len(names), each)
    ]


def count_layer(call: NodeCall, H: int, step: OpCost) -> OpCost:
    """Count all steps in all directions.

    Args:
        call: the layer.
        H: hidden units.
        step: one step with the textbook's activations, its only special functions.
    """
    steps = call.x.sizes[0] * call.x.sizes[1]
    coupled = ADD * (H * bool(call.get("input_forget", 0)))
    plain = replace(step, special=0) + coupled
    return total((plain + taken) * steps for taken in count_activations(call, H))


def count_clipping(call: NodeCall, preactivations: int) -> OpCost:
    """Count two comparisons per preactivation if they are clipped."""
    return OpCost(compare=2 * preactivations) if call.get("clip") else FREE


def lstm(call: NodeCall) -> OpCost | None:
    """Count LSTM; peepholes add a product and a sum to three gates."""
    H, I, biased = read_sizes(call)
    step = lstm_step(H, I, biased=biased) + _peepholes(call, H) + count_clipping(call, 4 * H)
    return count_layer(call, H, step)


def _peepholes(call: NodeCall, H: int) -> OpCost:
    """Count products of three gates with the cell state, of two without a forget gate."""
    gates = PEEPHOLES - bool(call.get("input_forget", 0))
    return (MUL + ADD) * (gates * H) if call.has(7) else FREE


def quantized_lstm(call: NodeCall) -> OpCost | None:
    """Count DynamicQuantizeLSTM, which quantises x and the state, and rescales both products.

    W is (directions, I, 4 x H).
    """
    _directions, I, gates = call.operand(1).sizes
    H = gates // GATES["LSTM"]
    quantisation = dynamic_quantization(I) + dynamic_quantization(H) + RESCALE * (2 * gates)
    step = lstm_step(H, I, biased=call.has(3)) + _peepholes(call, H) + count_clipping(call, gates)
    layer = count_layer(call, H, step)
    steps = call.operand(1).sizes[0] * call.x.sizes[0] * call.x.sizes[1]
    return layer + quantisation * steps


def gru(call: NodeCall) -> OpCost | None:
    """Count GRU, which costs the same if the reset gate is applied before or after the product."""
    H, I, biased = read_sizes(call)
    return count_layer(call, H, gru_step(H, I, biased=biased) + count_clipping(call, 3 * H))


def rnn(call: NodeCall) -> OpCost | None:
    """Count Elman's network."""
    H, I, biased = read_sizes(call)
    return count_layer(call, H, elman_step(H, I, biased=biased) + count_clipping(call, H))


RECURRENT: dict[str, Rule] = {
    "onnx.LSTM": lstm,
    "onnx.GRU": gru,
    "onnx.RNN": rnn,
    "com.microsoft.DynamicQuantizeLSTM": quantized_lstm,
}
