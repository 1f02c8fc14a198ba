"""Meta kernels of matrix products, attention and convolutions."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.contents import is_sparse
from inspect_cost.counting.torch.meta.plain import (
    Result,
    are_of_one_kind,
    broadcast,
    compact,
    empty,
    is_plain,
)


def matrix_by_vector(matrix: Tensor, x: Tensor) -> Tensor | None:
    """Multiply (m, k) by (k)."""
    fits = matrix.dim() == 2 and x.shape == matrix.shape[1:]  # noqa: PLR2004
    return empty(matrix.shape[:1], x) if fits and are_of_one_kind([matrix, x]) else None


def product(a: Tensor, b: Tensor) -> Tensor | None:
    """Multiply (..., m, k) by (..., k, n), or without a batch."""
    fits = a.dim() == b.dim() > 1 and a.shape[-1] == b.shape[-2]
    if fits and is_sparse(a) != is_sparse(b):
        return sparse_sum_of_products(b if is_sparse(a) else a, a, b)
    fits = fits and are_of_one_kind([a, b])
    batch = broadcast(a.shape[:-2], b.shape[:-2]) if fits else None
    return None if batch is None else empty((*batch, a.shape[-2], b.shape[-1]), a)


def sparse_sum_of_products(added: Tensor, a: Tensor, b: Tensor, **_factors: Any) -> Tensor:
    """Multiply (m, k) by (k, n), one of which is sparse."""
    return empty((a.shape[0], b.shape[1]), added)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    *_rest: Any,
    enable_gqa: bool = False,
    **_options: Any,
) -> Tensor | None:
    """Attend from queries (..., H, L, E) to keys (..., G, S, E) and values (..., G, S, Ev)."""
    del attn_mask
    if query.dim() < 3 or not are_of_one_kind([query, key, value]):  # noqa: PLR2004
        return None
    heads = query.shape[-3], key.shape[-3]
    grouped = enable_gqa and heads[0] % heads[1] == 0
    alike = query.shape[:-3] == key.shape[:-3] == value.shape[:-3]
    alike = alike and key.shape[:-1] == value.shape[:-1] and query.shape[-1] == key.shape[-1]
    if not alike or not (grouped or heads[0] == heads[1]):
        return None
    return empty((*query.shape[:-1], value.shape[-1]), query)


def fused_attention(
    query: Tensor, key: Tensor, value: Tensor, *_rest: Any, **_options: Any
) -> Result:
    """Attend as `attention`, and keep the logarithm of each softmax's sum for the gradients."""
    if not are_of_one_kind([query, key, value]):
        return None
    sums = torch.empty(query.shape[:-1], dtype=torch.float32, device="meta")
    return empty((*query.shape[:-1], value.shape[-1]), query), sums


def fused_attention_gradients(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, *_rest: Any, **_options: Any
) -> Result:
    """Make gradients of queries, keys and values."""
    operands = [query, key, value]
    if not are_of_one_kind([gradient, *operands]):
        return None
    return tuple(compact(x) for x in operands)


def grouped_product(
    a: Tensor,
    b: Tensor,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> Tensor | None:
    """Multiply rows of a, in groups that end at ``offs``, each group by its own matrix of b.

    Torch's meta kernel accepts bfloat16 only, while its CPU kernel accepts other types too.
    """
    del bias
    rows, columns = a.shape[-2], b.shape[-1]
    groups = {2: [] if offs is None else offs.shape, 3: a.shape[:1]}[a.dim()]
    shape = (rows, columns) if a.dim() + b.dim() == 5 else (*groups, rows, columns)  # noqa: PLR2004
    fits = a.shape[-1] == b.shape[-2]
    return torch.empty(shape, dtype=out_dtype or a.dtype, device="meta") if fits else None


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    """Multiply (..., inputs) by a weight of (outputs, inputs) of any memory layout."""
    added = [] if bias is None else [bias]
    fits = weight.dim() == 2 and x.dim() > 0 and x.shape[-1] == weight.shape[1]  # noqa: PLR2004
    fits = fits and (bias is None or bias.shape == weight.shape[:1])
    fits = fits and is_plain([x, *added]) and are_of_one_kind([x, weight])
    return empty((*x.shape[:-1], weight.shape[0]), x) if fits else None


def packed_linear(x: Tensor, packed: Any, *_options: Any) -> Tensor:
    """Multiply (..., inputs) by a packed weight of (outputs, inputs)."""
    return empty((*x.shape[:-1], packed.unpack()[0].shape[0]), x)


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] | str = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Tensor | None:
    """Convolve (B, C, T...) with (O, C / groups, K...), wherever the dilated kernel fits."""
    operands = [x, weight] if bias is None else [x, weight, bias]
    fits = x.dim() == weight.dim() and x.shape[1] == weight.shape[1] * groups
    if isinstance(padding, str) or not fits or not _convolvable(operands):
        return None
    kernel = weight.shape[2:]
    sizes = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(
            x.shape[2:], kernel, *_per_dimension(kernel, stride, padding, dilation), strict=True
        )
    ]
    return empty((x.shape[0], weight.shape[0], *sizes), x) if min(sizes) > 0 else None


def transposed_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    output_padding: Sequence[int] = (0,),
    groups: int = 1,
    dilation: Sequence[int] = (1,),
) -> Tensor | None:
    """Spread (B, C, T...) by (C, O / groups, K...): each input starts a kernel, a stride apart."""
    operands = [x, weight] if bias is None else [x, weight, bias]
    if x.dim() != weight.dim() or x.shape[1] != weight.shape[0] or not _convolvable(operands):
        return None
    kernel = weight.shape[2:]
    options = _per_dimension(kernel, stride, padding, output_padding, dilation)
    sizes = [
        (n - 1) * s - 2 * p + d * (k - 1) + extra + 1
        for n, k, s, p, extra, d in zip(x.shape[2:], kernel, *options, strict=True)
    ]
    shape = (x.shape[0], weight.shape[1] * groups, *sizes)
    return empty(shape, x) if min(sizes) > 0 else None


def _convolvable(operands: Sequence[Tensor]) -> bool:
    """Return whether the result is contiguous: always in 1-D, else if the operands are."""
    return are_of_one_kind(operands) if operands[0].dim() == 3 else is_plain(operands)  # noqa: PLR2004


def _per_dimension(kernel: Sequence[int], *options: Sequence[int]) -> list[Sequence[int]]:
    """Repeat options that are one number for all dimensions; return one number per dimension."""
    return [list(o) * len(kernel) if len(o) == 1 else o for o in options]
