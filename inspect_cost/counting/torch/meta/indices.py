"""Known indices into tensors without values: torch refuses those that are out of range."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.meta.recurrent import list_states
from inspect_cost.counting.torch.meta.refusals import RefusedCallError

#: Recurrent layers on packed sequences, the sizes of whose batches may be known.
PACKED = frozenset(f"aten.{kind}.data" for kind in ("lstm", "gru", "rnn_tanh", "rnn_relu"))

MASKS = frozenset({torch.bool, torch.uint8})


@dataclass(frozen=True, slots=True)
class Indices:
    """Indices into one dimension.

    Attributes:
        index: the tensor of indices.
        size: length of the dimension.
        from_end: whether negative indices count from the end.
        ignored: an index that may lie anywhere; None if there is none.
    """

    index: Tensor
    size: int
    from_end: bool = False
    ignored: int | None = None


def refuse_indices(
    operator: Operator, args: Sequence[Any], is_unknown: Callable[[Tensor], bool]
) -> None:
    """Raise an error if an index with a known value is out of range.

    Raises:
        RefusedCallError: one is.
    """
    name = operator.name.partition(".")[2]
    if operator.full_name in PACKED and not is_unknown(args[1]):
        fault = find_step_fault(*args[:3])
        if fault is not None:
            raise RefusedCallError(f"{name}: {fault}")
    find = INDICES.get(operator.name)
    for item in find(*args) if find else ():
        if item.index.dtype.is_floating_point or is_unknown(item.index):
            continue
        wrong = find_wrong(item)
        if wrong is not None:
            raise RefusedCallError(f"{name}: index {wrong} is out of range for {item.size}")


def find_wrong(indices: Indices) -> int | None:
    """Return an index that is out of range; None if there is none."""
    index, size = indices.index, indices.size
    if indices.ignored is not None:
        index = index[index != indices.ignored]
    if not index.numel():
        return None
    low, high = (int(x) for x in index.aminmax())
    if high >= size:
        return high
    return low if low < (-size if indices.from_end else 0) else None


def rows(table: Tensor, index: Tensor, *_rest: Any) -> Iterator[Indices]:
    """Yield indices of rows."""
    if table.dim():
        yield Indices(index, table.shape[0])


def along(x: Tensor, dim: int, index: Tensor, *_rest: Any) -> Iterator[Indices]:
    """Yield indices along one dimension."""
    if x.dim() and -x.dim() <= dim < x.dim():
        yield Indices(index, x.shape[dim])


def everywhere(x: Tensor, indices: Sequence[Tensor | None], *_rest: Any) -> Iterator[Indices]:
    """Yield indices into the first dimensions; None takes a whole one, and a mask its own."""
    dim = 0
    for index in indices:
        masked = index is not None and index.dtype in MASKS
        if index is not None and not masked and dim < x.dim():
            yield Indices(index, x.shape[dim], from_end=True)
        dim += index.dim() if index is not None and masked else 1


def classes(
    x: Tensor,
    target: Tensor,
    _weight: Tensor | None = None,
    _reduction: int = 1,
    ignored: int = -100,
    *_rest: Any,
) -> Iterator[Indices]:
    """Yield the classes of samples, of which one may be ignored."""
    if x.dim():
        yield Indices(target, x.shape[min(1, x.dim() - 1)], ignored=ignored)


def find_step_fault(data: Tensor, batch_sizes: Tensor, hx: Tensor | Sequence[Tensor]) -> str | None:
    """Say that the sizes of packed batches do not add up to the rows, or exceed the states."""
    batch = list_states(hx)[0].shape[1:2]
    if batch_sizes.dim() != 1 or not len(batch_sizes) or not data.dim() or not batch:
        return None
    if int(batch_sizes.sum()) != data.shape[0]:
        return f"{data.shape[0]} rows, but its batches have {int(batch_sizes.sum())}"
    if int(batch_sizes[0]) != batch[0]:
        return f"{int(batch_sizes[0])} sequences, but its state is of {batch[0]}"
    return None


#: From an operator to the indices among its arguments.
INDICES: Mapping[str, Callable[..., Iterator[Indices]]] = {
    "aten.embedding": rows,
    "aten.embedding_bag": rows,
    "aten._embedding_bag": rows,
    "aten._embedding_bag_forward_only": rows,
    "aten.index_select": along,
    "aten.index_add": along,
    "aten.index_copy": along,
    "aten.index_fill": along,
    "aten.gather": along,
    "aten.scatter": along,
    "aten.scatter_": along,
    "aten.scatter_add": along,
    "aten.scatter_add_": along,
    "aten.scatter_reduce": along,
    "aten.index": everywhere,
    "aten.index_put": everywhere,
    "aten.index_put_": everywhere,
    "aten.nll_loss": classes,
    "aten.nll_loss_nd": classes,
    "aten.nll_loss2d": classes,
    "aten.nll_loss_forward": classes,
    "aten.nll_loss2d_forward": classes,
    "aten.cross_entropy_loss": classes,
}
