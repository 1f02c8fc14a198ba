"""Meta kernels of normalisations: the input's shape, if the parameters fit it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.meta.plain import are_of_one_kind, empty, is_plain


def batch_norm(
    x: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    mean: Tensor | None = None,
    variance: Tensor | None = None,
    training: bool = False,
    *_options: Any,
) -> Tensor | None:
    """Normalise (B, C, T...) by channel; each parameter has C numbers."""
    if x.dim() < 2 or not (training or mean is not None):  # noqa: PLR2004
        return None
    return _like(x, x.shape[1:2], weight, bias, mean, variance)


def layer_norm(
    x: Tensor,
    sizes: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *_options: Any,
) -> Tensor | None:
    """Normalise over the last dimensions, whose sizes are given and are those of the parameters."""
    shape = torch.Size(sizes)
    if not sizes or x.shape[-len(shape) :] != shape:
        return None
    return _like(x, shape, weight, bias)


def rms_norm(
    x: Tensor, sizes: Sequence[int], weight: Tensor | None = None, *_options: Any
) -> Tensor | None:
    """Normalise as `layer_norm` does, without an offset."""
    return layer_norm(x, sizes, weight)


def group_norm(
    x: Tensor,
    groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *_options: Any,
) -> Tensor | None:
    """Normalise (B, C, T...) by groups of channels; each parameter has C numbers."""
    if x.dim() < 2 or groups < 1 or x.shape[1] % groups:  # noqa: PLR2004
        return None
    return _like(x, x.shape[1:2], weight, bias)


def weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor | None:
    """Scale a weight to norms, one for each entry of one dimension."""
    fits = dim in {0, v.dim() - 1} and g.shape == find_norm_shape(v, dim)
    return empty(v.shape, v) if fits and is_plain([v, g]) else None


def find_norm_shape(v: Tensor, dim: int) -> torch.Size:
    """Return the shape of the norms of a weight: 1 but in one dimension."""
    return torch.Size(n if d == dim else 1 for d, n in enumerate(v.shape))


def _like(x: Tensor, shape: torch.Size, *parameters: Tensor | None) -> Tensor | None:
    """Keep the shape of x, if all parameters have one shape and the type of x."""
    given = [p for p in parameters if p is not None]
    fits = all(p.shape == shape for p in given) and are_of_one_kind([x, *given])
    return empty(x.shape, x) if fits and x.is_contiguous() else None
