"""Pooling and interpolation."""

from collections.abc import Sequence
from math import prod

from inspect_cost.formulas.pointwise import ADD, CLAMP, DIV, MUL, SPECIAL
from inspect_cost.formulas.reduction import extremum, mean
from inspect_cost.values.cost import FREE, OpCost


def max_pool(outputs: int, window: Sequence[int]) -> OpCost:
    """The largest of each full window; padding is compared like any other number."""
    return extremum(outputs, prod(window))


def average_pool(outputs: int, window: Sequence[int]) -> OpCost:
    """The mean of each full window."""
    return mean(outputs, prod(window))


def adaptive_windows(size: int, out: int) -> list[int]:
    """Lengths of the windows that cut ``size`` into ``out``: floor(i s/o) to ceil((i + 1) s/o)."""
    return [-((i + 1) * size // -out) - i * size // out for i in range(out)]


def adaptive_average_pool(planes: int, sizes: Sequence[int], outs: Sequence[int]) -> OpCost:
    """Means over windows that may differ in size.

    Args:
        planes: batch entries times channels.
        sizes: the input's length in each pooled dimension.
        outs: the output's.
    """
    read = prod(sum(adaptive_windows(s, o)) for s, o in zip(sizes, outs, strict=True))
    outputs = planes * prod(outs)
    return ADD * (planes * read - outputs) + DIV * outputs


def adaptive_max_pool(planes: int, sizes: Sequence[int], outs: Sequence[int]) -> OpCost:
    """Maxima over windows that may differ in size."""
    read = prod(sum(adaptive_windows(s, o)) for s, o in zip(sizes, outs, strict=True))
    return OpCost(compare=planes * (read - prod(outs)))


def linear_interpolation(outputs: int, dimensions: int) -> OpCost:
    """Linear, bilinear or trilinear: a weighted sum of the 2^d neighbours, so 3, 7 or 15.

    2^d products and 2^d - 1 sums an output; where the neighbours are is free.
    """
    corners = 2**dimensions
    return OpCost(mul=corners, add=corners - 1) * outputs


def cubic_interpolation(outputs: int, dimensions: int) -> OpCost:
    """Weighted sum of the 4^d neighbours; their weights are free."""
    taps = 4**dimensions
    return OpCost(mul=taps, add=taps - 1) * outputs


def grid_positions(points: int, dimensions: int, *, aligned: bool, clamped: bool) -> OpCost:
    """Where points of a grid from -1 to 1 lie among the pixels.

    (x + 1) (s - 1) / 2 where -1 and 1 are the centres of the outer pixels, else
    (x + 1) s / 2 - 1 / 2, factors being constants; then, where it is asked for, clamped to the
    image.
    """
    place = ADD + MUL + (FREE if aligned else ADD) + (CLAMP if clamped else FREE)
    return place * (points * dimensions)


def linear_grid_weights(points: int, dimensions: int) -> OpCost:
    """Floor, the distances to both neighbours, and their product at each of the 2^d corners."""
    distances = (SPECIAL + 2 * ADD) * (points * dimensions)
    corners: int = 2**dimensions
    return distances + MUL * (points * corners * (dimensions - 1))


def deformed_taps(taps: int, points: int, *, masked: bool) -> OpCost:
    """Inputs of a deformable convolution (Dai et al. 2017; the mask: Zhu et al. 2019).

    Args:
        taps: channels times points: how many numbers are interpolated between four neighbours.
        points: places in the plane, each moved by an offset that all channels of a group share.
        masked: whether each interpolated number is weighed.
    """
    moved = ADD * (2 * points) + linear_grid_weights(points, 2)
    return moved + linear_interpolation(taps, 2) + (MUL if masked else FREE) * taps


def nearest_grid(points: int, dimensions: int) -> OpCost:
    """Rounding."""
    return SPECIAL * (points * dimensions)


def antialiased_windows(size: int, out: int, reach: int) -> list[int]:
    """How many inputs each output is made of; ``reach`` is 2 linearly and 4 for cubics.

    The filter spans ``reach`` inputs, or as many outputs where these are farther apart.
    """
    scale = size / out
    half = reach / 2 * max(scale, 1.0)
    centres = [scale * (i + 0.5) for i in range(out)]
    return [min(int(c + half + 0.5), size) - max(int(c - half + 0.5), 0) for c in centres]


def antialiased_interpolation(
    planes: int, sizes: Sequence[int], outs: Sequence[int], reach: int
) -> OpCost:
    """Weighted sums along the width, then along the height; their weights are free."""
    (height, width), (out_height, out_width) = sizes, outs
    across = sum(antialiased_windows(width, out_width, reach)) * height
    along = sum(antialiased_windows(height, out_height, reach)) * out_width
    outputs = out_width * (height + out_height)
    return OpCost(mul=across + along, add=across + along - outputs) * planes
