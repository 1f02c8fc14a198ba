"""Pooling and interpolation."""

from collections.abc import Sequence
from math import prod

from inspect_cost.formulas.contraction import convolution
from inspect_cost.formulas.pointwise import ADD, CLAMP, DIV, MUL, SPECIAL
from inspect_cost.formulas.reduction import extremum, mean
from inspect_cost.values.cost import FREE, OpCost


def max_pool(outputs: int, window: Sequence[int]) -> OpCost:
    """The maximum of each full window; padding is compared like any other number."""
    return extremum(outputs, prod(window))


def average_pool(outputs: int, window: Sequence[int]) -> OpCost:
    """The mean of each full window."""
    return mean(outputs, prod(window))


def adaptive_windows(size: int, out: int) -> list[int]:
    """Lengths of the windows that o outputs take of s inputs.

    Window i spans `floor(i s / o) ... ceil((i + 1) s / o)`.
    """
    return [-((i + 1) * size // -out) - i * size // out for i in range(out)]


def adaptive_average_pool(planes: int, sizes: Sequence[int], outs: Sequence[int]) -> OpCost:
    """Means over windows that may differ in size.

    Args:
        planes: batch entries times channels.
        sizes: the input's length in each pooled dimension.
        outs: the output's length in each.
    """
    read = prod(sum(adaptive_windows(s, o)) for s, o in zip(sizes, outs, strict=True))
    outputs = planes * prod(outs)
    return ADD * max(0, planes * read - outputs) + DIV * outputs


def adaptive_max_pool(planes: int, sizes: Sequence[int], outs: Sequence[int]) -> OpCost:
    """Maxima over windows that may differ in size."""
    read = prod(sum(adaptive_windows(s, o)) for s, o in zip(sizes, outs, strict=True))
    return OpCost(compare=planes * max(0, read - prod(outs)))


def linear_interpolation(outputs: int, dimensions: int) -> OpCost:
    """Linear, bilinear or trilinear interpolation, a weighted sum of `2^d` neighbours.

    `2^d` products and `2^d - 1` sums an output, so 3, 7 or 15 operations; finding the neighbours
    is free.
    """
    corners = 2**dimensions
    return OpCost(mul=corners, add=corners - 1) * outputs


def cubic_interpolation(outputs: int, dimensions: int) -> OpCost:
    """Weighted sums of `4^d` neighbours; their weights are free."""
    taps = 4**dimensions
    return OpCost(mul=taps, add=taps - 1) * outputs


def grid_positions(points: int, dimensions: int, *, aligned: bool, clamped: bool) -> OpCost:
    """Pixel coordinates of grid points between -1 and 1.

    `(x + 1) (s - 1) / 2` if -1 and 1 are the centres of the outer pixels (``aligned``), else
    `(x + 1) s / 2 - 1 / 2`, with constant factors; then clamped to the image if ``clamped``.
    """
    place = ADD + MUL + (FREE if aligned else ADD) + (CLAMP if clamped else FREE)
    return place * (points * dimensions)


def linear_grid_weights(points: int, dimensions: int) -> OpCost:
    """Floor, the distances to both neighbours, and their product at each of the `2^d` corners."""
    distances = (SPECIAL + 2 * ADD) * (points * dimensions)
    corners: int = 2**dimensions
    return distances + MUL * (points * corners * (dimensions - 1))


def deformed_taps(taps: int, points: int, *, masked: bool) -> OpCost:
    """Inputs of a deformable convolution (Dai et al. 2017; the mask: Zhu et al. 2019).

    Args:
        taps: channels times points, the numbers that are interpolated between four neighbours.
        points: positions in the plane, each moved by an offset that a group's channels share.
        masked: whether each interpolated number is multiplied by a mask.
    """
    moved = ADD * (2 * points) + linear_grid_weights(points, 2)
    return moved + linear_interpolation(taps, 2) + (MUL if masked else FREE) * taps


def deformed_convolution(
    channels: int,
    weight: Sequence[int],
    out: Sequence[int],
    points: int,
    *,
    masked: bool,
    biased: bool,
) -> OpCost:
    """A convolution of numbers that are interpolated at moved positions (`deformed_taps`).

    Args:
        channels: channels of the input.
        weight: (O, C / groups, kh, kw).
        out: (B, O, H, W).
        points: positions that are moved, of all outputs, taps and groups of channels.
        masked: whether each interpolated number is multiplied by a mask.
        biased: whether a bias is added.
    """
    taps = out[0] * channels * prod(out[2:]) * prod(weight[2:])
    return deformed_taps(taps, points, masked=masked) + convolution(weight, out, biased=biased)


def nearest_grid(points: int, dimensions: int) -> OpCost:
    """Rounding of coordinates to the nearest pixel."""
    return SPECIAL * (points * dimensions)


def antialiased_windows(size: int, out: int, reach: int) -> list[int]:
    """Number of inputs of each output; ``reach`` is 2 for linear and 4 for cubic filters.

    The filter spans ``reach`` inputs, or as many outputs if these are farther apart.
    """
    scale = size / max(1, out)
    half = reach / 2 * max(scale, 1.0)
    centres = [scale * (i + 0.5) for i in range(out)]
    return [min(int(c + half + 0.5), size) - max(int(c - half + 0.5), 0) for c in centres]


def antialiased_interpolation(
    planes: int, sizes: Sequence[int], outs: Sequence[int], reach: int
) -> OpCost:
    """Weighted sums along each dimension, the last one first; their weights are free."""
    current, taps, outputs = list(sizes), 0, 0
    for axis in reversed(range(len(current))):
        rows = prod(current) // max(1, current[axis])
        taps += sum(antialiased_windows(current[axis], outs[axis], reach)) * rows
        outputs += outs[axis] * rows
        current[axis] = outs[axis]
    return OpCost(mul=taps, add=max(0, taps - outputs)) * planes
