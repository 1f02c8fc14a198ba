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

COMPLEX_OF = {torch.float32: torch.complex64, torch.float64: torch.complex128}

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
    return _compact(first) if fits and not first.stride().count(0) else None


def _compact(x: Tensor) -> Tensor:
    """A tensor of the same shape and order of dimensions, its elements side by side."""
    strides, reach = [0] * x.dim(), 1
    for d in sorted(range(x.dim()), key=lambda d: (x.stride(d), x.shape[d])):
        strides[d], reach = reach, reach * max(1, x.shape[d])
    return torch.empty_strided(x.shape, strides, dtype=x.dtype, device="meta")


def in_place(x: Tensor, *operands: Any, **_options: Any) -> Tensor | None:
    """The first operand itself, where the result fits into it."""
    tensors = [x, *(other for other in operands if isinstance(other, Tensor))]
    fits = _same_kind(tensors) and all(_broadcast(x.shape, y.shape) == x.shape for y in tensors)
    return x if fits else None


def like_first(x: Tensor, *_parameters: Any, out: Any = None, **_options: Any) -> Tensor | None:
    """The first operand's shape, whatever the parameters."""
    return _empty(x.shape, x) if out is None and _plain([x]) else None


def along(x: Tensor, _dim: int, dtype: torch.dtype | None = None) -> Tensor | None:
    """The first operand's shape, for what works along a dimension, unless the type changes."""
    return _empty(x.shape, x) if dtype in {None, x.dtype} and _plain([x]) else None


def bounded(x: Tensor, *bounds: Any, **named_bounds: Any) -> Tensor | None:
    """The operand's shape; integers stay integers where their bounds are."""
    whole = all(b is None or isinstance(b, int) for b in (*bounds, *named_bounds.values()))
    plain = x.is_meta and x.is_contiguous() and not is_sparse(x)
    return _empty(x.shape, x) if plain and (x.is_floating_point() or whole) else None


def quotient(x: Any, divisor: Any, **options: Any) -> Tensor | None:
    """As `elementwise`; an integer by a number is a floating-point number."""
    whole = isinstance(x, Tensor) and x.is_meta and not (x.is_floating_point() or x.is_complex())
    if not whole or isinstance(divisor, (Tensor, complex)) or options:
        return elementwise(x, divisor, **options)
    return torch.empty(x.shape, device="meta") if x.is_contiguous() else None


def compared(x: Tensor, _number: float) -> Tensor | None:
    """A truth for each element."""
    plain = x.is_meta and x.is_contiguous() and not is_sparse(x)
    return torch.empty(x.shape, dtype=torch.bool, device="meta") if plain else None


def joined(a: Tensor, b: Tensor) -> Tensor | None:
    """Two truths for each element, as one."""
    plain = all(x.is_meta and x.dtype is torch.bool and x.is_contiguous() for x in (a, b))
    return (
        torch.empty(a.shape, dtype=torch.bool, device="meta")
        if plain and a.shape == b.shape
        else None
    )


def complex_number(a: Tensor, b: Tensor) -> Tensor | None:
    """Of two parts, or of a modulus and an angle."""
    shaped = elementwise(a, b)
    if shaped is None or shaped.dtype not in COMPLEX_OF:
        return None
    return torch.empty(shaped.shape, dtype=COMPLEX_OF[shaped.dtype], device="meta")


def chosen(condition: Tensor, a: Any, b: Any) -> Tensor | None:
    """One of two, element by element."""
    plain = condition.is_meta and condition.is_contiguous()
    result = elementwise(a, b) if plain else None
    return result if result is not None and result.shape == condition.shape else None


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


def stacked(tensors: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    """Side by side, along a dimension of its own."""
    shape = list(tensors[0].shape)
    if not _plain(list(tensors)) or any(list(x.shape) != shape for x in tensors):
        return None
    axis = dim % (len(shape) + 1)
    return _empty((*shape[:axis], len(tensors), *shape[axis:]), tensors[0])


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
    if dim is None or dtype is not None or not x.dim() or not _plain([x]):
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


def matrix_by_vector(matrix: Tensor, x: Tensor) -> Tensor | None:
    """(m, k) by (k)."""
    fits = matrix.dim() == 2 and x.shape == matrix.shape[1:]  # noqa: PLR2004
    return _empty(matrix.shape[:1], x) if fits and _same_kind([matrix, x]) else None


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
    """(..., inputs) by (outputs, inputs), which may lie in memory in any order."""
    added = [] if bias is None else [bias]
    fits = weight.dim() == 2 and x.dim() > 0 and x.shape[-1] == weight.shape[1]  # noqa: PLR2004
    fits = fits and (bias is None or bias.shape == weight.shape[:1])
    fits = fits and _plain([x, *added]) and _same_kind([x, weight])
    return _empty((*x.shape[:-1], weight.shape[0]), x) if fits else None


def like(x: Tensor, *, dtype: torch.dtype | None = None, **_options: Any) -> Tensor | None:
    """A new tensor of the same shape and type."""
    return _compact(x) if dtype in {None, x.dtype} and not is_sparse(x) else None


def looked_up(table: Tensor, indices: Tensor, *_options: Any) -> Tensor | None:
    """A row of the table for each index."""
    whole = indices.dtype in {torch.int32, torch.int64}
    plain = whole and table.dim() == 2 and indices.is_contiguous() and _plain([table])  # noqa: PLR2004
    return _empty((*indices.shape, table.shape[1]), table) if plain else None


def next_state(x: Tensor, state: Tensor | Sequence[Tensor], *_weights: Any) -> Result:
    """What a recurrent cell makes of its state, or of the two states of an LSTM."""
    if isinstance(state, Tensor):
        return _empty(state.shape, state) if _same_kind([x, state]) else None
    return tuple(_empty(s.shape, s) for s in state) if _same_kind([x, *state]) else None


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
    if isinstance(padding, str) or not fits or not _convolvable(operands):
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
    if x.dim() != weight.dim() or x.shape[1] != weight.shape[0] or not _convolvable(operands):
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


def _convolvable(operands: Sequence[Tensor]) -> bool:
    """Whether the result is contiguous: in one dimension always, in more if the operands are."""
    return _same_kind(operands) if operands[0].dim() == 3 else _plain(operands)  # noqa: PLR2004


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
    elu softplus maximum minimum rsub abs reciprocal square remainder
    floor ceil round sign
"""
_LIKE_FIRST = "_weight_norm layer_norm rms_norm group_norm batch_norm"

Shape = Callable[..., Result]

_PLAIN_CASES: dict[str, Shape] = (
    {f"aten.{name}": elementwise for name in _ELEMENTWISE.split()}
    | {f"aten.{name}_": in_place for name in _ELEMENTWISE.split()}
    | {f"aten.{name}": like_first for name in _LIKE_FIRST.split()}
    | {f"aten.{name}.Scalar": compared for name in "eq ne lt le gt ge".split()}
    | {f"aten.conv{d}d": convolution for d in (1, 2, 3)}
    | {
        "aten.cat": concatenation,
        "aten.linalg_vector_norm": vector_norm,
        "aten.div.Tensor": quotient,
        "aten.where.self": chosen,
        "aten.polar": complex_number,
        "aten.complex": complex_number,
        "aten.where.ScalarSelf": chosen,
        "aten.where.ScalarOther": chosen,
        "aten.__and__.Tensor": joined,
        "aten.logical_and": joined,
        "aten.stack": stacked,
        "aten.pow.Tensor_Scalar": elementwise,
        "aten.clamp.default": bounded,
        "aten.clamp_min.default": bounded,
        "aten.clamp_max.default": bounded,
        "aten.mean.dim": mean,
        "aten.softmax": along,
        "aten.log_softmax": along,
        "aten.cumsum": along,
        "aten.mv": matrix_by_vector,
        "aten.mm": product,
        "aten.bmm": product,
        "aten.matmul": product,
        "aten.scaled_dot_product_attention": attention,
        "aten._sparse_addmm": sparse_sum_of_products,
        "aten._grouped_mm": grouped_product,
        "aten.linear": linear,
        "aten.embedding": looked_up,
        "aten.gru_cell": next_state,
        "aten.lstm_cell": next_state,
        "aten.rnn_tanh_cell": next_state,
        "aten.rnn_relu_cell": next_state,
        "aten.randn_like": like,
        "aten.rand_like": like,
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
