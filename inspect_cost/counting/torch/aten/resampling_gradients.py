"""Rules of the gradients of pooling, padding, interpolation and sampling."""

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.backward import each
from inspect_cost.counting.torch.aten.resampling import BORDER, LINEAR, NEAREST, ZEROS
from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import backward as formula
from inspect_cost.formulas.resampling import adaptive_windows, grid_positions, nearest_grid
from inspect_cost.values.cost import FREE, OpCost


def average_pool(
    out: Tensor, gradient: Tensor, x: Tensor, kernel_size: Sequence[int], *_rest: Any
) -> OpCost:
    """Count the gradient of an average over windows of one size."""
    return formula.average_pool(gradient.numel(), gradient.numel() * prod(kernel_size))


def adaptive_average_pool(out: Tensor, gradient: Tensor, x: Tensor) -> OpCost:
    """Count the gradient of an average over windows that the sizes determine."""
    dimensions = 3 if x.dim() == 5 else 2  # noqa: PLR2004 - with batch and channels
    sizes = zip(x.shape[-dimensions:], gradient.shape[-dimensions:], strict=True)
    taken = prod(sum(adaptive_windows(size, length)) for size, length in sizes)
    return formula.average_pool(gradient.numel(), prod(x.shape[:-dimensions]) * taken)


def interpolation(taps: int) -> Rule:
    """Make the rule of the gradient of outputs that were interpolated between ``taps`` inputs."""

    def rule(out: Tensor, gradient: Tensor, *_rest: Any, **_kwargs: Any) -> OpCost:
        return formula.spread(gradient.numel(), taps)

    return rule


def antialiased(reach: int) -> Rule:
    """Make the rule of the gradient of interpolation whose filter widens as the image shrinks."""

    def rule(
        out: Tensor,
        gradient: Tensor,
        output_size: Sequence[int],
        input_size: Sequence[int],
        align_corners: bool,
        *_scales: float | None,
    ) -> OpCost | None:
        if align_corners:
            return None
        planes = prod(input_size[:-2])
        return formula.antialiased_interpolation(planes, input_size[-2:], output_size, reach)

    return rule


def grid_sample(dimensions: int) -> Rule:
    """Make the rule of the gradients of (B, C, T...), and of the points that it was sampled at."""

    def rule(
        out: Any,
        gradient: Tensor,
        x: Tensor,
        grid: Tensor,
        mode: int,
        padding: int,
        align_corners: bool,
        output_mask: Sequence[bool],
    ) -> OpCost | None:
        if mode not in {LINEAR, NEAREST} or padding not in {ZEROS, BORDER}:
            return None
        of_input, of_grid = output_mask
        points, clamped = grid.numel() // dimensions, padding == BORDER
        if mode == NEAREST and not of_input:
            return FREE  # steps have no slope
        places = grid_positions(points, dimensions, aligned=align_corners, clamped=clamped)
        if mode == NEAREST:
            return places + nearest_grid(points, dimensions) + formula.scatter(gradient.numel())
        return places + formula.linear_grid(
            points, x.shape[1], dimensions, of_input=of_input, of_grid=of_grid, clamped=clamped
        )

    return rule


SCATTERED = each(formula.scatter(1))

RESAMPLING_GRADIENTS: dict[str, Rule] = {
    "aten.max_pool2d_with_indices_backward": SCATTERED,
    "aten.max_pool3d_with_indices_backward": SCATTERED,
    "aten.adaptive_max_pool2d_backward": SCATTERED,
    "aten.adaptive_max_pool3d_backward": SCATTERED,
    "aten.avg_pool2d_backward": average_pool,
    "aten.avg_pool3d_backward": average_pool,
    "aten._adaptive_avg_pool2d_backward": adaptive_average_pool,
    "aten._adaptive_avg_pool3d_backward": adaptive_average_pool,
    "aten.upsample_nearest1d_backward": SCATTERED,
    "aten.upsample_nearest2d_backward": SCATTERED,
    "aten.upsample_nearest3d_backward": SCATTERED,
    "aten.upsample_linear1d_backward": interpolation(2),
    "aten.upsample_bilinear2d_backward": interpolation(4),
    "aten.upsample_trilinear3d_backward": interpolation(8),
    "aten.upsample_bicubic2d_backward": interpolation(16),
    "aten.reflection_pad1d_backward": SCATTERED,
    "aten.reflection_pad2d_backward": SCATTERED,
    "aten.reflection_pad3d_backward": SCATTERED,
    "aten.replication_pad1d_backward": SCATTERED,
    "aten.replication_pad2d_backward": SCATTERED,
    "aten.replication_pad3d_backward": SCATTERED,
    "aten._upsample_nearest_exact1d_backward": SCATTERED,
    "aten._upsample_nearest_exact2d_backward": SCATTERED,
    "aten._upsample_nearest_exact3d_backward": SCATTERED,
    "aten.fractional_max_pool2d_backward": SCATTERED,
    "aten.fractional_max_pool3d_backward": SCATTERED,
    "aten._upsample_bilinear2d_aa_backward": antialiased(2),
    "aten._upsample_bicubic2d_aa_backward": antialiased(4),
    "aten.grid_sampler_2d_backward": grid_sample(2),
    "aten.grid_sampler_3d_backward": grid_sample(3),
}
