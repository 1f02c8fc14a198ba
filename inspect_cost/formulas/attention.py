"""Scaled dot-product attention (Vaswani et al. 2017, eq. 1), however a library fuses it."""

from inspect_cost.formulas.contraction import dot_products, matmul
from inspect_cost.formulas.pointwise import ADD, MUL
from inspect_cost.formulas.reduction import ragged_softmax, softmax
from inspect_cost.values.cost import FREE, OpCost


def scaled_dot_product_attention(
    heads: int, L: int, S: int, E: int, Ev: int, *, masked: bool
) -> OpCost:
    """`softmax(Q K^T / sqrt(E) + mask) V`, dense: scores that a mask removes count too.

    Args:
        heads: query heads of all batch entries.
        L: queries of each head.
        S: keys of each head.
        E: size of a query.
        Ev: size of a value.
        masked: whether a mask is added, given or causal.
    """
    scores = heads * L * S
    logits = matmul(L, E, S, batch=heads) + MUL * scores + (ADD * scores if masked else FREE)
    return logits + softmax(heads * L, S) + matmul(L, S, Ev, batch=heads)


def masked_attention(scores: int, rows: int, E: int, Ev: int) -> OpCost:
    """Attention that computes only the scores that a mask keeps; no mask is then added to them.

    Args:
        scores: kept scores of all heads and queries.
        rows: queries of all heads that keep at least one key.
        E: size of a query.
        Ev: size of a value.
    """
    logits = dot_products(scores, E) + MUL * scores
    return logits + ragged_softmax(rows, scores) + dot_products(scores, Ev)


def triangle(L: int, S: int) -> int:
    """Scores of L queries over S keys, where query i sees keys 0 to i."""
    n = min(L, S)
    return n * (n + 1) // 2 + (L - n) * S
