"""Rules of attention, as a composite operator and as the fused kernels of each device."""

from collections.abc import Callable
from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import attention as formula
from inspect_cost.values.cost import OpCost

#: From a kernel's arguments to its mask and whether it is causal.
MaskOf = Callable[..., tuple[Tensor | None, bool]]


# --- the position of the mask among each kernel's arguments ---


def composite_mask(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *_dropout_mask: Any,
    **_scale: Any,
) -> tuple[Tensor | None, bool]:
    """Read the arguments of the composite operator, and of kernels with the same leading ones."""
    return attn_mask, is_causal


def flash_mask(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *_rest: Any,
    attn_mask: Tensor | None = None,
    **_kwargs: Any,
) -> tuple[Tensor | None, bool]:
    """Read the arguments of flash attention on a CPU or a GPU."""
    return attn_mask, is_causal


def bias_mask(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_bias: Tensor | None,
    compute_log_sumexp: bool,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *_rest: Any,
    **_kwargs: Any,
) -> tuple[Tensor | None, bool]:
    """Read the arguments of memory-efficient and cuDNN attention on a GPU."""
    return attn_bias, is_causal


KERNELS: dict[str, MaskOf] = {
    "aten.scaled_dot_product_attention": composite_mask,
    "aten._scaled_dot_product_attention_math": composite_mask,
    "aten._scaled_dot_product_flash_attention": flash_mask,
    "aten._scaled_dot_product_flash_attention_for_cpu": flash_mask,
    "aten._scaled_dot_product_efficient_attention": bias_mask,
    "aten._scaled_dot_product_cudnn_attention": bias_mask,
    "aten._scaled_dot_product_fused_attention_overrideable": composite_mask,
}


# --- rules ---


def full(mask_of: MaskOf) -> Rule:
    """Make the rule that counts all scores of (..., heads, L, E) queries, (..., heads, S, E) keys.

    The heads are those of the result, (..., heads, L, Ev): with grouped queries, keys and values
    have fewer, and queries, keys and values may be broadcast over the batch.
    """

    def rule(out: Any, *args: Any, **kwargs: Any) -> OpCost:
        heads, L, S, E, Ev = attention_sizes(out, *args)
        mask, causal = mask_of(*args, **kwargs)
        masked = causal or mask is not None
        return formula.scaled_dot_product_attention(heads, L, S, E, Ev, masked=masked)

    return rule


def triangular(mask_of: MaskOf) -> Rule:
    """Make the rule that leaves out masked scores, if it is known which those are.

    It is known for the causal mask, and for a boolean mask that has values.
    """
    every_score = full(mask_of)

    def rule(out: Any, *args: Any, **kwargs: Any) -> OpCost | None:
        heads, L, S, E, Ev = attention_sizes(out, *args)
        mask, causal = mask_of(*args, **kwargs)
        if causal:
            scores, rows = heads * formula.triangle(L, S), heads * L
        elif mask is None or mask.is_meta or mask.is_floating_point():
            return every_score(out, *args, **kwargs)
        else:
            kept = mask.expand(*mask.shape[:-2], L, S)
            copies = heads * L * S // max(1, kept.numel())
            scores, rows = copies * int(kept.sum()), copies * int(kept.any(-1).sum())
        return formula.masked_attention(scores, rows, E, Ev)

    return rule


def attention_sizes(
    out: Any, query: Tensor, key: Tensor, *_rest: Any
) -> tuple[int, int, int, int, int]:
    """Return the number of heads, queries and keys of each, and sizes of a query and a value."""
    result = out if isinstance(out, Tensor) else out[0]
    *heads, L, Ev = result.shape
    return prod(heads), L, key.shape[-2], query.shape[-1], Ev


ATTENTION: dict[str, Rule] = {name: full(mask_of) for name, mask_of in KERNELS.items()}

#: The rules under the policy that leaves out masked scores.
TRIANGULAR: dict[str, Rule] = {name: triangular(mask_of) for name, mask_of in KERNELS.items()}
