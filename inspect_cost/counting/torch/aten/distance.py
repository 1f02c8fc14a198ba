"""Rules of distances between vectors."""

import torch
from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import distance as formula
from inspect_cost.values.cost import OpCost


def cdist(
    out: Tensor, a: Tensor, b: Tensor, p: float = 2.0, compute_mode: int | None = None
) -> OpCost:
    """Count distances from (..., m, n) to (..., k, n) by definition, even if matmul is used."""
    return formula.distance(out.numel(), a.shape[-1], p)


def pdist(out: Tensor, x: Tensor, p: float = 2.0) -> OpCost:
    """Count the distance of each pair of rows of (m, n) once."""
    return formula.distance(out.numel(), x.shape[-1], p)


def dist(out: Tensor, a: Tensor, b: Tensor, p: float = 2) -> OpCost:
    """Count the distance of two tensors, each taken as one vector."""
    return formula.distance(1, torch.broadcast_shapes(a.shape, b.shape).numel(), p)


DISTANCES: dict[str, Rule] = {
    "aten.cdist": cdist,
    "aten._cdist_forward": cdist,
    "aten._euclidean_dist": cdist,
    "aten._pdist_forward": pdist,
    "aten.dist": dist,
}
