"""The mean of values that were made one after another and may resemble their neighbours.

Windows of one run are independent if nothing slower than a window is at work. Where something is,
such as a clock frequency that drifts over ten seconds, ten windows say less than ten independent
ones would. How long that something takes is not known, so an interval here is an average over
correlation times from half a distance between windows to a minute, each weighted by how well a
first-order autoregressive process of that time explains the values (its likelihood, integrated
over the unknown mean and variance). As much weight as all of these has independence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, sqrt
from statistics import fmean

from inspect_cost.measuring.protocol.statistics import (
    CONFIDENCE,
    Interval,
    half_width,
    student_share,
    student_t,
)

#: Correlation times that are considered: so many, up to this one.
TIMES = 8
LONGEST_S = 100.0
#: Weight of independence before anything is known.
PRIOR = 0.6
#: A series that depends on time with at least this probability is not taken to be independent.
SUSPECT = 0.2
#: With at least this probability, a reader is told.
LIKELY = 0.5
#: Fewer values say nothing about their neighbours.
FEWEST_VALUES = 8
#: Values whose relative spread is below this differ by rounding only.
ROUNDING = 1e-9
BISECTIONS = 30
#: Runs shorter than this many correlation times show too little of the process.
ENOUGH_TIMES = 10


@dataclass(frozen=True)
class Correlation:
    """How values of a series resemble their neighbours.

    Attributes:
        probability: that they do.
        time_s: the correlation time that explains them best.
        run_s: how long the series lasted.
    """

    probability: float
    time_s: float
    run_s: float

    @property
    def is_suspect(self) -> bool:
        """Whether the values cannot be taken to be independent."""
        return self.probability >= SUSPECT

    @property
    def is_likely(self) -> bool:
        """Whether a reader should know."""
        return self.probability >= LIKELY

    @property
    def outlasts_run(self) -> bool:
        """Whether the process is so slow that the run shows little of it."""
        return self.time_s * ENOUGH_TIMES > self.run_s


@dataclass(frozen=True)
class SeriesMean:
    """The mean of a series.

    Attributes:
        value: the mean.
        ci95: its 95 % interval; None for fewer than three values.
        correlation: how the values resemble their neighbours; None if nobody can tell.
    """

    value: float
    ci95: Interval | None
    correlation: Correlation | None = None


def estimate_mean(values: Sequence[float], spacing_s: float = 0.0) -> SeriesMean:
    """Return the mean with its 95 % interval, which is wider where neighbours are alike.

    Args:
        values: in the order in which they were made.
        spacing_s: time from one to the next; 0 if it is unknown.
    """
    mean, width = fmean(values), half_width(values)
    if width is None:
        return SeriesMean(mean, None)
    fits = _fit_each(values, spacing_s)
    if not fits:
        return SeriesMean(mean, (mean - width, mean + width))
    correlation = _describe(fits, spacing_s * len(values))
    if correlation.is_suspect:
        width = max(width, _average_width(fits, len(values) - 1))
    return SeriesMean(mean, (mean - width, mean + width), correlation)


@dataclass(frozen=True)
class _Fit:
    """A correlation time, its weight, and the standard error of the mean under it."""

    time_s: float
    weight: float
    error: float


def _fit_each(values: Sequence[float], spacing_s: float) -> list[_Fit]:
    """Fit each correlation time, 0 first; nothing where the values cannot tell."""
    spread = max(values) - min(values)
    if len(values) < FEWEST_VALUES or not spacing_s or spread <= ROUNDING * abs(fmean(values)):
        return []
    shortest_s = spacing_s / 2
    ratio = max(LONGEST_S / shortest_s, 2.0) ** (1 / (TIMES - 1))
    times_s = [0.0, *(shortest_s * ratio**k for k in range(TIMES))]
    priors = [PRIOR, *([(1 - PRIOR) / TIMES] * TIMES)]
    fitted = [_fit(values, exp(-spacing_s / time_s) if time_s else 0.0) for time_s in times_s]
    best = max(likelihood for likelihood, _ in fitted)
    weights = [p * exp(found[0] - best) for p, found in zip(priors, fitted, strict=True)]
    whole = sum(weights)
    return [
        _Fit(time_s, weight / whole, error)
        for time_s, weight, (_, error) in zip(times_s, weights, fitted, strict=True)
    ]


def _fit(values: Sequence[float], rho: float) -> tuple[float, float]:
    """Return the log likelihood of an autocorrelation, and the mean's standard error under it.

    The likelihood is integrated over mean and variance (priors 1 and 1/variance). ``rho`` is that
    of neighbours; the inverse of the correlations' matrix is tridiagonal, so all sums are short.
    """
    n, rest = len(values), 1 - rho**2
    information = 1 + (n - 1) * (1 - rho) / (1 + rho)
    steps = [after - rho * before for before, after in pairwise(values)]
    centre = (values[0] + sum(steps) / (1 + rho)) / information
    shift = (1 - rho) * centre
    squares = (values[0] - centre) ** 2 + sum((step - shift) ** 2 for step in steps) / rest
    likelihood = -((n - 1) * log(rest) + log(information) + (n - 1) * log(squares)) / 2
    return likelihood, sqrt(squares / (n - 1) * _variance_of_mean(n, rho))


def _variance_of_mean(n: int, rho: float) -> float:
    """Return the variance of the mean of n values of variance 1, correlated by rho^distance."""
    # (n + 2 sum over k of (n - k) rho^k) / n^2, summed up
    pairs = rho / (1 - rho) * (n - (1 - rho**n) / (1 - rho))
    return (n + 2 * pairs) / n**2


def _describe(fits: Sequence[_Fit], run_s: float) -> Correlation:
    """Return the probability of any correlation, and the time that is the most likely."""
    correlated = fits[1:]
    best = max(correlated, key=lambda fit: fit.weight)
    return Correlation(sum(fit.weight for fit in correlated), best.time_s, run_s)


def _average_width(fits: Sequence[_Fit], freedom: int) -> float:
    """Return the half-width that holds the mean with 95 % on the average over the fits."""
    low, high = 0.0, student_t(freedom) * max(fit.error for fit in fits)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        held = sum(fit.weight * student_share(middle / fit.error, freedom) for fit in fits)
        low, high = (middle, high) if held < CONFIDENCE else (low, middle)
    return high
