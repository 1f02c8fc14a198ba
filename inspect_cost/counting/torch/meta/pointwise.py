"""Meta kernels of elementwise operators: operands broadcast, or the first one's shape."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.contents import is_sparse
from inspect_cost.counting.torch.meta.plain import (
    FLOATING,
    are_of_one_kind,
    broadcast,
    compact,
    empty,
    has_dimension,
    is_plain,
)

WHOLE = frozenset({torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64})
COMPLEX_OF = {torch.float32: torch.complex64, torch.float64: torch.complex128}


def elementwise(*operands: Any, out: Any = None, **_options: Any) -> Tensor | None:
    """Broadcast the operands' shapes."""
    tensors = [x for x in operands if isinstance(x, Tensor)]
    if out is not None or not are_of_one_kind(tensors):
        return None
    if not all(x.is_contiguous() for x in tensors):
        return _lay_out_as_first(tensors)
    shape = tensors[0].shape
    for x in tensors[1:]:
        if x.shape != shape:
            common = broadcast(shape, x.shape)
            if common is None:
                return None
            shape = common
    return empty(shape, tensors[0])


def _lay_out_as_first(tensors: Sequence[Tensor]) -> Tensor | None:
    """Keep the first operand's shape and order of dimensions, if the others fit into it."""
    first = tensors[0]
    fits = all(broadcast(first.shape, x.shape) == first.shape for x in tensors[1:])
    return compact(first) if fits and not first.stride().count(0) else None


def in_place(x: Tensor, *operands: Any, **_options: Any) -> Tensor | None:
    """Return the first operand itself, if the result fits into it."""
    tensors = [x, *(other for other in operands if isinstance(other, Tensor))]
    fits = are_of_one_kind(tensors) and all(broadcast(x.shape, y.shape) == x.shape for y in tensors)
    return x if fits else None


def along_dimension(x: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor | None:
    """Keep the first operand's shape while working along a dimension, unless the type changes."""
    fits = dtype in {None, x.dtype} and has_dimension(x, dim)
    return empty(x.shape, x) if fits and is_plain([x]) else None


def clamp(x: Tensor, *bounds: Any, **named_bounds: Any) -> Tensor | None:
    """Keep the operand's shape; integers stay integers if their bounds are integers."""
    given = [b for b in (*bounds, *named_bounds.values()) if b is not None]
    whole = all(isinstance(b, int) for b in given) and x.dtype in WHOLE
    plain = x.is_meta and x.is_contiguous() and not is_sparse(x)
    return empty(x.shape, x) if given and plain and (x.dtype in FLOATING or whole) else None


def quotient(x: Any, divisor: Any, **options: Any) -> Tensor | None:
    """Divide as `elementwise`; an integer tensor over a Python number becomes floating-point."""
    whole = isinstance(x, Tensor) and x.is_meta and not (x.is_floating_point() or x.is_complex())
    if not whole or isinstance(divisor, (Tensor, complex)) or options:
        return elementwise(x, divisor, **options)
    return torch.empty(x.shape, device="meta") if x.is_contiguous() else None


def comparison(x: Tensor, _number: float) -> Tensor | None:
    """Return one boolean for each element."""
    plain = x.is_meta and x.is_contiguous() and not is_sparse(x)
    real = x.dtype in FLOATING or x.dtype in WHOLE
    return torch.empty(x.shape, dtype=torch.bool, device="meta") if plain and real else None


def conjunction(a: Tensor, b: Tensor) -> Tensor | None:
    """Combine two boolean tensors of one shape."""
    plain = all(x.is_meta and x.dtype is torch.bool and x.is_contiguous() for x in (a, b))
    return (
        torch.empty(a.shape, dtype=torch.bool, device="meta")
        if plain and a.shape == b.shape
        else None
    )


def complex_number(a: Tensor, b: Tensor) -> Tensor | None:
    """Combine two real tensors, as parts or as modulus and angle, into a complex one."""
    shaped = elementwise(a, b)
    if shaped is None or shaped.dtype not in COMPLEX_OF:
        return None
    return torch.empty(shaped.shape, dtype=COMPLEX_OF[shaped.dtype], device="meta")


def where(condition: Tensor, a: Any, b: Any) -> Tensor | None:
    """Choose between two operands, element by element."""
    plain = condition.is_meta and condition.is_contiguous() and condition.dtype is torch.bool
    result = elementwise(a, b) if plain else None
    return result if result is not None and result.shape == condition.shape else None


def like(x: Tensor, *, dtype: torch.dtype | None = None, **_options: Any) -> Tensor | None:
    """Make a new tensor of the same shape and type."""
    plain = x.dtype in FLOATING and not is_sparse(x)
    return compact(x) if plain and dtype in {None, x.dtype} else None
