"""Cost laws: what a model costs as an exact polynomial in the length of what it processes.

A model that makes one sample after another would have to be stepped through to be counted. But its
cost is a polynomial in the length, at least along lengths that differ by whole frames. So it is
counted at a few small lengths, the polynomial through them is taken in whole numbers (Newton's
forward differences), and it is verified at further lengths before it says anything about others.
"""

from collections.abc import Callable, Iterator, Sequence

from inspect_cost.counting.law import CostLaw, find_differences, predicts
from inspect_cost.counting.report import CostReport
from inspect_cost.values.errors import CountError, NoLawError

#: Polynomials of a higher degree are not looked for.
LARGEST_DEGREE = 3
#: Lengths that a law may skip at its beginning: sizes of 1 make some operators behave otherwise.
LARGEST_TRANSIENT = 2
#: Periods beyond the lengths that a law is taken from at which it is verified.
VERIFIED_AFTER = (1, 5, 37)

#: The same if the period is not known: 1009 is beyond most strides, and a multiple of none.
FAR_AFTER = (*VERIFIED_AFTER, 1009)

#: Periods that are tried unless one is given: powers of 2, and usual hops and strides.
PERIODS = tuple(
    sorted(
        {2**n for n in range(12)}
        | {3, 5, 6, 7, 10, 12, 14, 20, 24, 28, 40, 48, 56, 80, 96, 100, 120, 147, 160, 200, 224}
        | {240, 300, 320, 384, 400, 441, 480, 600, 640, 735, 800, 882, 960, 1280}
    )
)
#: Periods after which costs follow their law if there is one.
WELL_BEYOND = 64
#: How many longer lengths are tried, as a model may refuse short ones.
LARGEST_DOUBLINGS = 24


def find_law(
    counted: Callable[[int], CostReport],
    *,
    period: int | None = None,
    start: int | None = None,
    at: int | None = None,
    verified_after: Sequence[int] | None = None,
) -> CostLaw:
    """Return the law of what is counted at each length.

    Args:
        counted: from a length to its report; it remembers those, and raises a CountError for a
            length that the model refuses.
        period: as of `inspect_cost.cost_law`.
        start: as there.
        at: as there.
        verified_after: as there.

    Raises:
        NoLawError: no polynomial of degree 3 or less fits.
        CountError: no length can be counted.
    """
    periods = PERIODS if period is None else (period,)
    after = verified_after or (FAR_AFTER if period is None else VERIFIED_AFTER)
    for step in periods:
        first = start or ((at or 0) % step or step)
        if period is None:
            base = at or next(_beginnings(counted, first, step, at)) + WELL_BEYOND * step
            if not _plausible(counted, base, step):
                continue
        for begin in (first,) if start else _beginnings(counted, first, step, at):
            law = _law_from(counted, begin, step, after)
            if law and (at is None or (law.covers(at) and law.agrees_with(counted(at), at))):
                return law
    along = f"along multiples of {period}" if period else f"along periods of {PERIODS[-1]} or less"
    raise NoLawError(
        f"the cost is no polynomial of degree {LARGEST_DEGREE} in the length {along}",
        "Give a period along which the model does the same again, or count the length itself.",
    )


def _plausible(counted: Callable[[int], CostReport], length: int, step: int) -> bool:
    """Whether there may be a law along a period: there is one well beyond any transient."""
    steps = range(LARGEST_DEGREE + 1)
    law = find_differences([counted(length + n * step) for n in steps])
    return all(predicts(law, n, counted(length + n * step)) for n in (len(steps), FAR_AFTER[-1]))


def _beginnings(
    counted: Callable[[int], CostReport], first: int, step: int, at: int | None
) -> Iterator[int]:
    """Lengths to begin a law at: the first that the model takes, and a few longer ones."""
    begin = first
    for _ in range(LARGEST_DOUBLINGS):
        try:
            counted(begin)
            break
        except CountError as error:
            if at is not None and begin + step > at:
                raise
            failure = error
        begin = first + 2 * (begin - first + step)
    else:
        raise failure
    yield from (begin, begin + 4 * step, begin + 16 * step)


def _law_from(
    counted: Callable[[int], CostReport], first: int, period: int, verified_after: Sequence[int]
) -> CostLaw | None:
    """Return the law that holds from a length on, or from a little later; None if none does."""
    for skipped in range(LARGEST_TRANSIENT + 1):
        start = first + skipped * period
        for degree in range(LARGEST_DEGREE + 1):
            steps = [*range(degree + 1), *(degree + n for n in verified_after)]
            law = CostLaw.fit(counted, [start + n * period for n in steps], degree)
            if law:
                return law
    return None
