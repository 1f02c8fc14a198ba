"""Rules of pooling and interpolation."""

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import resampling as formula
from inspect_cost.formulas.contraction import dot_products
from inspect_cost.values.cost import OpCost

Window = int | Sequence[int]


def _window(kernel: Window, dimensions: int) -> Sequence[int]:
    """Return a kernel size for each dimension; a single number stands for all."""
    sizes = [kernel] if isinstance(kernel, int) else kernel
    return sizes if len(sizes) == dimensions else list(sizes) * dimensions


def _first(out: Any) -> Tensor:
    """Return the values of an operator that may also return positions."""
    return out if isinstance(out, Tensor) else out[0]


def max_pool(dimensions: int) -> Rule:
    """Make the rule of max pooling over the last ``dimensions``."""

    def rule(out: Any, x: Tensor, kernel_size: Window, *_rest: Any) -> OpCost:
        return formula.max_pool(_first(out).numel(), _window(kernel_size, dimensions))

    return rule


def average_pool(dimensions: int) -> Rule:
    """Make the rule of average pooling over the last ``dimensions``."""

    def rule(out: Tensor, x: Tensor, kernel_size: Window, *_rest: Any) -> OpCost:
        return formula.average_pool(out.numel(), _window(kernel_size, dimensions))

    return rule


def adaptive_average_pool(out: Tensor, x: Tensor, output_size: Window) -> OpCost:
    """Count average pooling of (B, C, T...) or (C, T...) to a given size."""
    dimensions = 1 if isinstance(output_size, int) else len(output_size)
    planes = prod(x.shape[:-dimensions])
    return formula.adaptive_average_pool(planes, x.shape[-dimensions:], out.shape[-dimensions:])


def adaptive_max_pool(out: Any, x: Tensor, output_size: Window) -> OpCost:
    """Count max pooling of (B, C, T...) or (C, T...) to a given size."""
    dimensions = 1 if isinstance(output_size, int) else len(output_size)
    planes, outs = prod(x.shape[:-dimensions]), _first(out).shape[-dimensions:]
    return formula.adaptive_max_pool(planes, x.shape[-dimensions:], outs)


def linear_interpolation(dimensions: int) -> Rule:
    """Make the rule of linear, bilinear or trilinear interpolation."""
    return lambda out, *_args, **_kwargs: formula.linear_interpolation(out.numel(), dimensions)


def bicubic(out: Tensor, *_args: Any, **_kwargs: Any) -> OpCost:
    """Count bicubic interpolation."""
    return formula.cubic_interpolation(out.numel(), 2)


def grid_sample(dimensions: int) -> Rule:
    """Make the rule of sampling (B, C, T...) at the points of (B, P..., d).

    Modes: 0 linear, 1 nearest, 2 cubic; padding: 0 zeros, 1 border, 2 reflection.
    """

    def rule(
        out: Tensor, x: Tensor, grid: Tensor, mode: int, padding: int, align_corners: bool
    ) -> OpCost | None:
        if mode not in {LINEAR, NEAREST} or padding not in {ZEROS, BORDER}:
            return None
        points = grid.numel() // dimensions
        positions = formula.grid_positions(
            points, dimensions, aligned=align_corners, clamped=padding == BORDER
        )
        if mode == NEAREST:
            return positions + formula.nearest_grid(points, dimensions)
        weights = formula.linear_grid_weights(points, dimensions)
        return positions + weights + formula.linear_interpolation(out.numel(), dimensions)

    return rule


LINEAR, NEAREST = 0, 1
ZEROS, BORDER = 0, 1


def affine_grid(out: Tensor, theta: Tensor, size: Sequence[int], align_corners: bool) -> OpCost:
    """Count, for each coordinate of a point, the product of a row of (d, d + 1) and (x, ..., 1)."""
    return dot_products(out.numel(), theta.shape[-1])


def antialiased_interpolation(reach: int) -> Rule:
    """Make the rule of interpolation whose filter widens as the image shrinks."""

    def rule(
        out: Tensor, x: Tensor, size: Sequence[int], align_corners: bool, *scales: float | None
    ) -> OpCost | None:
        if align_corners:
            return None
        planes, sizes, outs = prod(x.shape[:-2]), x.shape[-2:], out.shape[-2:]
        return formula.antialiased_interpolation(planes, sizes, outs, reach)

    return rule


def fractional_max_pool(out: Any, x: Tensor, kernel_size: Sequence[int], *_rest: Any) -> OpCost:
    """Count max pooling over windows at random positions."""
    return formula.max_pool(_first(out).numel(), kernel_size)


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
    "aten._upsample_bilinear2d_aa": antialiased_interpolation(2),
    "aten._upsample_bicubic2d_aa": antialiased_interpolation(4),
    "aten.grid_sampler_2d": grid_sample(2),
    "aten.grid_sampler_3d": grid_sample(3),
    "aten.affine_grid_generator": affine_grid,
    "aten.fractional_max_pool2d": fractional_max_pool,
    "aten.fractional_max_pool3d": fractional_max_pool,
}
