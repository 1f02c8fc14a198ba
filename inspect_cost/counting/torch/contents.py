"""Sizes of what a tensor keeps in memory; a sparse one keeps its entries and their indices."""

import torch
from torch import Tensor


def is_sparse(tensor: Tensor) -> bool:
    """Return whether a tensor stores only some of its elements."""
    return tensor.layout is not torch.strided


def count_values(tensor: Tensor) -> int:
    """Count the numbers that a tensor stores: all of a dense one, the entries of a sparse one."""
    return tensor.numel() if not is_sparse(tensor) else _get_values(tensor).numel()


def count_bytes(tensor: Tensor) -> int:
    """Count the bytes of a tensor's numbers and, if it is sparse, of their indices."""
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
