"""Result shapes of operators that ONNX's own inference does not know or gets wrong.

Most of them are written by onnxruntime's optimiser.
"""

from collections.abc import Callable, Sequence

from onnx import NodeProto, TensorProto, helper

from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.fused_layouts import LAYOUT_SHAPES
from inspect_cost.counting.onnx.value import UnknownShapeError, Value, make_like

Results = Sequence[Value | None]
_FLOAT = TensorProto.FLOAT


def like_first(call: NodeCall) -> Results:
    """Return the first operand's type and shape, for every result."""
    return [make_like(call.x, call.x.shape)] * len(call.node.output)


def transpose_factor(call: NodeCall, index: int, letter: str) -> list[int]:
    """Return the shape of a factor after the transpositions that the attributes ask for.

    `transBatch` moves the first axis behind the batch axes; `trans` swaps the last two.
    """
    sizes = list(call.operand(index).sizes)
    if call.get(f"transBatch{letter}", 0):
        sizes = [*sizes[1:-1], sizes[0], sizes[-1]]
    if call.get(f"trans{letter}", 0):
        sizes[-2:] = sizes[:-3:-1]
    return sizes


def matmul(call: NodeCall) -> Results:
    """Return (..., m, k) @ (..., k, n), either transposed if its attributes say so."""
    a, b = transpose_factor(call, 0, "A"), transpose_factor(call, 1, "B")
    return [make_like(call.x, (*broadcast(a[:-2], b[:-2]), a[-2], b[-1]))]


def float_matmul(call: NodeCall) -> Results:
    """Return the product of integers as floats."""
    product = matmul(call)[0]
    return [Value(_FLOAT, product.shape if product else None)]


def broadcast(a: Sequence[int], b: Sequence[int]) -> list[int]:
    """Return the shape that two shapes broadcast to; a ValueError if they do not."""
    longest = max(len(a), len(b))
    padded = [[1] * (longest - len(s)) + list(s) for s in (a, b)]
    if any(m != n and 1 not in {m, n} for m, n in zip(*padded, strict=True)):
        raise ValueError(f"{tuple(a)} and {tuple(b)} do not broadcast")
    return [n if m == 1 else m for m, n in zip(*padded, strict=True)]


def matmul_n_bits(call: NodeCall) -> Results:
    """Return (..., N) for (..., K)."""
    return [make_like(call.x, (*call.x.sizes[:-1], call.get("N")))]


def gather_blocks(call: NodeCall) -> Results:
    """Return the rows at some indices of a table of few bits, as floats; bytes hold several."""
    table, indices = call.x, call.operand(1).sizes
    per_element = 8 // call.get("bits", 4) if table.dtype == TensorProto.UINT8 else 1
    sizes = [*table.sizes[:-1], table.sizes[-1] * per_element]
    axis = call.get("gather_axis", 0) % len(sizes)
    return [Value(call.operand(2).dtype, (*sizes[:axis], *indices, *sizes[axis + 1 :]))]


def quantized_gemm(call: NodeCall) -> Results:
    """Return (m, k) @ (k, n), as integers if the result has a scale, else as floats."""
    a, b = call.x.sizes, call.operand(3).sizes
    m, n = a[1 if call.get("transA", 0) else 0], b[0 if call.get("transB", 0) else 1]
    return [Value(call.x.dtype if call.has(7) else _FLOAT, (m, n))]


def quantized_pointwise(call: NodeCall) -> Results:
    """Return the broadcast of x and y; operands: x, scale, zero, y, scale, zero."""
    shape = broadcast(call.x.sizes, call.operand(3).sizes)
    return [make_like(call.x, tuple(shape))]


def quantized_choice(call: NodeCall) -> Results:
    """Return the broadcast of a condition, x and y; each of the latter has a scale and a zero."""
    choices = broadcast(call.operand(1).sizes, call.operand(4).sizes)
    return [make_like(call.operand(1), tuple(broadcast(call.x.sizes, choices)))]


def quantized_lstm(call: NodeCall) -> Results:
    """Return all states (T, directions, B, H), the last hidden state and the last cell state."""
    T, B, _inputs = call.x.sizes
    directions, H, _gates = call.operand(2).sizes
    last = make_like(call.x, (directions, B, H))
    return [make_like(call.x, (T, directions, B, H)), last, last]


def quantized_concat(call: NodeCall) -> Results:
    """Return the concatenation; operands: scale, zero, then each part with its scale and zero."""
    parts = [call.operand(i).sizes for i in range(2, len(call.inputs), 3)]
    axis = call.get("axis") % len(parts[0])
    length = sum(part[axis] for part in parts)
    return [make_like(call.operand(2), (*parts[0][:axis], length, *parts[0][axis + 1 :]))]


def dequantize(call: NodeCall) -> Results:
    """Return floats of the scale's type."""
    return [Value(call.operand(1).dtype, call.x.sizes)]


def quantize(call: NodeCall) -> Results:
    """Return integers of the zero point's type."""
    zero = call.optional(2)
    return [Value(zero.dtype if zero else TensorProto.UINT8, call.x.sizes)]


def layer_norm(call: NodeCall) -> Results:
    """Return the normalised tensor and two statistics per row."""
    axis = call.get("axis", -1) % len(call.x.sizes)
    kept = call.x.sizes[:axis]
    statistics = Value(_FLOAT, (*kept, *[1] * (len(call.x.sizes) - axis)))
    return [make_like(call.x, call.x.sizes), statistics, statistics]


def skip_norm(call: NodeCall) -> Results:
    """Return the normalised tensor, two statistics per row, and the sum before normalisation."""
    statistics = Value(_FLOAT, (*call.x.sizes[:-1], 1))
    return [
        make_like(call.x, call.x.sizes),
        statistics,
        statistics,
        make_like(call.x, call.x.sizes),
    ]


def embed_norm(call: NodeCall) -> Results:
    """Return embeddings (B, S, D), each sequence's length, and the sum before normalisation."""
    table = call.operand(2)
    shape = (*call.x.sizes, table.sizes[1])
    lengths = Value(TensorProto.INT32, call.x.sizes[:1])
    return [make_like(table, shape), lengths, make_like(table, shape)]


def packed_attention(call: NodeCall) -> Results:
    """Return (B, L, v_size), and the keys and values of past and present."""
    B, L, _width = call.x.sizes
    sizes = call.get("qkv_hidden_sizes") or [call.operand(1).sizes[1] // 3] * 3
    heads, past = (
        call.get("num_heads"),
        call.optional(8 if call.node.op_type == "QAttention" else 4),
    )
    S = L + (past.sizes[3] if past else 0)
    dtype = call.operand(3).dtype if call.node.op_type == "QAttention" else call.x.dtype
    present = Value(dtype, (2, B, heads, S, sizes[0] // heads))
    return [Value(dtype, (B, L, sizes[2])), present]


def multi_head_attention(call: NodeCall) -> Results:
    """Return (B, L, heads x v_size), and the keys and values of past and present."""
    q, heads, value = call.x.sizes, call.get("num_heads"), call.optional(2)
    key, past = call.optional(1), call.optional(6)
    E = q[-1] if len(q) > 3 else q[-1] // heads  # noqa: PLR2004 - dimensions
    v = value.sizes if value else (q[0], q[1], heads * E)
    width = v[1] * v[3] if len(v) == 4 else v[2]  # noqa: PLR2004 - (B, heads, S, size)
    S = (key.sizes[2 if len(key.sizes) == 4 else 1] if key else q[1]) + (  # noqa: PLR2004 - same
        past.sizes[2] if past else 0
    )
    present = make_like(call.x, (q[0], heads, S, width // heads))
    return [make_like(call.x, (q[0], q[1], width)), present, present]


def grouped_query_attention(call: NodeCall) -> Results:
    """Return (B, L, heads x size), keys and values at least as long as the past, and scores."""
    B, L, width = call.x.sizes
    heads, kv_heads = call.get("num_heads"), call.get("kv_num_heads")
    E = width // heads if call.has(1) else width // (heads + 2 * kv_heads)
    past, total = call.optional(3), call.optional(6)
    before = past.sizes[2] if past else 0
    stated = total.scalar if total else None
    S = max(before, int(stated)) if stated else before + L
    present = make_like(call.x, (B, kv_heads, S, E))
    scores = make_like(call.x, (B, heads, L, int(stated) if stated else S))
    return [make_like(call.x, (B, L, heads * E)), present, present, scores]


def expand_dims(call: NodeCall) -> Results:
    """Return the first operand with an axis of size 1 at a position."""
    position, sizes = call.operand(1).scalar, list(call.x.sizes)
    if position is None:
        raise UnknownShapeError(f"the axis that {call.label} adds depends on values")
    sizes.insert(int(position) % (len(sizes) + 1), 1)
    return [make_like(call.x, tuple(sizes))]


def first_like_first(call: NodeCall) -> Results:
    """Return the first operand's type and shape for the first result only."""
    return [make_like(call.x, call.x.sizes)]


def halve(call: NodeCall) -> Results:
    """Return half of the last dimension: one half of x + bias gates the other."""
    return [make_like(call.x, (*call.x.sizes[:-1], call.x.sizes[-1] // 2))]


def _rename_to(op_type: str, inputs: int | None = None) -> Callable[[NodeProto], NodeProto]:
    """Return a function that turns a fused node into one of ONNX's, with its first inputs only."""

    def rename(node: NodeProto) -> NodeProto:
        plain = NodeProto()
        plain.CopyFrom(node)
        plain.domain, plain.op_type = "", op_type
        if inputs is not None:
            del plain.input[inputs:]
        kept = [a for a in node.attribute if not a.name.startswith(("activation", "dtype"))]
        del plain.attribute[:]
        plain.attribute.extend(kept)
        return plain

    return rename


def _state_onesided(node: NodeProto) -> NodeProto:
    """Return an STFT that states its default: ONNX's inference assumes that it is two-sided."""
    stated = NodeProto()
    stated.CopyFrom(node)
    if not any(attribute.name == "onesided" for attribute in node.attribute):
        stated.attribute.append(helper.make_attribute("onesided", 1))
    return stated


def _drop_output_padding(node: NodeProto) -> NodeProto:
    """Return a ConvTranspose without output padding if its padding makes inputs x stride of it.

    ONNX's inference adds it, against the operator's definition.
    """
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    same = attributes.get("auto_pad", b"NOTSET") in {b"SAME_UPPER", b"SAME_LOWER"}
    if not same or "output_shape" in attributes:
        return node
    plain = NodeProto()
    plain.CopyFrom(node)
    del plain.attribute[:]
    plain.attribute.extend(a for a in node.attribute if a.name != "output_padding")
    return plain


#: Version of ONNX's operators that onnxruntime's fused ones take after, whatever the file's opset.
MODEL_VERSION = 17
#: Operator -> function to a node of ONNX whose result has the same shape.
AS_STANDARD: dict[str, Callable[[NodeProto], NodeProto]] = {
    "onnx.ConvTranspose": _drop_output_padding,
    "onnx.GreaterOrEqual": _rename_to("Greater"),  # ONNX infers nothing before version 16
    "onnx.LessOrEqual": _rename_to("Less"),
    "onnx.STFT": _state_onesided,
    "com.microsoft.FusedConv": _rename_to("Conv", 3),
    "com.microsoft.FusedGemm": _rename_to("Gemm"),
    "com.microsoft.GatherND": _rename_to("GatherND"),
    "com.microsoft.GemmFloat8": _rename_to("Gemm", 3),
    "com.microsoft.GridSample": _rename_to("GridSample"),
    "com.microsoft.Range": _rename_to("Range"),
    "com.microsoft.Trilu": _rename_to("Trilu"),
    "com.microsoft.nchwc.Conv": _rename_to("Conv", 3),
    "com.microsoft.nchwc.MaxPool": _rename_to("MaxPool"),
    "com.microsoft.nchwc.AveragePool": _rename_to("AveragePool"),
    "com.microsoft.nchwc.GlobalMaxPool": _rename_to("GlobalMaxPool"),
    "com.microsoft.nchwc.GlobalAveragePool": _rename_to("GlobalAveragePool"),
}

FUSED_SHAPES: dict[str, Callable[[NodeCall], Results]] = {
    "onnx.GroupNormalization": like_first,
    "onnx.LayerNormalization": layer_norm,  # onnxruntime writes it into older opsets too
    "onnx.MeanVarianceNormalization": like_first,
    "onnx.SimplifiedLayerNormalization": skip_norm,
    "com.microsoft.ExpandDims": expand_dims,
    "com.microsoft.FusedMatMul": matmul,
    "com.microsoft.FusedMatMulActivation": matmul,
    "com.microsoft.TransposeMatMul": matmul,
    "com.microsoft.MatMulIntegerToFloat": float_matmul,
    "com.microsoft.DynamicQuantizeMatMul": float_matmul,
    "com.microsoft.GatherBlockQuantized": gather_blocks,
    "com.microsoft.MatMulBnb4": matmul_n_bits,
    "com.microsoft.MatMulNBits": matmul_n_bits,
    "com.microsoft.QGemm": quantized_gemm,
    "com.microsoft.QLinearAdd": quantized_pointwise,
    "com.microsoft.QLinearMul": quantized_pointwise,
    "com.microsoft.QLinearConcat": quantized_concat,
    "com.microsoft.QLinearWhere": quantized_choice,
    "com.microsoft.DynamicQuantizeLSTM": quantized_lstm,
    "com.microsoft.DequantizeLinear": dequantize,
    "com.microsoft.QuantizeLinear": quantize,
    "com.microsoft.SkipLayerNormalization": skip_norm,
    "com.microsoft.SkipSimplifiedLayerNormalization": skip_norm,
    "com.microsoft.LayerNormalization": layer_norm,
    "com.microsoft.SimplifiedLayerNormalization": skip_norm,
    "com.microsoft.EmbedLayerNormalization": embed_norm,
    "com.microsoft.Attention": packed_attention,
    "com.microsoft.QAttention": packed_attention,
    "com.microsoft.MultiHeadAttention": multi_head_attention,
    "com.microsoft.GroupQueryAttention": grouped_query_attention,
    "com.microsoft.BiasSplitGelu": halve,
}
_LIKE_FIRST = """
    Gelu BiasGelu FastGelu QuickGelu BiasAdd RotaryEmbedding GroupNorm QLinearSigmoid
    QLinearLeakyRelu QLinearSoftmax
"""
#: Operators without a rule whose first result is like their first operand.
_KEEPING_SHAPE = """
    BiasDropout BiasSoftmax BitmaskBiasDropout BitmaskDropout BranchwiseRMSNorm GatedAdd
    GatedRMSNorm Inverse LongformerAttention MoE MoEPacked MRotaryEmbedding QMoE QOrderedGelu
    QOrderedLayerNormalization QOrderedLongformerAttention ScaledSiLU SkipGroupNorm SwiGLU
"""
FUSED_SHAPES |= LAYOUT_SHAPES
FUSED_SHAPES |= {f"com.microsoft.{name}": first_like_first for name in _KEEPING_SHAPE.split()}
FUSED_SHAPES |= {f"com.microsoft.{name}": like_first for name in _LIKE_FIRST.split()}
