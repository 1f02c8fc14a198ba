"""Rules of operators that fuse several layers: each costs what its layers cost one by one."""

from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas.attention import scaled_dot_product_attention
from inspect_cost.formulas.contraction import bias, linear
from inspect_cost.formulas.normalization import layer_norm
from inspect_cost.formulas.pointwise import ADD, GELU_ERF, GELU_TANH, RELU
from inspect_cost.formulas.reduction import mean
from inspect_cost.values.cost import FREE, OpCost


def multi_head_attention(
    out: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim: int,
    num_head: int,
    qkv_weight: Tensor,
    qkv_bias: Tensor,
    proj_weight: Tensor,
    proj_bias: Tensor,
    mask: Tensor | None = None,
    need_weights: bool = True,
    average_attn_weights: bool = True,
    mask_type: int | None = None,
) -> OpCost:
    """Count `nn.MultiheadAttention` at inference, from (B, L, E) to (B, S, E).

    If the weights are needed, it scales queries instead of scores, and averages over the heads.
    """
    B, L, E = query.shape
    S = key.shape[1]
    spent = _attention(B, L, S, E, num_head, masked=mask is not None)
    if not need_weights:
        return spent
    scaled_before = OpCost(mul=B * L * E - B * num_head * L * S)
    return spent + scaled_before + (mean(B * L * S, num_head) if average_attn_weights else FREE)


def _attention(B: int, L: int, S: int, E: int, heads: int, *, masked: bool) -> OpCost:
    """Count projections of queries, keys and values, attention, and the output projection."""
    projections = 2 * linear(B * L, E, E, biased=True) + 2 * linear(B * S, E, E, biased=True)
    head = E // heads
    return projections + scaled_dot_product_attention(B * heads, L, S, head, head, masked=masked)


def encoder_layer(
    out: Tensor,
    x: Tensor,
    embed_dim: int,
    num_heads: int,
    qkv_weight: Tensor,
    qkv_bias: Tensor,
    proj_weight: Tensor,
    proj_bias: Tensor,
    use_gelu: bool,
    norm_first: bool,
    eps: float,
    *weights_and_mask: Any,
) -> OpCost:
    """Count `nn.TransformerEncoderLayer` at inference: two norms, attention, two linear layers."""
    B, L, E = x.shape
    # After eps: gain and offset of two norms, weight and bias of two layers, then the mask.
    inner: int = weights_and_mask[4].shape[0]
    mask = weights_and_mask[8] if len(weights_and_mask) > 8 else None  # noqa: PLR2004
    block = _attention(B, L, L, E, num_heads, masked=mask is not None)
    hidden = linear(B * L, E, inner, biased=True) + (GELU_ERF if use_gelu else RELU) * (
        B * L * inner
    )
    residuals_and_norms = 2 * (ADD * (B * L * E) + layer_norm(B * L, E, scaled=True, shifted=True))
    return block + hidden + linear(B * L, inner, E, biased=True) + residuals_and_norms


def product_with_activation(
    out: Tensor,
    added: Tensor,
    a: Tensor,
    b: Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
    use_gelu: bool = False,
) -> OpCost:
    """Count a linear layer, then ReLU or GELU by tanh."""
    activation = GELU_TANH if use_gelu else RELU
    return linear(a.shape[0], a.shape[1], b.shape[1], biased=True) + activation * out.numel()


def bias_and_rescale(
    out: tuple[Tensor, ...], qkv: Tensor, qkv_bias: Tensor, num_heads: int
) -> OpCost:
    """Count the biases of queries, keys and values, and the scaling of queries."""
    return bias(qkv.numel()) + OpCost(mul=qkv.numel() // 3)


FUSED: dict[str, Rule] = {
    "aten._native_multi_head_attention": multi_head_attention,
    "aten._transformer_encoder_layer_fwd": encoder_layer,
    "aten._addmm_activation": product_with_activation,
    "aten._transform_bias_rescale_qkv": bias_and_rescale,
}
