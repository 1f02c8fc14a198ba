"""Matrix products and convolutions, which have the multiply-accumulates (MACs)."""

from collections.abc import Sequence
from math import prod

from inspect_cost.values.cost import OpCost

Shape = Sequence[int]


def dot_products(results: int, k: int) -> OpCost:
    """Sums of k products, ``results`` of them."""
    return OpCost(macs=results * k)


def matmul(m: int, k: int, n: int, batch: int = 1) -> OpCost:
    """`(m, k)` times `(k, n)`, ``batch`` times: k MACs for each of the `m n` results."""
    return dot_products(batch * m * n, k)


def bias(outputs: int) -> OpCost:
    """One addition for each output."""
    return OpCost(add=outputs)


def linear(rows: int, inputs: int, outputs: int, *, biased: bool) -> OpCost:
    """A linear layer on ``rows`` vectors, from ``inputs`` to ``outputs`` features."""
    products = matmul(rows, inputs, outputs)
    return products + bias(rows * outputs) if biased else products


def convolution(weight: Shape, out: Shape, *, biased: bool) -> OpCost:
    """Convolution over any number of dimensions, dense: taps on padding count.

    Args:
        weight: (O, C / groups, K...), so that each output has C / groups x K... taps.
        out: (B, O, T...), or without the batch.
        biased: whether a bias is added.
    """
    outputs = prod(out)
    products = OpCost(macs=outputs * prod(weight[1:]))
    return products + bias(outputs) if biased else products


def transposed_convolution(x: Shape, weight: Shape, out: Shape, *, biased: bool) -> OpCost:
    """Transposed convolution: every input is spread over O / groups x K... taps.

    The stride sets where the taps land, not how many there are.

    Args:
        x: (B, C, T...), or without the batch.
        weight: (C, O / groups, K...).
        out: (B, O, T_out...); used for the bias only.
        biased: whether a bias is added.
    """
    products = OpCost(macs=prod(x) * prod(weight[1:]))
    return products + bias(prod(out)) if biased else products


def taps_inside(
    size: int, positions: int, kernel: int, *, stride: int, padding: int, dilation: int
) -> int:
    """Count the (position, tap) pairs of one dimension that fall on `0 ... size - 1`, not padding.

    Tap k at position i falls on `i stride + k dilation - padding`. In a transposed convolution the
    positions are the input's and ``size`` is the output's; what falls outside is cropped.
    """
    inside = 0
    for k in range(kernel):
        offset = k * dilation - padding
        first = max(0, -(offset // stride))
        last = min(positions - 1, (size - 1 - offset) // stride)
        inside += max(0, last - first + 1)
    return inside


def valid_convolution(weight: Shape, out: Shape, inside: Sequence[int], *, biased: bool) -> OpCost:
    """Convolution without the taps that fall on padding.

    Args:
        weight: (O, C / groups, K...).
        out: (B, O, T...), or without the batch.
        inside: `taps_inside` of each dimension.
        biased: whether a bias is added.
    """
    kernels = prod(out[: -len(inside)]) * weight[1]
    products = OpCost(macs=kernels * prod(inside))
    return products + bias(prod(out)) if biased else products


def valid_transposed_convolution(
    x: Shape, weight: Shape, out: Shape, inside: Sequence[int], *, biased: bool
) -> OpCost:
    """Transposed convolution without the taps that are cropped; shapes as in the dense one."""
    kernels = prod(x[: -len(inside)]) * weight[1]
    products = OpCost(macs=kernels * prod(inside))
    return products + bias(prod(out)) if biased else products
