"""Boxes in an image: pooling what is in them, and choosing among them."""

from inspect_cost.formulas.pointwise import ADD, COMPARE, DIV, MUL
from inspect_cost.formulas.reduction import extremum, mean, sort
from inspect_cost.formulas.resampling import linear_interpolation
from inspect_cost.values.cost import OpCost


def aligned_bins(bins: int, samples: int, *, largest: bool = False) -> OpCost:
    """Means of bilinear samples at regular points (He et al. 2017), or the largest of them.

    Finding the samples' neighbours and their weights, which all channels share, is free.

    Args:
        bins: bins of all boxes and channels.
        samples: samples in each bin.
        largest: whether the largest sample is taken instead of the mean.
    """
    pool = extremum if largest else mean
    return linear_interpolation(bins * samples, 2) + pool(bins, samples)


#: Of two boxes: the corners of what they share, its area, that over the area of their union, and
#: whether that is too much. Each box's own area is known.
OVERLAP = 4 * COMPARE + 2 * (ADD + COMPARE) + MUL + 2 * ADD + DIV + COMPARE
BOX_AREA = 2 * ADD + MUL


def non_maximum_suppression(n: int) -> OpCost:
    """The best of n boxes, without those that overlap a better one.

    By convention all `n (n - 1) / 2` pairs are compared, which is the most there can be: a box that
    is out is compared with no other.
    """
    return sort(1, n) + BOX_AREA * n + OVERLAP * (n * (n - 1) // 2)
