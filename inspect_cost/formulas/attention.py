"""Scaled dot-product attention (Vaswani et al. 2017, eq. 1), however a library fuses it."""

from inspect_cost.cost import FREE, OpCost
from inspect_cost.formulas.contraction import matmul
from inspect_cost.formulas.pointwise import ADD, MUL
from inspect_cost.formulas.reduction import softmax


def scaled_dot_product_attention(
    heads: int, L: int, S: int, E: int, Ev: int, *, masked: bool
) -> OpCost:
    """softmax(Q K^T / sqrt(E) + mask) V, dense: scores that a mask removes count too.

    Args:
        heads: query heads of all batch entries.
        L: queries of each head.
        S: keys of each head.
        E: size of a query.
        Ev: size of a value.
        masked: whether a mask is added, be it given or the causal one.
    """
    scores = heads * L * S
    logits = matmul(L, E, S, batch=heads) + MUL * scores + (ADD * scores if masked else FREE)
    return logits + softmax(heads * L, S) + matmul(L, S, Ev, batch=heads)
