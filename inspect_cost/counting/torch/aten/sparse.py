"""Rules of sparse tensors, which compute with the entries that they store.

The number of entries is known from the tensor itself. Only the product of two sparse matrices
depends on where the entries are, and is unknown if that is.
"""

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.counting.torch.contents import count_values, is_sparse
from inspect_cost.formulas import contraction as formula
from inspect_cost.formulas.pointwise import ADD, COMPLEX_ADD
from inspect_cost.values.cost import FREE, OpCost


def product(a: Tensor, b: Tensor) -> OpCost | None:
    """Count (m, k) by (k, n) or (k): each entry of the sparse one meets a row or a column."""
    if is_sparse(a) and is_sparse(b):
        return _both_sparse(a, b)
    if is_sparse(a):
        return formula.dot_products(b.shape[-1] if b.dim() > 1 else 1, count_values(a))
    return formula.dot_products(a.shape[-2] if a.dim() > 1 else 1, count_values(b))


def _both_sparse(a: Tensor, b: Tensor) -> OpCost | None:
    """Count the pairs of entries in column i of a and in row i of b."""
    if a.is_meta or b.is_meta:
        return None
    columns = a.to_sparse_coo()._indices()[1].bincount(minlength=a.shape[1])
    rows = b.to_sparse_coo()._indices()[0].bincount(minlength=a.shape[1])
    return OpCost(macs=int(columns @ rows))


def sparse_product(out: Tensor, a: Tensor, b: Tensor) -> OpCost | None:
    """Count a product whose result may be sparse or dense."""
    return product(a, b)


def sampled_product(
    out: Tensor, sampled: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1
) -> OpCost:
    """Count (m, k) by (k, n) where a sparse matrix has entries, which are added."""
    entries = count_values(sampled)
    scaling = OpCost(mul=entries * ((alpha != 1) + (beta not in {0, 1})))
    added = ADD * entries if beta else FREE
    return formula.dot_products(entries, a.shape[-1]) + scaling + added


def coalesce(out: Tensor, x: Tensor) -> OpCost:
    """Count the additions of entries at the same position."""
    merged = count_values(x) - count_values(out)
    return (COMPLEX_ADD if x.is_complex() else ADD) * (merged if _has_fractions(x) else 0)


def _has_fractions(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()


SPARSE: dict[str, Rule] = {
    "aten._sparse_sparse_matmul": sparse_product,
    "aten.hspmm": sparse_product,
    "aten.sparse_sampled_addmm": sampled_product,
    "aten._coalesce": coalesce,
}
