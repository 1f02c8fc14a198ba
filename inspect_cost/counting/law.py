"""A cost law: what a model costs as an exact polynomial in a length. Nothing here needs torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from fractions import Fraction
from typing import Any, Self

from inspect_cost.counting import as_data
from inspect_cost.counting.polynomial import (
    extrapolate,
    find_coefficients,
    format_polynomial,
    take_differences,
)
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import Tally
from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import UsageError
from inspect_cost.values.notes import Note
from inspect_cost.values.presentable import Presentable

#: The amounts of a tally: calls, the fields of its `OpCost`, bytes; calls and cost of unused work;
#: cost of hoistable work.
Amounts = tuple[int, ...]
Entry = tuple[str, str, bool]

NOTHING: Amounts = (0,) * (3 * len(fields(OpCost)) + 3)


@dataclass(frozen=True, repr=False)
class CostLaw(Presentable):
    """Cost as a polynomial in a length, at the lengths start, start + period, start + 2 period ...

    Attributes:
        start: shortest length that it holds for.
        period: distance from one length to the next.
        differences: for each operator of each module, the forward differences of its amounts:
            those at ``start``, their first differences, their second ...
        example: the report at ``start``, for what does not depend on the length.
        counted_at: the lengths that were counted.
        memory: forward differences of the peak of the activations and the bytes of the inputs;
            None if they follow no such law.
    """

    start: int
    period: int
    differences: Mapping[Entry, tuple[Amounts, ...]]
    example: CostReport
    counted_at: tuple[int, ...]
    memory: tuple[Amounts, ...] | None = None

    @classmethod
    def fit(
        cls, counted: Callable[[int], CostReport], lengths: Sequence[int], degree: int
    ) -> "CostLaw | None":
        """Return the law of a degree through the first lengths; None unless it holds for all.

        Args:
            counted: from a length to its report; called until one is not as predicted.
            lengths: the shortest first and the next ``degree`` a period apart.
            degree: degree of the polynomials.
        """
        start, period = lengths[0], lengths[1] - lengths[0]
        differences = find_differences([counted(n) for n in lengths[: degree + 1]])
        steps = [(n - start) // period for n in lengths]
        for step, length in zip(steps, lengths, strict=True):
            if not predicts(differences, step, counted(length)):
                return None
        reports = {step: counted(n) for step, n in zip(steps, lengths, strict=True)}
        memory = _memory_law(reports, degree)
        return cls(start, period, differences, _example(reports), tuple(lengths), memory)

    @property
    def degree(self) -> int:
        """Degree of the polynomial in the length."""
        return max((len(rows) - 1 for rows in self.differences.values()), default=0)

    def covers(self, length: int) -> bool:
        """Return whether the law holds for a length."""
        return length >= self.start and (length - self.start) % self.period == 0

    def agrees_with(self, report: CostReport, length: int) -> bool:
        """Return whether the report of a length that the law covers is as predicted."""
        return predicts(self.differences, (length - self.start) // self.period, report)

    def report(self, length: int) -> CostReport:
        """Return the cost at a length.

        Raises:
            UsageError: the law does not hold for this length.
        """
        if not self.covers(length):
            raise UsageError(
                f"the law holds for lengths {self.start} + n {self.period}, not for {length}",
                "Give one of these lengths.",
            )
        steps = (length - self.start) // self.period
        tallies = tuple(
            _tally(entry, _amounts_after(rows, steps)) for entry, rows in self.differences.items()
        )
        lengths = ", ".join(f"{n:,}" for n in self.counted_at)
        note = Note(
            "by-law",
            f"By the cost law, an exact polynomial of degree {self.degree} in the length, counted "
            f"and verified at lengths {lengths}.",
        )
        peak, inputs = _memory_after(self.memory, steps)
        return replace(
            self.example,
            tallies=tallies,
            notes=(*self.example.notes, note),
            peak_activation_bytes=peak,
            input_bytes=inputs,
        )

    def sample(self, first: int, last: int, points: int = 60) -> list[tuple[int, int]]:
        """Return (length, MACs) at covered lengths, evenly spaced on a logarithmic scale."""
        lengths = set()
        for n in range(points):
            wanted = first * (last / first) ** (n / (points - 1))
            steps = max(0, round((wanted - self.start) / self.period))
            lengths.add(self.start + steps * self.period)
        return [(length, self.report(length).macs) for length in sorted(lengths)]

    @property
    def macs(self) -> tuple[Fraction, ...]:
        """Coefficients of `MACs(L) = c_0 + c_1 L + c_2 L^2 + ...`, lowest first."""
        return self._polynomial(lambda report: report.macs)

    @property
    def flops(self) -> tuple[Fraction, ...]:
        """Coefficients of the FLOPs, lowest first."""
        return self._polynomial(lambda report: report.flops)

    @property
    def bytes_moved(self) -> tuple[Fraction, ...]:
        """Coefficients of the bytes moved, lowest first."""
        return self._polynomial(lambda report: report.bytes_moved)

    def _polynomial(self, amount: Callable[[CostReport], int]) -> tuple[Fraction, ...]:
        lengths = [self.start + n * self.period for n in range(self.degree + 1)]
        amounts = [amount(self.report(length)) for length in lengths]
        return find_coefficients(amounts, self.start, self.period)

    @property
    def domain(self) -> str:
        """Lengths that it holds for, in words."""
        if self.period == 1:
            return f"L >= {self.start:,}"
        lengths = [f"{self.start + n * self.period:,}" for n in range(3)]
        return f"L = {', '.join(lengths)}, ..."

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.example.model}: {self}>"

    def __str__(self) -> str:
        return f"MACs(L) = {format_polynomial(self.macs)} for {self.domain}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON; coefficients are exact, "45/4", lowest power first."""
        return {**self.summarize(), **_write_exactly(self)}

    def summarize(self) -> dict[str, Any]:
        """Return the polynomials as plain data: the law cannot be read back from these alone."""
        return {
            "kind": "counted",
            "period": self.period,
            "start": self.start,
            "degree": self.degree,
            "macs": [str(c) for c in self.macs],
            "flops": [str(c) for c in self.flops],
            "bytes_moved": [str(c) for c in self.bytes_moved],
            "text": str(self),
            "verified_at": list(self.counted_at),
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        differences = dict(_read_differences(row) for row in written["differences"])
        memory = written["memory"]
        return cls(
            start=written["start"],
            period=written["period"],
            differences=differences,
            example=_read_example(written["example"], differences),
            counted_at=tuple(written["verified_at"]),
            memory=None if memory is None else tuple(map(tuple, memory)),
        )


def find_differences(reports: Sequence[CostReport]) -> dict[Entry, tuple[Amounts, ...]]:
    """Return the forward differences of the tallies of reports that are a period apart."""
    tables = [_table(report) for report in reports]
    entries = dict.fromkeys(entry for table in tables for entry in table)
    return {e: take_differences([table.get(e, NOTHING) for table in tables]) for e in entries}


def predicts(law: Mapping[Entry, tuple[Amounts, ...]], steps: int, report: CostReport) -> bool:
    """Return whether a law predicts each tally of a report."""
    table = _table(report)
    return law.keys() >= table.keys() and all(
        _amounts_after(rows, steps) == table.get(entry, NOTHING) for entry, rows in law.items()
    )


def _amounts_after(rows: tuple[Amounts, ...], steps: int) -> Amounts:
    """Return the amounts this many periods after the start; of no rows, nothing."""
    return extrapolate(rows, steps) or NOTHING


def _table(report: CostReport) -> dict[Entry, Amounts]:
    return {_entry(tally): _amounts(tally) for tally in report.tallies}


def _example(reports: Mapping[int, CostReport]) -> CostReport:
    """Return the first report, with the unread parameters if all lengths have the same."""
    unread = {report.unread for report in reports.values()}
    return reports[0] if len(unread) == 1 else replace(reports[0], unread=None)


def _memory_law(reports: Mapping[int, CostReport], degree: int) -> tuple[Amounts, ...] | None:
    """Return the polynomials of the peak and of the inputs' size; None unless they always hold.

    A peak is a maximum of polynomials, so that there may be none although the cost has one.
    """
    sizes = {n: (r.peak_activation_bytes, r.input_bytes) for n, r in reports.items()}
    known = {n: (a, b) for n, (a, b) in sizes.items() if a is not None and b is not None}
    if known.keys() != sizes.keys():
        return None
    law = take_differences([known[n] for n in range(degree + 1)])
    holds = all(_memory_after(law, n) == found for n, found in known.items())
    return law if holds else None


def _memory_after(law: tuple[Amounts, ...] | None, steps: int) -> tuple[int | None, int | None]:
    """Return the peak and the inputs' size; None if they follow no law."""
    if law is None:
        return None, None
    peak, inputs, *_ = _amounts_after(law, steps)
    return peak, inputs


def _entry(tally: Tally) -> Entry:
    return tally.operator, tally.module, tally.counted


def _amounts(tally: Tally) -> Amounts:
    dead = (tally.dead_calls, *astuple(tally.dead_cost))
    spent = (tally.calls, *astuple(tally.cost), tally.bytes_moved)
    return (*spent, *dead, *astuple(tally.fixed_cost))


def _tally(entry: Entry, amounts: Amounts) -> Tally:
    operator, module, counted = entry
    kinds = len(fields(OpCost))
    calls, *cost = amounts[: kinds + 1]
    moved, dead_calls, *others = amounts[kinds + 1 :]
    spent, in_vain, fixed = OpCost(*cost), OpCost(*others[:kinds]), OpCost(*others[kinds:])
    return Tally(operator, module, calls, spent, moved, counted, dead_calls, in_vain, fixed)


def _write_exactly(law: CostLaw) -> dict[str, Any]:
    """Return what it takes to read a law back; the example's tallies only if they are its own."""
    example = as_data.write_count(law.example)
    if law.example.tallies == _tallies_at_start(law.differences):
        del example["tallies"]
    return {
        "differences": [_write_differences(*entry) for entry in law.differences.items()],
        "memory": None if law.memory is None else list(map(list, law.memory)),
        "example": example,
    }


def _write_differences(entry: Entry, rows: tuple[Amounts, ...]) -> dict[str, Any]:
    operator, module, counted = entry
    return {
        "operator": operator,
        "module": module,
        **({} if counted else {"counted": False}),
        "differences": [as_data.write_amounts(_tally(entry, amounts)) for amounts in rows],
    }


def _read_differences(row: Mapping[str, Any]) -> tuple[Entry, tuple[Amounts, ...]]:
    entry = row["operator"], row["module"], row.get("counted", True)
    tallies = (as_data.read_amounts(*entry[:2], d, counted=entry[2]) for d in row["differences"])
    return entry, tuple(_amounts(tally) for tally in tallies)


def _read_example(
    written: Mapping[str, Any], differences: Mapping[Entry, tuple[Amounts, ...]]
) -> CostReport:
    if "tallies" in written:
        return CostReport.from_dict(written)
    tallies = _tallies_at_start(differences)
    return replace(CostReport.from_dict({**written, "tallies": []}), tallies=tallies)


def _tallies_at_start(differences: Mapping[Entry, tuple[Amounts, ...]]) -> tuple[Tally, ...]:
    """Return the tallies that a law agrees_with for its first length, without those of no calls."""
    tallies = (_tally(entry, rows[0]) for entry, rows in differences.items() if rows)
    return tuple(tally for tally in tallies if tally.calls)
