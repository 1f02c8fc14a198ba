"""Refuse calls whose operands do not fit each other where ONNX's inference does not look.

A runtime refuses them when the graph runs. Sizes that are unknown fit everything.
"""

from collections.abc import Callable, Mapping
from math import prod

from inspect_cost.counting.onnx import movement_checks as movement
from inspect_cost.counting.onnx.attention_checks import ATTENTION_CHECKS
from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.fused_shapes import transpose_factor
from inspect_cost.counting.onnx.patterns import broadcasts_to, demand, get_axes, match_operands
from inspect_cost.counting.onnx.recurrent import GATES
from inspect_cost.counting.onnx.value import UnknownShapeError

Check = Callable[[NodeCall], None]
#: First version in which the scale of a group norm is per channel, not per group.
_SCALE_PER_CHANNEL = 21


def check_operands(call: NodeCall) -> None:
    """Refuse a call whose operands do not fit each other.

    Raises:
        ValueError: they do not; the message says which.
        LookupError: an operand or an axis is missing.
    """
    check = CHECKS.get(call.operator)
    try:
        if check is not None:
            check(call)
    except UnknownShapeError:
        return


def matching(*patterns: str) -> Check:
    """Return the check of operands by patterns; see `patterns`."""
    return lambda call: match_operands(patterns, call.inputs, {})


# --- contractions


def convolution(weight_at: int, bias_at: int | None) -> Check:
    """Return the check of a convolution with the channels second."""

    def check(call: NodeCall) -> None:
        channels = call.x.sizes[1]
        _check_kernel(call, channels, len(call.x.sizes), weight_at, bias_at)

    return check


def channels_last_convolution(call: NodeCall) -> None:
    """Check a convolution with the channels last."""
    _check_kernel(call, call.x.sizes[-1], len(call.x.sizes), 1, 2)


def quantized_convolution(call: NodeCall) -> None:
    """Check QLinearConv with the channels second or last; scales are one, or one per channel."""
    channels = call.x.sizes[-1 if call.get("channels_last", 0) else 1]
    _check_kernel(call, channels, len(call.x.sizes), 3, 8)
    outputs = call.operand(3).sizes[0]
    for position in (4, 5):
        value = call.optional(position)
        demand(
            value is None or value.size in {1, outputs}, f"operand {position} is not per channel"
        )


def _check_kernel(
    call: NodeCall, channels: int, rank: int, weight_at: int, bias_at: int | None
) -> None:
    weight, groups = call.operand(weight_at).sizes, call.get("group", 1)
    demand(len(weight) == rank, f"its weight {weight} has not as many axes as its input")
    read = weight[1] * groups
    demand(channels == read, f"its weight reads {read} channels, but the input has {channels}")
    demand(weight[0] % groups == 0, f"{weight[0]} outputs are not in {groups} groups")
    _check_kernel_shape(call, weight)
    _check_bias(call, bias_at, weight[0])


def _check_kernel_shape(call: NodeCall, weight: tuple[int, ...]) -> None:
    stated = call.get("kernel_shape")
    demand(not stated or tuple(stated) == weight[2:], f"its weight {weight} is not {stated}")


def _check_bias(call: NodeCall, position: int | None, outputs: int) -> None:
    bias = None if position is None else call.optional(position)
    fits = bias is None or bias.sizes == (outputs,)
    demand(fits, f"its bias is not of {outputs} numbers")


def transposed_convolution(call: NodeCall) -> None:
    """Check ConvTranspose, whose weight has the input's channels first."""
    weight, channels, groups = call.operand(1).sizes, call.x.sizes[1], call.get("group", 1)
    demand(
        channels == weight[0],
        f"its weight reads {weight[0]} channels, but the input has {channels}",
    )
    demand(channels % groups == 0, f"{channels} channels are not in {groups} groups")
    _check_kernel_shape(call, weight)
    _check_bias(call, 2, weight[1] * groups)


def deformed_convolution(call: NodeCall) -> None:
    """Check DeformConv: x, w, offsets, bias, mask."""
    weight, out = call.operand(1).sizes, call.out.sizes
    _check_kernel(call, call.x.sizes[1], len(call.x.sizes), 1, 3)
    offsets, taps = call.get("offset_group", 1), prod(weight[2:])
    wanted = (out[0], offsets * taps, *out[2:])
    dimensions = len(wanted) - 2
    moved = (wanted[0], wanted[1] * dimensions, *wanted[2:])
    demand(call.operand(2).sizes == moved, f"its offsets are {call.operand(2).sizes}, not {moved}")
    mask = call.optional(4)
    demand(mask is None or mask.sizes == wanted, f"its mask is not {wanted}")


def gemm(call: NodeCall) -> None:
    """Check that what is added broadcasts to the product."""
    added = call.optional(2)
    fits = added is None or broadcasts_to(get_axes(added), call.out.sizes)
    demand(fits, f"what is added does not broadcast to {call.out.sizes}")


def few_bits_matmul(call: NodeCall) -> None:
    """Check a product with N x K weights in blocks."""
    K, N = call.get("K"), call.get("N")
    demand(call.x.sizes[-1] == K, f"its weight reads {K} numbers, but a row has {call.x.sizes[-1]}")
    if call.node.op_type == "MatMulNBits":
        block, bits = call.get("block_size"), call.get("bits", 4)
        per_row = -(-K // block)
        packed, scales = N * per_row * block * bits // 8, N * per_row
        demand(call.operand(1).size == packed, f"its weight is not of {packed} bytes")
        demand(call.operand(2).size == scales, f"it has not {scales} scales")
        _check_bias(call, 5, N)


def factors(call: NodeCall) -> None:
    """Check a matrix product whose operands attributes may transpose."""
    a, b = transpose_factor(call, 0, "A"), transpose_factor(call, 1, "B")
    demand(a[-1] == b[-2], f"{a[-1]} columns do not meet {b[-2]} rows")


def quantized_factors(second: int, bias_at: int | None = None) -> Check:
    """Return the check of a product of integers, whose second factor is a later operand."""

    def check(call: NodeCall) -> None:
        a, b = call.x.sizes, call.operand(second).sizes
        k = a[0 if call.get("transA", 0) else -1]
        rows = b[-1 if call.get("transB", 0) else max(-2, -len(b))]
        demand(k == rows, f"{k} columns do not meet {rows} rows")
        _check_bias(call, bias_at, b[-2 if call.get("transB", 0) else -1])

    return check


def quantized_matmul(call: NodeCall) -> None:
    """Check QLinearMatMul; scales and zero points are one, or one per row or column."""
    quantized_factors(3)(call)
    rows, columns = call.x.sizes[-2:-1], call.operand(3).sizes[-1:]
    for position, many in ((1, rows), (2, rows), (4, columns), (5, columns)):
        fits = call.operand(position).size in {1, *many}
        demand(fits, f"operand {position} is of {call.operand(position).size} numbers")


def affine_grid(call: NodeCall) -> None:
    """Check matrices of (B, d, d + 1) for a result of (B, T..., d)."""
    d = call.out.sizes[-1]
    wanted = (call.out.sizes[0], d, d + 1)
    demand(call.x.sizes == wanted, f"its matrices are {call.x.sizes}, not {wanted}")


# --- normalisations


def row_norm(call: NodeCall) -> None:
    """Check that scale and shift broadcast to the input."""
    for position in (1, 2):
        value = call.optional(position)
        fits = value is None or broadcasts_to(get_axes(value), get_axes(call.x))
        demand(fits, f"operand {position} does not broadcast to {call.x.sizes}")


def group_norm(call: NodeCall) -> None:
    """Check the groups, and scale and shift per channel or, in older versions, per group."""
    groups, channels = call.get("num_groups"), call.x.sizes[1]
    demand(channels % groups == 0, f"{channels} channels are not in {groups} groups")
    wanted = channels if call.version >= _SCALE_PER_CHANNEL else groups
    for position in (1, 2):
        size = call.operand(position).sizes
        demand(size == (wanted,), f"operand {position} is {size}, not ({wanted},)")


# --- recurrent layers


def recurrent(call: NodeCall) -> None:
    """Check a recurrent layer: x, W, R, biases, lengths, initial states, peepholes."""
    gates = GATES[call.node.op_type]
    match_operands(
        (
            "B T I" if call.get("layout", 0) else "T B I",
            f"D {gates}H I",
            f"D {gates}H H",
            f"D {2 * gates}H",
            "B",
            *(["B D H" if call.get("layout", 0) else "D B H"] * 2),
            "D 3H",
        ),
        call.inputs,
        _bind_layer(call),
    )


def quantized_lstm(call: NodeCall) -> None:
    """Check DynamicQuantizeLSTM, whose weights are transposed, with scales and zero points."""
    patterns = ("T B I", "D I 4H", "D H 4H", "D 8H", "B", "D B H", "D B H", "D 3H")
    match_operands(patterns, call.inputs, _bind_layer(call))
    directions, _inputs, gates = call.operand(1).sizes
    for position in (8, 9, 10, 11):
        value = call.optional(position)
        fits = value is None or value.sizes in {(directions,), (directions, gates)}
        demand(fits, f"operand {position} is neither one per direction nor one per gate")


def _bind_layer(call: NodeCall) -> dict[str, int]:
    directions = 2 if call.get("direction", b"forward") == b"bidirectional" else 1
    size = call.get("hidden_size")
    return {"D": directions} | ({"H": size} if size else {})


_PER_CHANNEL = matching("B C ...", "C", "C", "C", "C")
_ROWS = matching("... N", "N")
_ONNX: Mapping[str, Check] = {
    "AffineGrid": affine_grid,
    "BatchNormalization": _PER_CHANNEL,
    "Col2Im": movement.columns_to_image,
    "Conv": convolution(1, 2),
    "ConvInteger": convolution(1, None),
    "ConvTranspose": transposed_convolution,
    "DFT": movement.complex_pairs,
    "DeformConv": deformed_convolution,
    "DepthToSpace": movement.blocks(slice(1, 2), 2),
    "GRU": recurrent,
    "GatherElements": movement.gather_elements,
    "GatherND": movement.gather_nd,
    "Gemm": gemm,
    "GroupNormalization": group_norm,
    "InstanceNormalization": _PER_CHANNEL,
    "LSTM": recurrent,
    "LayerNormalization": row_norm,
    "MaxUnpool": movement.same_shape,
    "NegativeLogLikelihoodLoss": movement.loss,
    "NonMaxSuppression": matching("B N 4", "B C N"),
    "PRelu": movement.slope,
    "QLinearConv": quantized_convolution,
    "QLinearMatMul": quantized_matmul,
    "RMSNormalization": row_norm,
    "RNN": recurrent,
    "Reshape": movement.reshape,
    "Resize": movement.scale_per_axis,
    "ReverseSequence": movement.reverse_sequence,
    "RoiAlign": matching("B C ...", "N 4", "N"),
    "Scatter": movement.scatter_elements,
    "ScatterElements": movement.scatter_elements,
    "ScatterND": movement.scatter_nd,
    "SimplifiedLayerNormalization": row_norm,
    "SoftmaxCrossEntropyLoss": movement.loss,
    "SpaceToDepth": movement.blocks(slice(2, None), 1),
    "Upsample": movement.scale_per_axis,
}
_MICROSOFT: Mapping[str, Check] = {
    "BiasAdd": matching("B T C", "C", "B T C"),
    "BiasGelu": _ROWS,
    "BiasSplitGelu": _ROWS,
    "DynamicQuantizeLSTM": quantized_lstm,
    "DynamicQuantizeMatMul": quantized_factors(1, 4),
    "EmbedLayerNormalization": matching("B T", "B T", "V N", "P N", "S N", "N", "N", "B T"),
    "FastGelu": _ROWS,
    "FusedConv": convolution(1, 2),
    "FusedGemm": gemm,
    "FusedMatMul": factors,
    "FusedMatMulActivation": factors,
    "GroupNorm": matching("B ... C", "C", "C"),
    "LayerNormalization": row_norm,
    "MatMulBnb4": few_bits_matmul,
    "MatMulIntegerToFloat": quantized_factors(1, 6),
    "MatMulNBits": few_bits_matmul,
    "NhwcConv": channels_last_convolution,
    "NhwcFusedConv": channels_last_convolution,
    "QGemm": quantized_factors(3, 6),
    "QLinearConv": quantized_convolution,
    "SimplifiedLayerNormalization": row_norm,
    "SkipLayerNormalization": matching("... T N", "... T N", "N", "N", "N"),
    "SkipSimplifiedLayerNormalization": matching("... T N", "... T N", "N", "N"),
    "TransposeMatMul": factors,
}
#: Operator -> its check.
CHECKS: Mapping[str, Check] = {
    **{f"onnx.{name}": check for name, check in _ONNX.items()},
    **{f"com.microsoft.{name}": check for name, check in _MICROSOFT.items()},
    **ATTENTION_CHECKS,
}
