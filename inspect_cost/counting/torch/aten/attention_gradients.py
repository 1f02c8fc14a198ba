"""Rules of the gradients of attention's fused kernels, with and without masked scores."""

from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.attention import (
    Masking,
    MaskOf,
    count_kept_scores,
    is_known,
)
from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import backward as formula
from inspect_cost.values.cost import FREE, OpCost


def attention(
    out: Any, gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Any, **_kw: Any
) -> OpCost:
    """Count the gradients of fused attention on (batch, heads, length, size)."""
    *heads, L, E = query.shape
    return formula.attention(prod(heads), L, key.shape[-2], E, value.shape[-1])


# --- the position of the mask among each kernel's arguments, after gradient, query, key, value ---


def cpu_mask(
    output: Tensor,
    logsumexp: Tensor,
    dropout_p: float,
    is_causal: bool,
    *,
    attn_mask: Tensor | None = None,
    **_scale: Any,
) -> Masking:
    """Read the arguments of flash attention's gradient on a CPU."""
    return Masking(attn_mask, is_causal, bool(dropout_p))


def flash_mask(
    output: Tensor,
    logsumexp: Tensor,
    cum_seq_q: Tensor | None,
    cum_seq_k: Tensor | None,
    max_q: int,
    max_k: int,
    dropout_p: float,
    is_causal: bool,
    *_rest: Any,
    **_scale: Any,
) -> Masking:
    """Read the arguments of flash attention's gradient on a GPU."""
    return Masking(None, is_causal)


def efficient_mask(
    attn_bias: Tensor | None,
    output: Tensor,
    logsumexp: Tensor,
    philox_seed: Tensor,
    philox_offset: Tensor,
    dropout_p: float,
    grad_input_mask: Any,
    is_causal: bool = False,
    **_scale: Any,
) -> Masking:
    """Read the arguments of memory-efficient attention's gradient."""
    return Masking(attn_bias, is_causal)


def cudnn_mask(
    output: Tensor,
    logsumexp: Tensor,
    philox_seed: Tensor,
    philox_offset: Tensor,
    attn_bias: Tensor | None,
    cum_seq_q: Tensor | None,
    cum_seq_k: Tensor | None,
    max_q: int,
    max_k: int,
    dropout_p: float,
    is_causal: bool,
    **_scale: Any,
) -> Masking:
    """Read the arguments of cuDNN's attention gradient."""
    return Masking(attn_bias, is_causal)


def triangular(mask_of: MaskOf) -> Rule:
    """Make the rule that leaves out masked scores, if it is known which those are."""

    def rule(
        out: Any,
        gradient: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> OpCost:
        masking = mask_of(*args, **kwargs)
        if not is_known(masking):
            return attention(out, gradient, query, key, value)
        *heads, L, E = query.shape
        scores, rows = count_kept_scores(masking, prod(heads), L, key.shape[-2])
        dropped = formula.DROPOUT * scores if masking.dropout else FREE
        return formula.masked_attention(scores, rows, E, value.shape[-1]) + dropped

    return rule


KERNELS: dict[str, MaskOf] = {
    "aten._scaled_dot_product_flash_attention_for_cpu_backward": cpu_mask,
    "aten._scaled_dot_product_flash_attention_backward": flash_mask,
    "aten._scaled_dot_product_efficient_attention_backward": efficient_mask,
    "aten._scaled_dot_product_cudnn_attention_backward": cudnn_mask,
}

ATTENTION_GRADIENTS: dict[str, Rule] = dict.fromkeys(KERNELS, attention)

#: The rules under the policy that leaves out masked scores.
TRIANGULAR_GRADIENTS: dict[str, Rule] = {
    name: triangular(mask_of) for name, mask_of in KERNELS.items()
}
