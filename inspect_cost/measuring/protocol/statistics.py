"""Means and medians with their 95 % confidence intervals, from few values."""

from collections.abc import Sequence
from math import comb, exp, log, sqrt
from statistics import fmean, median, stdev

Interval = tuple[float, float]

CONFIDENCE = 0.95
#: 97.5 % quantiles of Student's t for 1 to 10 degrees of freedom; beyond, a series is exact enough.
STUDENT_T = (
    12.706205,
    4.302653,
    3.182446,
    2.776445,
    2.570582,
    2.446912,
    2.364624,
    2.306004,
    2.262157,
    2.228139,
)
NORMAL = 1.959964
#: Of two values the interval would be thirteen standard errors to each side, which says nothing
#: and, for an energy, reaches below 0.
FEWEST_FOR_MEAN = 3


def student_t(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t (Abramowitz & Stegun 26.7.5 above 10), to 1e-4."""
    if freedom <= len(STUDENT_T):
        return STUDENT_T[freedom - 1]
    z = NORMAL
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def half_width(values: Sequence[float]) -> float | None:
    """Return half the width of the mean's 95 % interval; None for fewer than three values."""
    if len(values) < FEWEST_FOR_MEAN:
        return None
    return student_t(len(values) - 1) * stdev(values) / sqrt(len(values))


def mean_interval(values: Sequence[float]) -> tuple[float, Interval | None]:
    """Return the mean of independent values, and its 95 % interval or None."""
    mean, width = fmean(values), half_width(values)
    return mean, None if width is None else (mean - width, mean + width)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values, with linear interpolation between neighbours."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


#: With at least this many values in each group, the groups' medians are nearly normal.
FEWEST_FOR_MEDIANS = 5


def median_interval(groups: Sequence[Sequence[float]]) -> tuple[float, Interval | None]:
    """Return the median of all values, and its 95 % interval or None.

    Values of one group (a window) resemble each other, so the interval comes from the spread of the
    groups' medians; in logarithms if all are positive, because durations spread by factors. If the
    groups are too small for that, all values are taken to be independent.
    """
    values = sorted(value for group in groups for value in group)
    middle = median(values)
    if min(map(len, groups)) < FEWEST_FOR_MEDIANS:
        return middle, order_interval(values)
    medians = [median(group) for group in groups]
    if min(medians) <= 0:
        _, ends = mean_interval(medians)
    else:
        _, logarithms = mean_interval([log(value) for value in medians])
        ends = logarithms and (exp(logarithms[0]), exp(logarithms[1]))
    # Where the windows' medians straddle a gap, the median of all may lie outside theirs.
    return middle, ends and (min(ends[0], middle), max(ends[1], middle))


def order_interval(ordered: Sequence[float]) -> Interval | None:
    """Return the median's 95 % interval between order statistics (Hettmansperger & Sheather 1986).

    It holds for any distribution; None for fewer than six values, which cannot be 95 % sure.
    """
    n = len(ordered)
    tails = [0]  # tails[k]: of 2^n outcomes, those with fewer than k values below the median
    for k in range(n // 2 + 1):
        tails.append(tails[-1] + comb(n, k))
    confidence = [1 - 2 * tail / 2**n for tail in tails]
    # The narrowest pair of order statistics that is sure enough, then interpolated inward to 95 %.
    k = max(k for k, sure in enumerate(confidence) if sure >= CONFIDENCE)
    if k == 0:
        return None
    share = (confidence[k] - CONFIDENCE) / (confidence[k] - confidence[k + 1])
    inward = (n - k) * share / (k + (n - 2 * k) * share)
    low = ordered[k - 1] + inward * (ordered[k] - ordered[k - 1])
    high = ordered[n - k] - inward * (ordered[n - k] - ordered[n - k - 1])
    return low, high
