"""What a tensor keeps in memory, which may be otherwise than it looks.

A sparse tensor keeps its entries and their indices; one that wraps others, as those of torchao do,
keeps what it wraps; one that is quantised by channel keeps a scale and a zero point for each.
"""

from collections.abc import Callable, Iterable, Iterator
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

#: Tensors that are what they look like, for short cuts.
PLAIN_TENSORS = (Tensor, torch.nn.Parameter, torch.nn.Buffer)
#: Types of which two are stored in a byte, though their elements say that each takes one.
HALF_BYTES = frozenset({torch.quint4x2})
PER_CHANNEL = {torch.per_channel_affine, torch.per_channel_affine_float_qparams}


def is_sparse(tensor: Tensor) -> bool:
    """Return whether a tensor stores only some of its elements."""
    return tensor.layout is not torch.strided


def is_wrapper(tensor: Tensor) -> bool:
    """Return whether a tensor has no values but those of other tensors, which it names.

    Jagged tensors are wrappers too, but their operators count them as what they look like.
    """
    if type(tensor) in PLAIN_TENSORS or tensor.is_nested:
        return False
    return hasattr(tensor, "__tensor_flatten__") and hasattr(tensor, "__tensor_unflatten__")


def iter_parts(tensor: Tensor) -> Iterator[Tensor]:
    """Yield the tensors that a tensor's values lie in: those that it wraps to any depth, or it."""
    if not is_wrapper(tensor):
        yield tensor
        return
    for name in tensor.__tensor_flatten__()[0]:  # type: ignore[attr-defined]  # of wrappers alone
        yield from iter_parts(getattr(tensor, name))


def rebuild(tensor: Tensor, replace: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a wrapper of the same type, with ``replace`` applied to what it wraps."""
    wrapper: type = type(tensor)
    names, context = tensor.__tensor_flatten__()  # type: ignore[attr-defined]  # as above
    inner = {name: replace(getattr(tensor, name)) for name in names}
    rebuilt: Tensor = wrapper.__tensor_unflatten__(  # type: ignore[attr-defined]  # as above
        inner, context, tensor.size(), tensor.stride()
    )
    return rebuilt


def unpack_weights(packed: torch.ScriptObject) -> list[Tensor]:
    """List the tensors of one pack: a weight and bias, or those of the packs nested in it.

    A recurrent layer's pack lists its biases a second time; only its inner packs are read.
    """
    if hasattr(packed, "unpack"):
        unpacked = packed.unpack()  # a table of rows is not in a tuple
        return [t for t in tree_leaves(unpacked) if isinstance(t, Tensor)]
    inner = [x for x in tree_leaves(packed.__getstate__()) if isinstance(x, torch.ScriptObject)]
    return [tensor for pack in inner for tensor in unpack_weights(pack)]


def narrow(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Undo the widening of half-precision weights (not biases) by unpacking."""
    return [tensor.half() if tensor.dim() > 1 else tensor for tensor in tensors]


def count_packed_bytes(values: Iterable[Any], *, half: bool) -> int:
    """Count the bytes of the packs among an operator's arguments, including those in lists.

    Args:
        values: the arguments.
        half: whether weights are stored in half precision.
    """
    packs = [v for v in tree_leaves(list(values)) if isinstance(v, torch.ScriptObject)]
    tensors = [tensor for pack in packs for tensor in unpack_weights(pack)]
    return sum(map(count_bytes, narrow(tensors) if half else tensors))


def count_values(tensor: Tensor) -> int:
    """Count the numbers that a tensor stores: all of a dense one, the entries of a sparse one.

    Of one that bitsandbytes packed, two in a byte, they are those that it was made of.
    """
    shape = getattr(getattr(tensor, "quant_state", None), "shape", None)
    if shape is not None:
        return prod(shape)
    return tensor.numel() if not is_sparse(tensor) else _get_values(tensor).numel()


def count_bytes(tensor: Tensor) -> int:
    """Count the bytes of all that a tensor keeps: numbers, indices, scales, zero points."""
    if tensor.layout is torch.strided and type(tensor) in PLAIN_TENSORS and not tensor.is_quantized:
        return tensor.numel() * tensor.element_size()
    return sum(map(_count_own_bytes, _iter_all(tensor)))


def count_stored(tensor: Tensor) -> dict[str, int]:
    """Count the numbers that a tensor stores, by their type; indices of sparse ones are not."""
    stored: dict[str, int] = {}
    for part in _iter_all(tensor):
        name = str(part.dtype).removeprefix("torch.")
        stored[name] = stored.get(name, 0) + count_values(part)
    return stored


def _iter_all(tensor: Tensor) -> Iterator[Tensor]:
    """Yield the parts of a tensor, and the scales and zero points of those that have many."""
    yield from _iter_scales(tensor)
    for part in iter_parts(tensor):
        yield part
        if part.is_quantized and part.qscheme() in PER_CHANNEL:
            of_channels = part.q_per_channel_scales(), part.q_per_channel_zero_points()
            # Beside four bits, torch stores them in half precision, whatever it unpacks them to.
            yield from map(Tensor.half, of_channels) if part.dtype in HALF_BYTES else of_channels


def _iter_scales(tensor: Tensor) -> Iterator[Tensor]:
    """Yield what a parameter of another class keeps beside its numbers, as bitsandbytes does."""
    if type(tensor) in PLAIN_TENSORS or not isinstance(tensor, nn.Parameter) or is_wrapper(tensor):
        return
    memory = tensor.untyped_storage()._cdata
    stack = list(vars(tensor).values())
    while stack:
        value = stack.pop()
        if isinstance(value, Tensor):
            if value.untyped_storage()._cdata != memory:
                yield value
        elif hasattr(value, "absmax"):
            stack.extend(vars(value).values())


def _count_own_bytes(tensor: Tensor) -> int:
    """Count the bytes of a tensor's numbers and, if it is sparse, of their indices."""
    if tensor.dtype in HALF_BYTES and tensor.dim():
        return tensor.numel() // max(1, tensor.shape[-1]) * -(-tensor.shape[-1] // 2)
    if not is_sparse(tensor):
        return tensor.numel() * tensor.element_size()
    return sum(t.numel() * t.element_size() for t in (_get_values(tensor), *_get_indices(tensor)))


def _get_values(tensor: Tensor) -> Tensor:
    return tensor._values() if tensor.layout is torch.sparse_coo else tensor.values()


def _get_indices(tensor: Tensor) -> tuple[Tensor, ...]:
    """Return the index tensors of a layout: coordinates, or compressed rows or columns."""
    if tensor.layout is torch.sparse_coo:
        return (tensor._indices(),)
    if tensor.layout in {torch.sparse_csr, torch.sparse_bsr}:
        return tensor.crow_indices(), tensor.col_indices()
    return tensor.ccol_indices(), tensor.row_indices()
