"""Pooling and interpolation."""

from collections.abc import Sequence
from math import prod

from inspect_cost.cost import OpCost
from inspect_cost.formulas.pointwise import ADD, DIV
from inspect_cost.formulas.reduction import extremum, mean


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
