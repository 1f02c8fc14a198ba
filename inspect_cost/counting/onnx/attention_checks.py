"""Checks of attention: heads, sizes and lengths of queries, keys, values, pasts and masks."""

from collections.abc import Callable, Mapping

from inspect_cost.counting.onnx.attention import HEADS_APART
from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.patterns import broadcasts_to, match_operands


def _demand_whole_groups(heads: int, kv_heads: int) -> None:
    if not kv_heads or heads % kv_heads:
        raise ValueError(f"{heads} heads of queries do not share {kv_heads} of keys")


def attention(call: NodeCall) -> None:
    """Check Attention: Q, K, V, mask, past K, past V."""
    q, k = call.x.sizes, call.operand(1).sizes
    if len(q) == HEADS_APART:
        heads, kv_heads = q[1], k[1]
        patterns = ("B H L E", "B G S E", "B G S V")
        bound: dict[str, int] = {}
    else:
        heads, kv_heads = call.get("q_num_heads"), call.get("kv_num_heads")
        patterns = (f"B L {heads}E", f"B S {kv_heads}E", f"B S {kv_heads}V")
        bound = {"G": kv_heads}
    match_operands((*patterns, "", "B G P E", "B G P V"), call.inputs, bound)
    _demand_whole_groups(heads, kv_heads)
    past = call.optional(4)
    P = past.sizes[2] if past else 0
    _check_mask(call, (q[0], heads, q[-2], k[-2] + P))


def _check_mask(call: NodeCall, scores: tuple[int, ...]) -> None:
    """Check that a mask broadcasts to the scores; it may leave out the last keys."""
    mask = call.optional(3)
    if mask is None or not mask.sizes:
        return
    full = (*mask.sizes[:-1], max(mask.sizes[-1], scores[-1]))
    if not broadcasts_to(full, scores) and not broadcasts_to(mask.sizes, scores):
        raise ValueError(f"its mask {mask.sizes} does not broadcast to {scores}")


def packed_attention(call: NodeCall) -> None:
    """Check com.microsoft.Attention and QAttention: x, joint weight, bias."""
    heads = call.get("num_heads")
    match_operands(("B L D", "D W", "W"), call.inputs, {})
    hidden = call.get("qkv_hidden_sizes")
    width = call.operand(1).sizes[1]
    if (sum(hidden) if hidden else width // 3 * 3) != width:
        raise ValueError(f"a weight of {width} columns is not of queries, keys and values")
    if any(size % heads for size in hidden or [width // 3]):
        raise ValueError(f"{width} columns are not in {heads} heads")


def multi_head_attention(call: NodeCall) -> None:
    """Check com.microsoft.MultiHeadAttention with queries, keys and values apart."""
    heads, value = call.get("num_heads"), call.optional(2)
    if len(call.x.sizes) != 3 or value is None:  # noqa: PLR2004 - other forms are packed
        return
    if len(value.sizes) == HEADS_APART:
        patterns = (f"B L {heads}E", f"B {heads} S E", f"B {heads} S V")
    else:
        patterns = (f"B L {heads}E", f"B S {heads}E", f"B S {heads}V")
    match_operands((*patterns, "", "", "", f"B {heads} P E", f"B {heads} P V"), call.inputs, {})


def grouped_query_attention(call: NodeCall) -> None:
    """Check com.microsoft.GroupQueryAttention: Q, K, V, past K, past V."""
    heads, kv_heads = call.get("num_heads"), call.get("kv_num_heads")
    _demand_whole_groups(heads, kv_heads)
    q = heads if call.has(1) else heads + 2 * kv_heads
    keys = f"B L {kv_heads}E"
    past = f"B {kv_heads} P E"
    match_operands((f"B L {q}E", keys, keys, past, past, "B"), call.inputs, {})


def rotary_embedding(call: NodeCall) -> None:
    """Check onnx.RotaryEmbedding: x, cosines, sines, positions."""
    cosines, sines, positions = call.operand(1).sizes, call.operand(2).sizes, call.optional(3)
    if cosines != sines:
        raise ValueError(f"{cosines} cosines do not fit {sines} sines")
    apart = len(call.x.sizes) == HEADS_APART
    heads = call.get("num_heads", 0)
    if not apart and heads and call.x.sizes[-1] % heads:
        raise ValueError(f"{call.x.sizes[-1]} numbers are not in {heads} heads")
    rotated = call.get("rotary_embedding_dim", 0)
    size = call.x.sizes[-1] if apart or not heads else call.x.sizes[-1] // heads
    wanted = (rotated or size) // 2
    if cosines[-1] != wanted:
        raise ValueError(f"{cosines[-1]} angles do not rotate {2 * wanted} numbers")
    x = "B * T *" if apart else "B T *"
    table = "P R" if positions else "B T R"
    match_operands((x, table, table, "B T"), call.inputs, {})


ATTENTION_CHECKS: Mapping[str, Callable[[NodeCall], None]] = {
    "onnx.Attention": attention,
    "onnx.RotaryEmbedding": rotary_embedding,
    "com.microsoft.Attention": packed_attention,
    "com.microsoft.GroupQueryAttention": grouped_query_attention,
    "com.microsoft.MultiHeadAttention": multi_head_attention,
    "com.microsoft.QAttention": packed_attention,
}
