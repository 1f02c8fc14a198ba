"""Rules of matrix products and convolutions of real, complex and integer numbers.

A product of complex numbers takes four real MACs, and a bias two real additions. MACs of integers
(quantised layers) are MACs.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.counting.torch.aten.sparse import product
from inspect_cost.counting.torch.contents import count_values, is_sparse
from inspect_cost.formulas import contraction as formula
from inspect_cost.formulas.pointwise import ADD, COMPLEX_MUL, MUL
from inspect_cost.values.cost import FREE, OpCost


def matmul(out: Tensor, a: Tensor, b: Tensor) -> OpCost | None:
    """Count `(..., m, k) @ (..., k, n)`, either of which may be a vector: k MACs a result."""
    if is_sparse(a) or is_sparse(b):
        return product(a, b)
    return formula.dot_products(out.numel(), a.shape[-1])


def addmm(
    out: Tensor, added: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1
) -> OpCost | None:
    """Count `beta * added + alpha * (a @ b)`."""
    products = matmul(out, a, b)
    return products and _scaled_sum(out, added, products, beta, alpha)


def _scaled_sum(out: Tensor, added: Tensor, products: OpCost, beta: float, alpha: float) -> OpCost:
    """Count `beta * added + alpha * products`; factors of 1 are free, a beta of 0 adds nothing."""
    scaling = MUL * (
        (out.numel() if abs(alpha) != 1 else 0) + (added.numel() if beta not in (0, 1) else 0)
    )
    return products + scaling + (ADD * out.numel() if beta else FREE)


def reduced_bmm(
    out: Tensor, added: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1
) -> OpCost:
    """Count `beta * added + alpha * sum(a @ b)` over a batch; the sum is in the contraction."""
    products = OpCost(macs=out.numel() * a.shape[-1] * a.shape[0])
    return _scaled_sum(out, added, products, beta, alpha)


def outer(out: Tensor, a: Tensor, b: Tensor) -> OpCost:
    """Count one product a result; nothing is accumulated."""
    return (COMPLEX_MUL if out.is_complex() else MUL) * out.numel()


def addr(
    out: Tensor, added: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1
) -> OpCost:
    """Count `beta * added + alpha * outer(a, b)`."""
    return _scaled_sum(out, added, outer(out, a, b), beta, alpha)


def linear(out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> OpCost:
    """Count (..., inputs) by a weight of (outputs, inputs), or (inputs) for a single output."""
    rows = prod(x.shape[:-1])
    products = formula.dot_products(rows, count_values(weight))
    return products if bias is None else products + formula.bias(out.numel())


def bilinear(
    out: Tensor, a: Tensor, b: Tensor, weight: Tensor, bias: Tensor | None = None
) -> OpCost:
    """Count `a W b` for each output as torch multiplies it: `a W`, then its product with b."""
    products = formula.dot_products(out.numel(), weight[0].numel() + b.shape[-1])
    return products if bias is None else products + formula.bias(out.numel())


def trilinear(
    out: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    expand_a: Sequence[int],
    expand_b: Sequence[int],
    expand_c: Sequence[int],
    summed: Sequence[int],
    unroll_dim: int = 1,
) -> OpCost:
    """Count sums of products of three tensors: of the first two, then with the third.

    A tensor lacks the dimensions that it is expanded along. What is summed but absent from the
    third is summed first.
    """
    sizes = _sizes_of_dimensions((a, expand_a), (b, expand_b), (c, expand_c))
    absent = [set(expand) for expand in (expand_a, expand_b, expand_c)]
    in_pair = sizes.keys() - (absent[0] & absent[1])
    left = in_pair - (set(summed) & absent[2])
    first = prod(sizes[d] for d in in_pair)
    second = prod(sizes[d] for d in left | (sizes.keys() - absent[2]))
    return OpCost(macs=first + second)


def _sizes_of_dimensions(*operands: tuple[Tensor, Sequence[int]]) -> dict[int, int]:
    """Return the size of each dimension, from the tensors that have it."""
    sizes: dict[int, int] = {}
    for tensor, expand in operands:
        own = [d for d in range(tensor.dim() + len(expand)) if d not in expand]
        for d, size in zip(own, tensor.shape, strict=True):
            sizes[d] = max(size, sizes.get(d, 1))
    return sizes


def conv(
    out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None, *_sizes: Any
) -> OpCost:
    """Count a convolution in 1, 2 or 3 dimensions, with any stride, padding, dilation, groups."""
    return formula.convolution(weight.shape, out.shape, biased=bias is not None)


def conv_transpose(
    out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None, *_sizes: Any
) -> OpCost:
    """Count a transposed convolution in 1, 2 or 3 dimensions."""
    return formula.transposed_convolution(x.shape, weight.shape, out.shape, biased=bias is not None)


def convolution(
    out: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    *_rest: Any,
) -> OpCost:
    """Count the operator that both kinds of convolution become below autograd."""
    return (conv_transpose if transposed else conv)(out, x, weight, bias)


def cosine_similarity(out: Tensor, a: Tensor, b: Tensor, dim: int = 1, eps: float = 1e-8) -> OpCost:
    """Count `x . y / (||x|| ||y||)`: three dot products, two roots, a product and a division.

    Both operands are broadcast first, so each pair has its own products and norms.
    """
    shape = torch.broadcast_shapes(a.shape, b.shape)
    dots = formula.dot_products(3 * out.numel(), shape[dim] if shape else 1)
    return dots + OpCost(sqrt=2, mul=1, div=1) * out.numel()


def in_real_operations(rule: Rule) -> Rule:
    """Extend a rule to complex numbers, whose products take four real MACs each."""

    def wrapped(out: Tensor, *args: Any, **kwargs: Any) -> OpCost | None:
        cost = rule(out, *args, **kwargs)
        if cost is None or not out.is_complex():
            return cost
        return replace(cost, macs=4 * cost.macs, add=2 * cost.add, mul=2 * cost.mul)

    return wrapped


def name_convolutions(conv: Rule, transposed: Rule, either: Rule) -> dict[str, Rule]:
    """Name the operators that convolve, plainly, transposed, or either as an argument says."""
    return {
        **{f"aten.conv{n}d": conv for n in (1, 2, 3)},
        **{f"aten.conv_transpose{n}d": transposed for n in (1, 2, 3)},
        "aten.convolution": either,
        "aten._convolution": either,
    }


_REAL: dict[str, Rule] = {
    "aten.mm": matmul,
    "aten.bmm": matmul,
    "aten.mv": matmul,
    "aten.dot": matmul,
    "aten.vdot": matmul,
    "aten.matmul": matmul,
    "aten.addmm": addmm,
    "aten._sparse_addmm": addmm,
    "aten.addmv": addmm,
    "aten.baddbmm": addmm,
    "aten.addbmm": reduced_bmm,
    "aten.linear": linear,
    "aten.bilinear": bilinear,
    "aten._trilinear": trilinear,
    **name_convolutions(conv, conv_transpose, convolution),
    "aten.cosine_similarity": cosine_similarity,
}

CONTRACTIONS: dict[str, Rule] = {name: in_real_operations(rule) for name, rule in _REAL.items()}
CONTRACTIONS |= {"aten.outer": outer, "aten.addr": addr}
