"""Rules of pooling and interpolation."""

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.cost import OpCost
from inspect_cost.counting.aten.rule import Rule
from inspect_cost.formulas import resampling as formula

Window = int | Sequence[int]


def _window(kernel: Window, dimensions: int) -> Sequence[int]:
    """A kernel size for each dimension; one number stands for all."""
    sizes = [kernel] if isinstance(kernel, int) else kernel
    return sizes if len(sizes) == dimensions else list(sizes) * dimensions


def _first(out: Any) -> Tensor:
    """The values, where an operator also returns positions."""
    return out if isinstance(out, Tensor) else out[0]


def max_pool(dimensions: int) -> Rule:
    """Rule of max pooling over the last ``dimensions``."""

    def rule(out: Any, x: Tensor, kernel_size: Window, *_rest: Any) -> OpCost:
        return formula.max_pool(_first(out).numel(), _window(kernel_size, dimensions))

    return rule


def average_pool(dimensions: int) -> Rule:
    """Rule of average pooling over the last ``dimensions``."""

    def rule(out: Tensor, x: Tensor, kernel_size: Window, *_rest: Any) -> OpCost:
        return formula.average_pool(out.numel(), _window(kernel_size, dimensions))

    return rule


def adaptive_average_pool(out: Tensor, x: Tensor, output_size: Window) -> OpCost:
    """To a given size; (B, C, T...) or (C, T...)."""
    dimensions = 1 if isinstance(output_size, int) else len(output_size)
    planes = prod(x.shape[:-dimensions])
    return formula.adaptive_average_pool(planes, x.shape[-dimensions:], out.shape[-dimensions:])


def adaptive_max_pool(out: Any, x: Tensor, output_size: Window) -> OpCost:
    """To a given size; (B, C, T...) or (C, T...)."""
    dimensions = 1 if isinstance(output_size, int) else len(output_size)
    planes, outs = prod(x.shape[:-dimensions]), _first(out).shape[-dimensions:]
    return formula.adaptive_max_pool(planes, x.shape[-dimensions:], outs)


def linear_interpolation(dimensions: int) -> Rule:
    """Rule of linear, bilinear or trilinear interpolation."""
    return lambda out, *_args, **_kwargs: formula.linear_interpolation(out.numel(), dimensions)


def bicubic(out: Tensor, *_args: Any, **_kwargs: Any) -> OpCost:
    """Bicubic interpolation."""
    return formula.cubic_interpolation(out.numel(), 2)


RESAMPLING: dict[str, Rule] = {
    "aten.max_pool1d": max_pool(1),
    "aten.max_pool1d_with_indices": max_pool(1),
    "aten.max_pool2d": max_pool(2),
    "aten.max_pool2d_with_indices": max_pool(2),
    "aten.max_pool3d": max_pool(3),
    "aten.max_pool3d_with_indices": max_pool(3),
    "aten.avg_pool1d": average_pool(1),
    "aten.avg_pool2d": average_pool(2),
    "aten.avg_pool3d": average_pool(3),
    "aten.adaptive_avg_pool1d": adaptive_average_pool,
    "aten.adaptive_avg_pool2d": adaptive_average_pool,
    "aten._adaptive_avg_pool2d": adaptive_average_pool,
    "aten.adaptive_avg_pool3d": adaptive_average_pool,
    "aten._adaptive_avg_pool3d": adaptive_average_pool,
    "aten.adaptive_max_pool1d": adaptive_max_pool,
    "aten.adaptive_max_pool2d": adaptive_max_pool,
    "aten.adaptive_max_pool3d": adaptive_max_pool,
    "aten.upsample_linear1d": linear_interpolation(1),
    "aten.upsample_bilinear2d": linear_interpolation(2),
    "aten.upsample_trilinear3d": linear_interpolation(3),
    "aten.upsample_bicubic2d": bicubic,
}
