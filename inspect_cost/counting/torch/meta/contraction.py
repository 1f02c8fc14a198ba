"""Meta kernels of matrix products, attention and convolutions."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.contents import is_sparse
from inspect_cost.counting.torch.meta.plain import (
    FLOATING,
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


def matrix_product(a: Tensor, b: Tensor) -> Tensor | None:
    """Multiply (m, k) by (k, n), one of which may be sparse."""
    return product(a, b) if a.dim() == b.dim() == 2 else None  # noqa: PLR2004


def batch_product(a: Tensor, b: Tensor) -> Tensor | None:
    """Multiply (B, m, k) by (B, k, n)."""
    return product(a, b) if a.dim() == b.dim() == 3 and len(a) == len(b) else None  # noqa: PLR2004


def product(a: Tensor, b: Tensor) -> Tensor | None:
    """Multiply (..., m, k) by (..., k, n), or without a batch."""
    fits = a.dim() == b.dim() > 1 and a.shape[-1] == b.shape[-2]
    if fits and is_sparse(a) != is_sparse(b):
        return _empty_product(a, b) if a.dim() == 2 else None  # noqa: PLR2004
    fits = fits and are_of_one_kind([a, b])
    batch = broadcast(a.shape[:-2], b.shape[:-2]) if fits else None
    return None if batch is None else empty((*batch, a.shape[-2], b.shape[-1]), a)


def sparse_sum_of_products(added: Tensor, a: Tensor, b: Tensor, **_factors: Any) -> Tensor | None:
    """Multiply (m, k) by (k, n), one of which is sparse, and add (m, n)."""
    if not (a.dim() == b.dim() == 2 and a.shape[1] == b.shape[0]):  # noqa: PLR2004
        return None
    shape = (a.shape[0], b.shape[1])
    fits = broadcast(shape, added.shape) == shape
    return _empty_product(a, b) if fits and added.dtype is a.dtype else None


def _empty_product(a: Tensor, b: Tensor) -> Tensor | None:
    """Make the product of two matrices of one type of numbers, of any layout."""
    fits = a.dtype is b.dtype and a.dtype is not torch.bool
    dense = b if is_sparse(a) else a
    return empty((a.shape[0], b.shape[1]), dense) if fits else None


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    _dropout: float = 0.0,
    is_causal: bool = False,
    *,
    enable_gqa: bool = False,
    **_options: Any,
) -> Tensor | None:
    """Attend from queries (..., H, L, E) to keys (..., G, S, E) and values (..., G, S, Ev).

    There may be no heads, if they are not grouped.
    """
    operands = (query, key, value)
    if len({x.dim() for x in operands}) > 1 or query.dim() < 2 + enable_gqa:
        return None
    if not are_of_one_kind(operands):
        return None
    if attn_mask is not None and (is_causal or not _is_mask(attn_mask, query, key)):
        return None
    alike = key.shape[:-1] == value.shape[:-1] and query.shape[-1] == key.shape[-1]
    if not alike or not _share_heads(query.shape[:-2], key.shape[:-2], grouped=enable_gqa):
        return None
    return empty((*query.shape[:-1], value.shape[-1]), query)


def _share_heads(query: Sequence[int], key: Sequence[int], *, grouped: bool) -> bool:
    """Return whether each key has a query, or as many as the others of its group."""
    if not grouped or query == key:
        return query == key
    return query[:-1] == key[:-1] and key[-1] > 0 and query[-1] % key[-1] == 0


def _is_mask(mask: Tensor, query: Tensor, key: Tensor) -> bool:
    """Return whether a mask of booleans or of the scores' type broadcasts to the scores."""
    scores = (*query.shape[:-1], key.shape[-2])
    fits = mask.dim() > 1 and broadcast(scores, mask.shape) == scores
    return fits and mask.dtype in {torch.bool, query.dtype}


def fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Tensor | None = None,
    **_scale: Any,
) -> Result:
    """Attend as `attention`, and keep the logarithm of each softmax's sum for the gradients.

    Keys may have fewer heads than queries. Torch's kernel takes four dimensions; the count gives
    this one any number of them, since its cost is that of all attention.
    """
    grouped = query.dim() > 2  # noqa: PLR2004
    out = attention(query, key, value, attn_mask, dropout_p, is_causal, enable_gqa=grouped)
    if out is None:
        return None
    precision = torch.float64 if query.dtype is torch.float64 else torch.float32
    return out, torch.empty(query.shape[:-1], dtype=precision, device="meta")


def fused_attention_gradients(
    gradient: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    logsumexp: Tensor,
    dropout_p: float,
    is_causal: bool,
    *,
    attn_mask: Tensor | None = None,
    **_scale: Any,
) -> Result:
    """Make gradients of queries, keys and values."""
    made = fused_attention(query, key, value, dropout_p, is_causal, attn_mask=attn_mask)
    if made is None or not are_of_one_kind([gradient, query, out]):
        return None
    results = [(x.shape, x.dtype) for x in made]
    if [(out.shape, out.dtype), (logsumexp.shape, logsumexp.dtype)] != results:
        return None
    if gradient.shape != out.shape:
        return None
    return tuple(compact(x) for x in (query, key, value))


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
    if find_grouped_fault(a, b, offs, bias, out_dtype):
        return None
    rows, columns = a.shape[-2], b.shape[-1]
    groups = a.shape[:1] if a.dim() == 3 else () if offs is None else offs.shape  # noqa: PLR2004
    shape = (rows, columns) if a.dim() + b.dim() == 5 else (*groups, rows, columns)  # noqa: PLR2004
    return torch.empty(shape, dtype=out_dtype or a.dtype, device="meta")


def find_grouped_fault(
    a: Tensor,
    b: Tensor,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> str | None:
    """Say why `grouped_product` is refused: the only check, as torch's meta kernel differs."""
    del bias, out_dtype
    ranks = {a.dim(), b.dim()}
    if not ranks <= {2, 3}:
        return f"operands have 2 or 3 dimensions, not {a.dim()} and {b.dim()}"
    if a.dtype is not b.dtype or a.dtype not in FLOATING:
        return f"operands of {a.dtype} and {b.dtype}"
    if a.shape[-1] != b.shape[-2]:
        return f"{tuple(a.shape)} does not go with {tuple(b.shape)}"
    if not (_has_aligned_rows(a) and _has_aligned_rows(b)):
        return "its rows, or columns, do not begin at multiples of 16 bytes"
    return _find_group_fault(a, b, offs)


def _find_group_fault(a: Tensor, b: Tensor, offs: Tensor | None) -> str | None:
    """Say why operands do not fall into as many groups; each of three dimensions has its own."""
    groups = [len(x) for x in (a, b) if x.dim() == 3]  # noqa: PLR2004
    if len(groups) < 2:  # noqa: PLR2004
        if offs is None or offs.dim() != 1 or offs.dtype is not torch.int32:
            return "the ends of its groups are no vector of int32"
        groups.append(len(offs))
    elif offs is not None:
        return "its groups need no ends"
    return f"{groups[0]} groups beside {groups[-1]}" if groups[0] != groups[-1] else None


def _has_aligned_rows(x: Tensor) -> bool:
    """Return whether rows or columns are dense, and begin at multiples of 16 bytes."""
    (rows, columns), (outer, inner) = x.shape[-2:], x.stride()[-2:]
    if outer == 1 and inner >= max(1, rows):
        return inner * x.element_size() % 16 == 0
    return inner == 1 and outer >= max(1, columns) and outer * x.element_size() % 16 == 0


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    """Multiply (..., inputs) by a weight of (outputs, inputs) of any memory layout."""
    added = [] if bias is None else [bias]
    fits = weight.dim() == 2 and x.dim() > 0 and x.shape[-1] == weight.shape[1]  # noqa: PLR2004
    fits = fits and (bias is None or bias.shape == weight.shape[:1])
    fits = fits and is_plain([x, *added]) and are_of_one_kind([x, weight])
    return empty((*x.shape[:-1], weight.shape[0]), x) if fits else None


def packed_linear(x: Tensor, packed: Any, *_options: Any) -> Tensor | None:
    """Multiply (..., inputs) by a packed weight of (outputs, inputs)."""
    outputs, inputs = packed.unpack()[0].shape
    fits = x.dtype is torch.float32 and x.dim() > 1 and x.shape[-1] == inputs
    return empty((*x.shape[:-1], outputs), x) if fits else None


def convolution(
    dimensions: int,
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
    fits = x.dim() == weight.dim() == dimensions + 2 and x.shape[1] == weight.shape[1] * groups
    if isinstance(padding, str) or not fits or not _convolvable(operands):
        return None
    outputs = weight.shape[:1]
    if groups < 1 or outputs[0] % groups or (bias is not None and bias.shape != outputs):
        return None
    kernel = weight.shape[2:]
    if not _are_possible(stride, padding, dilation):
        return None
    sizes = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(
            x.shape[2:], kernel, *_per_dimension(kernel, stride, padding, dilation), strict=True
        )
    ]
    return empty((x.shape[0], weight.shape[0], *sizes), x) if min(sizes) > 0 else None


def transposed_convolution(
    dimensions: int,
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
    fits = x.dim() == weight.dim() == dimensions + 2 and x.shape[1] == weight.shape[0]
    if not fits or not _convolvable(operands) or groups < 1 or weight.shape[0] % groups:
        return None
    if bias is not None and bias.shape != (weight.shape[1] * groups,):
        return None
    kernel = weight.shape[2:]
    if not _are_possible(stride, padding, dilation) or min(output_padding) < 0:
        return None
    options = _per_dimension(kernel, stride, padding, output_padding, dilation)
    if not all(
        extra < max(s, d) for s, extra, d in zip(options[0], options[2], options[3], strict=True)
    ):
        return None
    sizes = [
        (n - 1) * s - 2 * p + d * (k - 1) + extra + 1
        for n, k, s, p, extra, d in zip(x.shape[2:], kernel, *options, strict=True)
    ]
    shape = (x.shape[0], weight.shape[1] * groups, *sizes)
    return empty(shape, x) if min(sizes) > 0 else None


def _convolvable(operands: Sequence[Tensor]) -> bool:
    """Return whether the result is contiguous: always in 1-D, else if the operands are."""
    return are_of_one_kind(operands) if operands[0].dim() == 3 else is_plain(operands)  # noqa: PLR2004


def _are_possible(stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]) -> bool:
    return min(*stride, *dilation) > 0 and min(padding) >= 0


def _per_dimension(kernel: Sequence[int], *options: Sequence[int]) -> list[Sequence[int]]:
    """Repeat options that are one number for all dimensions; return one number per dimension."""
    return [list(o) * len(kernel) if len(o) == 1 else o for o in options]
