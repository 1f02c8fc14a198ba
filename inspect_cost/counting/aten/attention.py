"""Rules of attention, in its composite form and in the fused kernels of each device."""

from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.cost import OpCost
from inspect_cost.counting.aten.rule import Rule
from inspect_cost.formulas.attention import scaled_dot_product_attention as formula


def attention(out: Any, query: Tensor, key: Tensor, *, masked: bool) -> OpCost:
    """(..., heads, L, E) queries and (..., heads, S, E) keys give (..., heads, L, Ev).

    The heads are the result's: with grouped queries keys and values have fewer, each used by
    several queries; and queries, keys and values may be broadcast over the batch.
    """
    result = out if isinstance(out, Tensor) else out[0]
    *heads, L, Ev = result.shape
    return formula(prod(heads), L, key.shape[-2], query.shape[-1], Ev, masked=masked)


def composite(
    out: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *_dropout_mask: Any,
    **_scale: Any,
) -> OpCost:
    """The operator before a kernel is chosen, and kernels whose arguments begin as its do."""
    return attention(out, query, key, masked=is_causal or attn_mask is not None)


def flash(
    out: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *_rest: Any,
    attn_mask: Tensor | None = None,
    **_kwargs: Any,
) -> OpCost:
    """Flash attention on a CPU or a GPU."""
    return attention(out, query, key, masked=is_causal or attn_mask is not None)


def with_bias(
    out: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_bias: Tensor | None,
    compute_log_sumexp: bool,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *_rest: Any,
    **_kwargs: Any,
) -> OpCost:
    """Memory-efficient and cuDNN attention on a GPU."""
    return attention(out, query, key, masked=is_causal or attn_bias is not None)


ATTENTION: dict[str, Rule] = {
    "aten.scaled_dot_product_attention": composite,
    "aten._scaled_dot_product_attention_math": composite,
    "aten._scaled_dot_product_flash_attention": flash,
    "aten._scaled_dot_product_flash_attention_for_cpu": flash,
    "aten._scaled_dot_product_efficient_attention": with_bias,
    "aten._scaled_dot_product_cudnn_attention": with_bias,
    "aten._scaled_dot_product_fused_attention_overrideable": composite,
}
