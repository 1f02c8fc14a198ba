"""What common operators return, worked out here instead of by torch's own meta kernels.

Those kernels are written in Python: one addition takes a tenth of a millisecond, and the first
imports torch's compiler, which takes seconds. So the plain cases of frequent operators, contiguous
and of one floating type, are answered here. Each function returns None for a case that is not
plain, and torch's kernel decides, as it does on every error.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.aten.recurrent import RECURRENT_RESULTS
from inspect_cost.counting.contents import is_sparse

Result = Tensor | tuple[Tensor, ...] | None


def elementwise(*operands: Any, out: Any = None, **_options: Any) -> Tensor | None:
    """The operands' shapes broadcast."""
    tensors = [x for x in operands if isinstance(x, Tensor)]
    if out is not None or not _same_kind(tensors):
        return None
    if not all(x.is_contiguous() for x in tensors):
        return _laid_out_as_first(tensors)
    shape = tensors[0].shape
    for x in tensors[1:]:
        if x.shape != shape:
            broadcast = _broadcast(shape, x.shape)
            if broadcast is None:
                return None
            shape = broadcast
    return _empty(shape, tensors[0])


def _laid_out_as_first(tensors: Sequence[Tensor]) -> Tensor | None:
    """The first operand's shape and order of dimensions, where the others fit into it."""
    first = tensors[0]
    fits = all(_broadcast(first.shape, x.shape) == first.shape for x in tensors[1:])
    return torch.empty_like(first) if fits and first.stride().count(0) == 0 else None


def in_place(x: Tensor, *operands: Any, **_options: Any) -> Tensor | None:
    """The first operand itself, where the result fits into it."""
    shaped = elementwise(x, *operands)
    return x if shaped is not None and shaped.shape == x.shape else None


def like_first(x: Tensor, *_parameters: Any, out: Any = None, **_options: Any) -> Tensor | None:
    """The first operand's shape, whatever the parameters."""
    return _empty(x.shape, x) if out is None and _plain([x]) else None


def concatenation(tensors: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    """Lengths along one dimension add up; the others agree."""
    first = tensors[0].shape
    if not _same_kind(tensors) or not first or any(len(x.shape) != len(first) for x in tensors):
        return None
    if any(_channels_last(x) for x in tensors):
        return None
    axis = dim % len(first)
    around = {(x.shape[:axis], x.shape[axis + 1 :]) for x in tensors}
    if len(around) != 1:
        return None
    length = sum(x.shape[axis] for x in tensors)
    return _empty((*first[:axis], length, *first[axis + 1 :]), tensors[0])


def vector_norm(
    x: Tensor,
    order: float = 2,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor | None:
    """One number for each entry of the dimensions that stay."""
    del order
    if dim is None or dtype is not None or not _plain([x]):
        return None
    gone = {d % x.dim() for d in dim}
    sizes = enumerate(x.shape)
    shape = [1 if d in gone else n for d, n in sizes if keepdim or d not in gone]
    return _empty(shape, x)


def mean(
    x: Tensor, dim: Sequence[int] | None = None, keepdim: bool = False, **_options: Any
) -> Tensor | None:
    """As `vector_norm`."""
    return None if _options else vector_norm(x, 2, dim or None, keepdim)


def product(a: Tensor, b: Tensor) -> Tensor | None:
    """(..., m, k) by (..., k, n), or without a batch."""
    fits = a.dim() == b.dim() > 1 and a.shape[-1] == b.shape[-2]
    if fits and is_sparse(a) != is_sparse(b):
        return sparse_sum_of_products(b if is_sparse(a) else a, a, b)
    fits = fits and _same_kind([a, b])
    batch = _broadcast(a.shape[:-2], b.shape[:-2]) if fits else None
    return None if batch is None else _empty((*batch, a.shape[-2], b.shape[-1]), a)


def sparse_sum_of_products(added: Tensor, a: Tensor, b: Tensor, **_factors: Any) -> Tensor:
    """(m, k) by (k, n), one of which is sparse."""
    return _empty((a.shape[0], b.shape[1]), added)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    *_rest: Any,
    enable_gqa: bool = False,
    **_options: Any,
) -> Tensor | None:
    """A value for each query: (..., H, L, E), keys (..., G, S, E) and values (..., G, S, Ev)."""
    del attn_mask
    if query.dim() < 3 or not _same_kind([query, key, value]):  # noqa: PLR2004
        return None
    heads = query.shape[-3], key.shape[-3]
    grouped = enable_gqa and heads[0] % heads[1] == 0
    alike = query.shape[:-3] == key.shape[:-3] == value.shape[:-3]
    alike = alike and key.shape[:-1] == value.shape[:-1] and query.shape[-1] == key.shape[-1]
    if not alike or not (grouped or heads[0] == heads[1]):
        return None
    return _empty((*query.shape[:-1], value.shape[-1]), query)


def grouped_product(
    a: Tensor,
    b: Tensor,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> Tensor | None:
    """Rows of a, in groups that end at ``offs``, each group by its own matrix of b.

    torch's meta kernel takes no type but bfloat16, which its CPU kernel does.
    """
    del bias
    rows, columns = a.shape[-2], b.shape[-1]
    groups = {2: [] if offs is None else offs.shape, 3: a.shape[:1]}[a.dim()]
    shape = (rows, columns) if a.dim() + b.dim() == 5 else (*groups, rows, columns)  # noqa: PLR2004
    fits = a.shape[-1] == b.shape[-2]
    return torch.empty(shape, dtype=out_dtype or a.dtype, device="meta") if fits else None


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    """(..., inputs) by (outputs, inputs)."""
    operands = [x, weight] if bias is None else [x, weight, bias]
    fits = weight.dim() == 2 and x.dim() > 0 and x.shape[-1] == weight.shape[1]  # noqa: PLR2004
    fits = fits and (bias is None or bias.shape == weight.shape[:1])
    return _empty((*x.shape[:-1], weight.shape[0]), x) if fits and _plain(operands) else None


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] | str = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Tensor | None:
    """(B, C, T...) by (O, C / groups, K...): as many steps as the dilated kernel fits in."""
    operands = [x, weight] if bias is None else [x, weight, bias]
    fits = x.dim() == weight.dim() and x.shape[1] == weight.shape[1] * groups
    if isinstance(padding, str) or not fits or not _plain(operands):
        return None
    kernel = weight.shape[2:]
    sizes = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(
            x.shape[2:], kernel, *_for_each(kernel, stride, padding, dilation), strict=True
        )
    ]
    return _empty((x.shape[0], weight.shape[0], *sizes), x) if min(sizes) > 0 else None


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
    """(B, C, T...) by (C, O / groups, K...): each input starts a kernel, a stride apart."""
    operands = [x, weight] if bias is None else [x, weight, bias]
    if x.dim() != weight.dim() or x.shape[1] != weight.shape[0] or not _plain(operands):
        return None
    kernel = weight.shape[2:]
    options = _for_each(kernel, stride, padding, output_padding, dilation)
    sizes = [
        (n - 1) * s - 2 * p + d * (k - 1) + extra + 1
        for n, k, s, p, extra, d in zip(x.shape[2:], kernel, *options, strict=True)
    ]
    shape = (x.shape[0], weight.shape[1] * groups, *sizes)
    return _empty(shape, x) if min(sizes) > 0 else None


def packed_linear(x: Tensor, packed: Any, *_options: Any) -> Tensor:
    """(..., inputs) by a packed weight of (outputs, inputs)."""
    return _empty((*x.shape[:-1], packed.unpack()[0].shape[0]), x)


def _for_each(kernel: Sequence[int], *options: Sequence[int]) -> list[Sequence[int]]:
    """Options with one number for each dimension; a single number stands for all."""
    return [list(o) * len(kernel) if len(o) == 1 else o for o in options]


def _empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """A contiguous tensor without values."""
    return torch.empty(shape, dtype=like.dtype, device="meta")


def _broadcast(a: Sequence[int], b: Sequence[int]) -> torch.Size | None:
    """The common shape of two, right-aligned, or None where there is none."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    padded = (1,) * (len(longer) - len(shorter)) + tuple(shorter)
    pairs = list(zip(longer, padded, strict=True))
    fits = all(m == n or 1 in {m, n} for m, n in pairs)
    return torch.Size(n if m == 1 else m for m, n in pairs) if fits else None


def _plain(tensors: Sequence[Tensor]) -> bool:
    """Whether all are contiguous, on meta, and of one floating type."""
    return _same_kind(tensors) and all(x.is_contiguous() for x in tensors)


def _same_kind(tensors: Sequence[Tensor]) -> bool:
    """Whether all are on meta, and of one floating type."""
    if not tensors:
        return False
    dtype = tensors[0].dtype
    return dtype.is_floating_point and all(
        x.dtype == dtype and x.is_meta and not is_sparse(x) for x in tensors
    )


def _channels_last(x: Tensor) -> bool:
    """Whether channels lie innermost in memory: such a layout is kept by some operators."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    if x.is_contiguous() or x.dim() not in formats:
        return False
    return x.is_contiguous(memory_format=formats[x.dim()])


_ELEMENTWISE = """
    add sub mul div neg exp log sqrt rsqrt sin cos tanh sigmoid erf relu leaky_relu silu gelu
    elu softplus maximum minimum
"""
_LIKE_FIRST = "_weight_norm layer_norm rms_norm group_norm softmax log_softmax batch_norm"

Shape = Callable[..., Result]

_PLAIN_CASES: dict[str, Shape] = (
    {f"aten.{name}": elementwise for name in _ELEMENTWISE.split()}
    | {f"aten.{name}_": in_place for name in _ELEMENTWISE.split()}
    | {f"aten.{name}": like_first for name in _LIKE_FIRST.split()}
    | {f"aten.conv{d}d": convolution for d in (1, 2, 3)}
    | {
        "aten.cat": concatenation,
        "aten.linalg_vector_norm": vector_norm,
        "aten.pow.Tensor_Scalar": elementwise,
        "aten.mean.dim": mean,
        "aten.mm": product,
        "aten.bmm": product,
        "aten.matmul": product,
        "aten.scaled_dot_product_attention": attention,
        "aten._sparse_addmm": sparse_sum_of_products,
        "aten._grouped_mm": grouped_product,
        "aten.linear": linear,
        "quantized.linear_dynamic": packed_linear,
        "quantized.linear_relu_dynamic": packed_linear,
        "quantized.linear_dynamic_fp16": packed_linear,
        "aten.conv_transpose1d": transposed_convolution,
        "aten.conv_transpose2d": transposed_convolution,
        "aten.conv_transpose3d": transposed_convolution,
    }
)

#: Operator, or one overload of it -> what it returns, without values.
SHAPES: Mapping[str, Shape] = {**_PLAIN_CASES, **RECURRENT_RESULTS}
