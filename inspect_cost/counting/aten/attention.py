"""Rules of attention, in its composite form and in the fused kernels of each device."""

from typing import Any

from torch import Tensor

from inspect_cost.cost import OpCost
from inspect_cost.counting.aten.rule import Rule
from inspect_cost.formulas.attention import scaled_dot_product_attention as formula


def attention(query: Tensor, key: Tensor, value: Tensor, *, masked: bool) -> OpCost:
    """(..., heads, L, E) queries, (..., heads, S, E) keys, (..., heads, S, Ev) values.

    With grouped queries, keys and values have fewer heads, each used by several queries.
    """
    *heads, L, E = query.shape
    count = 1
    for h in heads:
        count *= h
    return formula(count, L, key.shape[-2], E, value.shape[-1], masked=masked)


def composite(
    out: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **_scale: Any,
) -> OpCost:
    """The operator that `scaled_dot_product_attention` is before a kernel is chosen."""
    return attention(query, key, value, masked=is_causal or attn_mask is not None)


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
    return attention(query, key, value, masked=is_causal or attn_mask is not None)


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
    return attention(query, key, value, masked=is_causal or attn_bias is not None)


ATTENTION: dict[str, Rule] = {
    "aten.scaled_dot_product_attention": composite,
    "aten._scaled_dot_product_attention_math": composite,
    "aten._scaled_dot_product_flash_attention": flash,
    "aten._scaled_dot_product_flash_attention_for_cpu": flash,
    "aten._scaled_dot_product_efficient_attention": with_bias,
    "aten._scaled_dot_product_cudnn_attention": with_bias,
    "aten._scaled_dot_product_fused_attention_overrideable": with_bias,
}
