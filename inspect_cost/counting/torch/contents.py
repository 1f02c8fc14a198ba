"""What a tensor keeps in memory: of a sparse one, its entries and where they are."""

import torch
from torch import Tensor


def is_sparse(tensor: Tensor) -> bool:
    """Whether a tensor stores only some of its elements."""
    return tensor.layout is not torch.strided


def count_values(tensor: Tensor) -> int:
    """How many numbers it keeps: all of a dense one, the entries of a sparse one."""
    return tensor.numel() if not is_sparse(tensor) else _get_values(tensor).numel()


def count_bytes(tensor: Tensor) -> int:
    """Bytes of its numbers, and of the indices of a sparse one."""
    if not is_sparse(tensor):
        return tensor.numel() * tensor.element_size()
    return sum(t.numel() * t.element_size() for t in (_get_values(tensor), *_get_indices(tensor)))


def _get_values(tensor: Tensor) -> Tensor:
    return tensor._values() if tensor.layout is torch.sparse_coo else tensor.values()


def _get_indices(tensor: Tensor) -> tuple[Tensor, ...]:
    """Of coordinates, or of rows or columns compressed."""
    if tensor.layout is torch.sparse_coo:
        return (tensor._indices(),)
    if tensor.layout in {torch.sparse_csr, torch.sparse_bsr}:
        return tensor.crow_indices(), tensor.col_indices()
    return tensor.ccol_indices(), tensor.row_indices()
