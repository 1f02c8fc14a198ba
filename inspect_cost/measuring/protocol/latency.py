"""The latency of a typical call with its interval, from windows; and quantiles of all calls.

A window is the unit: its calls share the state that the machine was in. The typical call is the
geometric mean of the windows' medians, and its interval comes from the spread of their logarithms,
because durations spread by factors. Where calls are of two kinds, fast and slow, the medians of
windows of few calls lie anywhere between; there the typical call is the median of all, and its
interval comes from the share of each window's calls that are below it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, floor, log
from statistics import fmean, median

from inspect_cost.measuring.protocol.series import Correlation, SeriesMean, estimate_mean
from inspect_cost.measuring.protocol.statistics import Interval, quantile

Groups = Sequence[Sequence[float]]

#: A split that explains this share of the logarithms' variance parts two kinds of calls. The best
#: split of a normal distribution explains 64 %, that of an even one 75 %; few calls vary around it.
PARTED, PARTED_IF_FEW = 0.85, 0.95
FEW_CALLS = 40
#: Each kind has at least this share of the calls, and their means differ by at least this factor.
LEAST_SHARE = 0.1
LEAST_FACTOR = 1.05
#: More calls than this are thinned out before they are looked at.
MOST_CALLS = 20_000
#: A quantile is given if at least this many calls are expected beyond it.
CALLS_BEYOND = 5
QUANTILES = (0.5, 0.9, 0.95, 0.99)
#: Bins of a histogram, at most.
BINS = 40


@dataclass(frozen=True)
class Modes:
    """Two kinds of calls.

    Attributes:
        fast_s: geometric mean of the faster ones.
        slow_s: geometric mean of the slower ones.
        fast_share: share of the calls that are of the faster kind.
    """

    fast_s: float
    slow_s: float
    fast_share: float


@dataclass(frozen=True)
class Typical:
    """The duration of a typical call.

    Attributes:
        value_s: the duration.
        ci95: its 95 % interval; None from fewer than three windows.
        modes: the two kinds of calls; None if there is one.
        correlation: how windows resemble their neighbours; None if nobody can tell.
    """

    value_s: float
    ci95: Interval | None
    modes: Modes | None = None
    correlation: Correlation | None = None


def estimate_typical(groups: Groups, spacing_s: float = 0.0) -> Typical:
    """Return the typical duration of a call.

    Args:
        groups: the calls' durations by windows, in the order in which they were made.
        spacing_s: time from the start of one window to that of the next; 0 if it is unknown.
    """
    modes = find_modes(groups)
    if modes is not None:
        return _estimate_median_of_all(groups, spacing_s, modes)
    found = estimate_log_medians([median(group) for group in groups], spacing_s)
    return Typical(found.value, found.ci95, None, found.correlation)


def estimate_log_medians(medians: Sequence[float], spacing_s: float = 0.0) -> SeriesMean:
    """Return the geometric mean of windows' medians; the plain one if some are not positive."""
    if min(medians) <= 0:
        return estimate_mean(medians, spacing_s)
    found = estimate_mean([log(value) for value in medians], spacing_s)
    ends = found.ci95 and (exp(found.ci95[0]), exp(found.ci95[1]))
    return SeriesMean(exp(found.value), ends, found.correlation)


def median_interval(groups: Groups) -> tuple[float, Interval | None]:
    """Return the typical value of groups that are independent, and its 95 % interval or None."""
    found = estimate_typical(groups)
    return found.value_s, found.ci95


def _estimate_median_of_all(groups: Groups, spacing_s: float, modes: Modes) -> Typical:
    """Return the median of all calls, all windows weighing the same (Woodruff 1952)."""
    ordered = [sorted(group) for group in groups]
    weighted = sorted((value, 1 / len(group)) for group in ordered for value in group)
    below = [total / len(ordered) for total in accumulate(weight for _, weight in weighted)]

    def find(share: float) -> float:
        place = bisect_right(below, min(max(share, 0.0), 1.0) - 1e-9)
        return weighted[min(place, len(weighted) - 1)][0]

    middle = find(0.5)
    shares = [bisect_right(group, middle) / len(group) for group in ordered]
    found = estimate_mean(shares, spacing_s)
    if found.ci95 is None:
        return Typical(middle, None, modes, None)
    width = (found.ci95[1] - found.ci95[0]) / 2
    ends = (find(0.5 - width), find(0.5 + width))
    return Typical(middle, ends, modes, found.correlation)


def find_modes(groups: Groups) -> Modes | None:
    """Return the two kinds of calls, if a split parts them; None if there is one kind (Otsu)."""
    values = _thin([value for group in groups for value in group])
    if min(values) <= 0:
        return None
    ordered = [log(value) for value in sorted(values)]
    n, mean = len(ordered), fmean(ordered)
    least = max(2, floor(LEAST_SHARE * n))
    whole = sum((value - mean) ** 2 for value in ordered)
    sums = list(accumulate(ordered))
    places = range(least, n - least + 1)
    if not places or not whole:
        return None

    def explain(k: int) -> float:
        return (sums[k - 1] - k * mean) ** 2 * n / (k * (n - k))

    place = max(places, key=explain)
    needed = PARTED_IF_FEW if n < FEW_CALLS else PARTED
    fast, slow = sums[place - 1] / place, (sums[-1] - sums[place - 1]) / (n - place)
    if explain(place) < needed * whole or slow - fast < log(LEAST_FACTOR):
        return None
    return Modes(exp(fast), exp(slow), place / n)


def _thin(values: list[float]) -> list[float]:
    return values[:: len(values) // MOST_CALLS + 1]


def list_quantiles(ordered: Sequence[float]) -> dict[str, float]:
    """Return p50, p90, p95 and p99 of sorted durations, those that so many calls can show."""
    n = len(ordered)
    shown = [q for q in QUANTILES if n * (1 - q) >= CALLS_BEYOND - ROUNDED]
    return {f"p{100 * q:.0f}": quantile(ordered, q) for q in shown}


#: 100 calls have five beyond their 95 % quantile, although 100 x (1 - 0.95) is less in binary.
ROUNDED = 1e-9


def make_histogram(ordered: Sequence[float]) -> tuple[list[float], list[int]]:
    """Return edges and counts of bins over sorted durations; equally wide in logarithms."""
    low, high = ordered[0], ordered[-1]
    if high <= low or low <= 0:
        return [low, high], [len(ordered)]
    bins = max(2, min(BINS, round(len(ordered) ** 0.5)))
    edges = [low * (high / low) ** (k / bins) for k in range(bins)] + [high]
    ends = [bisect_right(ordered, edge) for edge in edges[1:-1]] + [len(ordered)]
    return edges, [end - start for start, end in zip([0, *ends], ends, strict=False)]
