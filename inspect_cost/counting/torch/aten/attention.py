"""Rules of attention, as a composite operator and as the fused kernels of each device."""

import math
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import attention as formula
from inspect_cost.formulas.pointwise import ADD, COMPARE, MUL
from inspect_cost.values.cost import FREE, OpCost


class Masking(NamedTuple):
    """What a kernel does to its scores.

    Attributes:
        mask: booleans that say which scores stay, or numbers that are added; None if there is none.
        causal: whether query i sees keys 0 to i alone.
        dropout: whether probabilities are dropped, if that is counted.
    """

    mask: Tensor | None
    causal: bool
    dropout: bool = False


#: From a kernel's arguments to what it does to its scores.
MaskOf = Callable[..., Masking]


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
) -> Masking:
    """Read the arguments of the composite operator, and of kernels with the same leading ones."""
    return Masking(attn_mask, is_causal)


def flash_mask(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *_rest: Any,
    attn_mask: Tensor | None = None,
    **_kwargs: Any,
) -> Masking:
    """Read the arguments of flash attention on a CPU or a GPU."""
    return Masking(attn_mask, is_causal)


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
) -> Masking:
    """Read the arguments of memory-efficient and cuDNN attention on a GPU."""
    return Masking(attn_bias, is_causal)


def training_mask(*args: Any, dropout_p: float = 0.0, **kwargs: Any) -> Masking:
    """Read the arguments of the kernel that a training step under a policy calls."""
    rate = args[DROPOUT_OF_FLASH] if len(args) > DROPOUT_OF_FLASH else dropout_p
    return flash_mask(*args, **kwargs)._replace(dropout=bool(rate))


DROPOUT_OF_FLASH = 3

KERNELS: dict[str, MaskOf] = {
    "aten.scaled_dot_product_attention": composite_mask,
    "aten._scaled_dot_product_attention_math": composite_mask,
    "aten._scaled_dot_product_flash_attention": flash_mask,
    "aten._scaled_dot_product_flash_attention_for_cpu": training_mask,
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
        masking = mask_of(*args, **kwargs)
        masked = masking.causal or masking.mask is not None
        return formula.scaled_dot_product_attention(heads, L, S, E, Ev, masked=masked)

    return rule


def triangular(mask_of: MaskOf) -> Rule:
    """Make the rule that leaves out masked scores, if it is known which those are.

    It is known for the causal mask, and for a mask that has values.
    """
    every_score = full(mask_of)

    def rule(out: Any, *args: Any, **kwargs: Any) -> OpCost | None:
        heads, L, S, E, Ev = attention_sizes(out, *args)
        masking = mask_of(*args, **kwargs)
        if not is_known(masking):
            return every_score(out, *args, **kwargs)
        scores, rows = count_kept_scores(masking, heads, L, S)
        each_score = (ADD if is_added(masking.mask) else FREE) + (
            COMPARE + MUL if masking.dropout else FREE
        )
        return formula.masked_attention(scores, rows, E, Ev) + each_score * scores

    return rule


def is_known(masking: Masking) -> bool:
    """Return whether there is a mask, of which it is known what it removes."""
    return masking.causal or (masking.mask is not None and not masking.mask.is_meta)


def is_added(mask: Tensor | None) -> bool:
    """Return whether a known mask holds numbers other than 0 and minus infinity.

    Booleans, and what `nn.MultiheadAttention` makes of them, only select scores.
    """
    if mask is None or not mask.is_floating_point():
        return False
    return not bool(((mask == 0) | (mask == -math.inf)).all())


def count_kept_scores(masking: Masking, heads: int, L: int, S: int) -> tuple[int, int]:
    """Count the scores that a known mask keeps, and the queries that keep at least one key."""
    mask = masking.mask
    if mask is None:
        return heads * formula.triangle(L, S), heads * min(L, L * S)
    kept = mask > -math.inf if mask.is_floating_point() else mask
    kept = kept.expand(*kept.shape[:-2], L, S)
    if not kept.numel():
        return 0, 0
    copies = heads * L * S // kept.numel()
    return copies * int(kept.sum()), copies * int(kept.any(-1).sum())


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
