"""Normalisations: statistics of each group of n numbers, then an affine map of each number."""

from inspect_cost.formulas.pointwise import ADD, DIV, MUL, SQRT, power
from inspect_cost.formulas.reduction import mean, norm2, summation, variance
from inspect_cost.values.cost import FREE, OpCost


def affine_map(elements: int, *, scaled: bool = True, shifted: bool = True) -> OpCost:
    """`gamma x + beta`."""
    return (MUL if scaled else FREE) * elements + (ADD if shifted else FREE) * elements


def standardised(groups: int, n: int) -> OpCost:
    """`(x - mean) rsqrt(variance + epsilon)`: `5 n + 2` a group; deviations are taken once."""
    return variance(groups, n) + (ADD + SQRT) * groups + MUL * (groups * n)


def layer_norm(groups: int, n: int, *, scaled: bool, shifted: bool) -> OpCost:
    """Layer norm (Ba, Kiros & Hinton 2016), group norm (Wu & He 2018), instance norm.

    `7 n + 2` a group with a gain and an offset.

    Args:
        groups: number of sets of numbers with their own statistics.
        n: numbers in each set.
        scaled: whether there is a gain.
        shifted: whether there is an offset.
    """
    return standardised(groups, n) + affine_map(groups * n, scaled=scaled, shifted=shifted)


def rms_norm(groups: int, n: int, *, scaled: bool) -> OpCost:
    """`x rsqrt(mean(x^2) + epsilon) gamma` (Zhang & Sennrich 2019): `4 n + 2` a group."""
    mean_square = MUL * (groups * n) + mean(groups, n)
    scaling = affine_map(groups * n, scaled=scaled, shifted=False)
    return mean_square + (ADD + SQRT) * groups + MUL * (groups * n) + scaling


def batch_norm_inference(elements: int, channels: int, *, scaled: bool, shifted: bool) -> OpCost:
    """Batch norm (Ioffe & Szegedy 2015) with stored statistics: 4 an element and 2 a channel.

    For each channel `rsqrt(variance + epsilon)`; for each element a subtraction, a product, and
    the affine map.
    """
    normalised = (ADD + SQRT) * channels + (ADD + MUL) * elements
    return normalised + affine_map(elements, scaled=scaled, shifted=shifted)


def batch_norm_training(elements: int, channels: int, *, scaled: bool, shifted: bool) -> OpCost:
    """Batch norm with the batch's own statistics, each channel being one group."""
    return layer_norm(channels, elements // max(1, channels), scaled=scaled, shifted=shifted)


def local_response_norm(elements: int, neighbours: int, beta: float) -> OpCost:
    """`x / (k + (alpha / n) sum(x^2))^beta` over n neighbours (Krizhevsky et al. 2012, sec. 3.3).

    Squares are taken once; every sum has n terms, padding included.
    """
    scales = MUL * elements + summation(elements, neighbours) + (MUL + ADD) * elements
    return scales + (power(beta) + DIV) * elements


def weight_norm(weights: int, groups: int) -> OpCost:
    """`v (g / ||v||)` (Salimans & Kingma 2016): `3 w + r` for w weights in r groups.

    `w` squares, `w - r` sums, `r` roots, `r` divisions, and `w` products.
    """
    return norm2(groups, weights // max(1, groups)) + DIV * groups + MUL * weights
