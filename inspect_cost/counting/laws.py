"""Cost laws: what a model costs as an exact polynomial in the length of what it processes.

A model that makes one sample after another would have to be stepped through to be counted. But its
cost is a polynomial in the length, at least along lengths that differ by whole frames. So it is
counted at a few small lengths, the polynomial through them is taken in whole numbers (Newton's
forward differences), and it is verified at further lengths before it says anything about others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import comb
from typing import Any

from torch import nn

from inspect_cost.cost import CostReport, OpCost, Tally
from inspect_cost.counting.count import count
from inspect_cost.errors import CountError, UsageError

#: Polynomials of a higher degree are not looked for.
LARGEST_DEGREE = 3
#: A law may begin after so many lengths, at which sizes of 1 make some operators behave otherwise.
LARGEST_TRANSIENT = 2
#: The law must hold at lengths so many periods after those that it is taken from.
VERIFIED_AFTER = (1, 5, 37)

#: What a tally holds, as numbers: calls, the fields of an `OpCost`, bytes; the dead calls, theirs.
Amounts = tuple[int, ...]
Entry = tuple[str, str, bool]

NOTHING: Amounts = (0,) * (2 * len(fields(OpCost)) + 3)


@dataclass(frozen=True)
class CostLaw:
    """Costs at the lengths start, start + period, start + 2 period, ...

    Attributes:
        start: the shortest length that it holds for.
        period: from one length to the next.
        differences: for each operator of each module, the forward differences of its amounts:
            those at ``start``, their first differences, their second ...
        example: the report at ``start``, for what does not depend on the length.
        counted_at: the lengths that were counted.
        memory: forward differences of the peak of the activations and the bytes of the inputs;
            None where they follow no such law.
    """

    start: int
    period: int
    differences: Mapping[Entry, tuple[Amounts, ...]]
    example: CostReport
    counted_at: tuple[int, ...]
    memory: tuple[Amounts, ...] | None = None

    @property
    def degree(self) -> int:
        """Of the polynomial in the length."""
        return max((len(rows) - 1 for rows in self.differences.values()), default=0)

    def report(self, length: int) -> CostReport:
        """The cost at a length.

        Raises:
            UsageError: the law does not hold for this length.
        """
        steps, rest = divmod(length - self.start, self.period)
        if rest or steps < 0:
            raise UsageError(
                f"the law holds for lengths {self.start} + n {self.period}, not for {length}",
                "Take such a length.",
            )
        tallies = tuple(
            _tally(entry, _extrapolated(rows, steps)) for entry, rows in self.differences.items()
        )
        lengths = ", ".join(f"{n:,}" for n in self.counted_at)
        note = (
            f"By the cost law, an exact polynomial of degree {self.degree} in the length, counted "
            f"and verified at lengths {lengths}."
        )
        peak, inputs = _memory_after(self.memory, steps)
        return replace(
            self.example,
            tallies=tallies,
            notes=(*self.example.notes, note),
            peak_activation_bytes=peak,
            input_bytes=inputs,
        )

    @property
    def macs(self) -> tuple[Fraction, ...]:
        """MACs(L) = c_0 + c_1 L + c_2 L^2 + ...: the coefficients, lowest first."""
        return _coefficients(
            [self.report(self.start + n * self.period).macs for n in range(self.degree + 1)],
            self.start,
            self.period,
        )


def cost_law(
    model: nn.Module | Callable[..., Any],
    make_inputs: Callable[[int], Mapping[str, Any]],
    *,
    period: int = 1,
    start: int | None = None,
    verified_after: Sequence[int] = VERIFIED_AFTER,
) -> CostLaw:
    """Find the law of a model's cost in the length of its inputs or of what it generates.

    Args:
        model: as for `count`: a module, or a bound method of one.
        make_inputs: from a length to the call's keyword arguments.
        period: the law is sought along lengths that differ by this.
        start: the shortest length, by default the period.
        verified_after: the law must also hold at lengths so many periods after those that it is
            taken from. A far one uncovers a period that was overlooked.

    Raises:
        CountError: no polynomial of degree 3 or less fits, or the call fails.
    """
    first = start or period

    @cache
    def counted(step: int) -> CostReport:
        return count(model, **make_inputs(first + step * period))

    for skipped in range(LARGEST_TRANSIENT + 1):
        for degree in range(LARGEST_DEGREE + 1):
            law = _law_through([counted(skipped + n) for n in range(degree + 1)])
            further = [degree + n for n in verified_after]
            if all(_holds(law, n, counted(skipped + n)) for n in further):
                steps = [*range(degree + 1), *further]
                lengths = tuple(first + (skipped + n) * period for n in steps)
                reports = {n: counted(skipped + n) for n in steps}
                memory = _memory_law(reports, degree)
                return CostLaw(lengths[0], period, law, _example(reports), lengths, memory)
    raise CountError(
        f"the cost at lengths {first} + n {period} is no polynomial of degree {LARGEST_DEGREE}",
        "Give a period along which the model does the same again, or count the length itself.",
    )


def _example(reports: Mapping[int, CostReport]) -> CostReport:
    """The first report, with the unread parameters if they are the same at all lengths."""
    unread = {report.unread for report in reports.values()}
    return reports[0] if len(unread) == 1 else replace(reports[0], unread=None)


def _memory_law(reports: Mapping[int, CostReport], degree: int) -> tuple[Amounts, ...] | None:
    """The polynomials of the peak and of the inputs' size, if they hold at all lengths.

    A peak is a maximum of polynomials, so that there may be none although the cost has one.
    """
    sizes = {n: (r.peak_activation_bytes, r.input_bytes) for n, r in reports.items()}
    known = {n: (a, b) for n, (a, b) in sizes.items() if a is not None and b is not None}
    if known.keys() != sizes.keys():
        return None
    law = _forward([known[n] for n in range(degree + 1)])
    holds = all(_memory_after(law, n) == found for n, found in known.items())
    return law if holds else None


def _memory_after(law: tuple[Amounts, ...] | None, steps: int) -> tuple[int | None, int | None]:
    """The peak and the inputs' size; None where there is no law."""
    if law is None:
        return None, None
    peak, inputs, *_ = _extrapolated(law, steps)
    return peak, inputs


def _law_through(reports: list[CostReport]) -> dict[Entry, tuple[Amounts, ...]]:
    """The polynomials through the tallies of some reports, a period apart."""
    tables = [_table(report) for report in reports]
    entries = dict.fromkeys(entry for table in tables for entry in table)
    return {e: _forward([table.get(e, NOTHING) for table in tables]) for e in entries}


def _holds(law: Mapping[Entry, tuple[Amounts, ...]], steps: int, report: CostReport) -> bool:
    """Whether a law foretells each tally of a report."""
    table = _table(report)
    return law.keys() >= table.keys() and all(
        _extrapolated(rows, steps) == table.get(entry, NOTHING) for entry, rows in law.items()
    )


def _table(report: CostReport) -> dict[Entry, Amounts]:
    return {_entry(tally): _amounts(tally) for tally in report.tallies}


def _forward(values: list[Amounts]) -> tuple[Amounts, ...]:
    """First entries of the difference table, up to the last row that is not all zero."""
    rows: list[Amounts] = []
    table = values
    while table and any(any(amounts) for amounts in table):
        rows.append(table[0])
        table = [tuple(b - a for a, b in zip(*pair, strict=True)) for pair in pairwise(table)]
    return tuple(rows)


def _extrapolated(rows: tuple[Amounts, ...], steps: int) -> Amounts:
    """Newton's formula: the sum of C(n, k) times the k-th differences."""
    columns = zip(*rows, strict=True)
    amounts = (sum(comb(steps, k) * d for k, d in enumerate(column)) for column in columns)
    return tuple(amounts) or NOTHING


def _coefficients(values: list[int], start: int, period: int) -> tuple[Fraction, ...]:
    """Of the polynomial in L through values at start, start + period, ..."""
    rows = [row[0] for row in _forward([(value,) for value in values])]
    total = [Fraction(0)] * max(1, len(rows))
    basis = [Fraction(1)]  # C((L - start) / period, k) as a polynomial in L
    for k, difference in enumerate(rows):
        total = [t + difference * b for t, b in zip(total, _padded(basis, len(total)), strict=True)]
        factor = (Fraction(-start - k * period, period * (k + 1)), Fraction(1, period * (k + 1)))
        basis = _multiplied(basis, factor)
    return tuple(total)


def _padded(polynomial: list[Fraction], length: int) -> list[Fraction]:
    return polynomial[:length] + [Fraction(0)] * (length - len(polynomial))


def _multiplied(polynomial: list[Fraction], factor: tuple[Fraction, Fraction]) -> list[Fraction]:
    """Times factor[0] + factor[1] L."""
    low = [factor[0] * c for c in polynomial] + [Fraction(0)]
    high = [Fraction(0)] + [factor[1] * c for c in polynomial]
    return [a + b for a, b in zip(low, high, strict=True)]


def _entry(tally: Tally) -> Entry:
    return tally.operator, tally.module, tally.counted


def _amounts(tally: Tally) -> Amounts:
    dead = (tally.dead_calls, *astuple(tally.dead_cost))
    return (tally.calls, *astuple(tally.cost), tally.bytes_moved, *dead)


def _tally(entry: Entry, amounts: Amounts) -> Tally:
    operator, module, counted = entry
    kinds = len(fields(OpCost))
    calls, *cost = amounts[: kinds + 1]
    moved, dead_calls, *dead_cost = amounts[kinds + 1 :]
    spent, in_vain = OpCost(*cost), OpCost(*dead_cost)
    return Tally(operator, module, calls, spent, moved, counted, dead_calls, in_vain)
