"""Student's t, means with their 95 % confidence intervals, and quantiles of ordered values."""

from collections.abc import Sequence
from math import atan, cos, pi, sin, sqrt
from statistics import fmean, stdev

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
#: More degrees of freedom than this change no digit that anyone reads.
MOST_FREEDOM = 100


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


def student_share(t: float, freedom: int) -> float:
    """Return the probability that Student's t lies within -t and t (A. & S. 26.7.3 and 26.7.4)."""
    freedom = min(freedom, MOST_FREEDOM)
    angle = atan(t / sqrt(freedom))
    odd = freedom % 2
    term = cos(angle) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 if odd else 1, freedom - 2, 2):
        term *= k / (k + 1) * cos(angle) ** 2
        total += term
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total


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
