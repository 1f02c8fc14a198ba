"""Rules for attention, in ONNX's form and in the forms that onnxruntime fuses."""

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.formulas import contraction
from inspect_cost.formulas.attention import scaled_dot_product_attention as formula
from inspect_cost.formulas.pointwise import DIV, MUL, ROTATION, SPECIAL
from inspect_cost.formulas.quantization import RESCALE
from inspect_cost.values.cost import FREE, OpCost

HEADS_APART = 4  # dimensions of (B, heads, T, size), as against (B, T, heads x size)


def attention(call: NodeCall) -> OpCost | None:
    """Count `Attention`: Q, K, V, mask, past K, past V; 4-D, or 3-D with the heads side by side."""
    q, k, v = (call.operand(i).sizes for i in range(3))
    kv_heads: int = call.get("kv_num_heads")
    past = call.optional(4)
    heads: int = q[1] if len(q) == HEADS_APART else call.get("q_num_heads")
    if len(q) == HEADS_APART:
        L, E, S, Ev = q[2], q[3], k[2], v[3]
    else:
        L, E, S, Ev = q[1], q[2] // heads, k[1], v[2] // kv_heads
    S += past.sizes[2] if past else 0
    masked = call.has(3) or bool(call.get("is_causal", 0))
    capped = (DIV + SPECIAL + MUL) * (q[0] * heads * L * S * bool(call.get("softcap", 0.0)))
    return formula(q[0] * heads, L, S, E, Ev, masked=masked) + capped


def packed_attention(call: NodeCall) -> OpCost | None:
    """Count com.microsoft.Attention: x, joint weight of Q, K and V, bias, mask, past, score bias.

    Past keys and values are one tensor of (2, B, heads, P, size).
    """
    B, L, D = call.x.sizes
    weight = call.operand(1).sizes
    heads: int = call.get("num_heads")
    hidden: list[int] = call.get("qkv_hidden_sizes") or [weight[1] // 3] * 3
    q_size, v_size = hidden[0], hidden[2]
    past = call.optional(4)
    S = L + (past.sizes[3] if past else 0)
    projected = contraction.linear(B * L, D, weight[1], biased=call.has(2))
    masked = call.has(3) or call.has(5) or bool(call.get("unidirectional", 0))
    rotated = ROTATION * (2 * B * L * q_size * bool(call.get("do_rotary", 0)))
    core = formula(B * heads, L, S, q_size // heads, v_size // heads, masked=masked)
    return projected + rotated + core


def multi_head_attention(call: NodeCall) -> OpCost | None:
    """Count com.microsoft.MultiHeadAttention: Q, K, V, bias, padding, score bias, past K, past V.

    K and V may be (B, heads, S, size), packed with Q as (B, L, heads, 3, size), or both in K.
    """
    q, heads = call.x.sizes, call.get("num_heads")
    key, value, past = call.optional(1), call.optional(2), call.optional(6)
    B, L = q[0], q[1]
    E = q[-1] if len(q) > 3 else q[-1] // heads  # noqa: PLR2004 - dimensions
    S, Ev = (key.sizes[2 if len(key.sizes) == HEADS_APART else 1] if key else L), E
    if value:
        Ev = value.sizes[3] if len(value.sizes) == HEADS_APART else value.sizes[2] // heads
    S += past.sizes[2] if past else 0
    biased = contraction.bias(B * heads * (L * E + S * (E + Ev))) if call.has(3) else FREE
    masked = call.has(4) or call.has(5) or bool(call.get("unidirectional", 0))
    return biased + formula(B * heads, L, S, E, Ev, masked=masked)


def grouped_query_attention(call: NodeCall) -> OpCost | None:
    """Count com.microsoft.GroupQueryAttention, which is causal.

    Operands: Q, K, V, past K, past V, lengths, total length. Q may hold K and V too. The past is
    either a buffer with room for the whole sequence or just the steps so far.
    """
    heads: int = call.get("num_heads")
    kv_heads: int = call.get("kv_num_heads")
    B, L, width = call.x.sizes
    E = width // heads if call.has(1) else width // (heads + 2 * kv_heads)
    past, total = call.optional(3), call.optional(6)
    stated = total.scalar if total else None
    S = int(stated) if stated else L + (past.sizes[2] if past else 0)
    rotated = ROTATION * (B * L * (heads + kv_heads) * E * bool(call.get("do_rotary", 0)))
    capped = (DIV + SPECIAL + MUL) * (B * heads * L * S * bool(call.get("softcap", 0.0)))
    return rotated + formula(B * heads, L, S, E, E, masked=True) + capped


def quantized_attention(call: NodeCall) -> OpCost | None:
    """Count com.microsoft.QAttention: integer x and weight, bias, scales, mask, zeros, past."""
    B, L, D = call.x.sizes
    width, heads = call.operand(1).sizes[1], call.get("num_heads")
    past = call.optional(8)
    S, E = L + (past.sizes[3] if past else 0), width // 3 // heads
    scaling = RESCALE * (B * L * width)
    masked = call.has(5) or bool(call.get("unidirectional", 0))
    projected = contraction.linear(B * L, D, width, biased=True) + scaling
    return projected + formula(B * heads, L, S, E, E, masked=masked)


ATTENTION: dict[str, Rule] = {
    "onnx.Attention": attention,
    "com.microsoft.Attention": packed_attention,
    "com.microsoft.MultiHeadAttention": multi_head_attention,
    "com.microsoft.GroupQueryAttention": grouped_query_attention,
    "com.microsoft.QAttention": quantized_attention,
}
