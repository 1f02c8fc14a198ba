"""Inputs that may be ranges: read from text, added and multiplied from end to end."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from inspect_cost.values.errors import UsageError

#: A number, a pair (low, high), or text such as "52..60", "12+10+30" or "437 g".
Given = float | str | Sequence[float]

HOURS: Mapping[str, float] = {"": 1, "h": 1, "d": 24, "min": 1 / 60}
WATTS: Mapping[str, float] = {"": 1, "W": 1, "kW": 1000}
PLAIN: Mapping[str, float] = {"": 1}
_TERM = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\d\s.+-].*)?")


@dataclass(frozen=True)
class Bounds:
    """A number between two others; without a range all three are the same.

    Attributes:
        low: the least it can be.
        value: taken where one number is needed: the middle of what was given.
        high: the most it can be.
    """

    low: float
    value: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> "Bounds":
        """A number without a range."""
        return cls(value, value, value)

    @property
    def range(self) -> tuple[float, float] | None:
        """(low, high), or None where they are the same."""
        return (self.low, self.high) if self.low < self.high else None

    def __add__(self, other: "Bounds") -> "Bounds":
        return Bounds(self.low + other.low, self.value + other.value, self.high + other.high)

    def __mul__(self, other: "Bounds | float") -> "Bounds":
        by = other if isinstance(other, Bounds) else Bounds.exactly(other)
        return Bounds(self.low * by.low, self.value * by.value, self.high * by.high)

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}" if self.range else f"{self.value:g}"


def parsed(
    given: Given,
    name: str,
    units: Mapping[str, float],
    *,
    least: float = 0,
    positive: bool = False,
) -> Bounds:
    """A number or a range in the first of the units.

    Args:
        given: 52, (52, 60), "52", "52..60", "12+10+30", "11.3 d".
        name: what it is, for messages.
        units: unit -> how many of the first one it is; "" where none is written.
        least: it must not be below.
        positive: whether 0 is too little as well.

    Raises:
        UsageError: it is no number, or not a possible one.
    """
    if isinstance(given, str):
        terms = [_parsed_term(term, given, name, units) for term in given.split("+")]
    else:
        numbers = [given] if isinstance(given, (int, float)) else [float(end) for end in given]
        terms = [_between(numbers, str(given), name)]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    ends = (total.low, total.high)
    if not all(map(isfinite, ends)):
        raise UsageError(f"{name} {given} is not finite", "Give a number.")
    if min(ends) < least or (positive and min(ends) <= 0):
        bound = "not above 0" if positive else f"below {least:g}"
        advice = f"Give more than {least:g}." if positive else f"Give {least:g} or more."
        raise UsageError(f"{name} {given} is {bound}", advice)
    return total


def _parsed_term(term: str, given: str, name: str, units: Mapping[str, float]) -> Bounds:
    """One number or one range, each with its unit; a range's unit may stand at its end only."""
    ends = [_TERM.fullmatch(end.strip()) for end in term.split("..")]
    found = [(float(end[1]), (end[2] or "").strip()) for end in ends if end]
    last_unit = found[-1][1] if found else ""
    values = [value * units.get(unit or last_unit, float("nan")) for value, unit in found]
    if len(found) != len(ends) or any(value != value for value in values):  # noqa: PLR0124 - NaN
        known = ", ".join(unit for unit in units if unit) or "no unit"
        raise UsageError(
            f"{name} {given!r} is no number", f"Write 52, 52..60 or 12+10+30 ({known})."
        )
    return _between(values, given, name)


def _between(ends: Sequence[float], given: str, name: str) -> Bounds:
    if not 1 <= len(ends) <= 2 or ends[0] > ends[-1]:  # noqa: PLR2004 - a range has two ends
        raise UsageError(f"{name} {given} is no range", "Write the lower end first: 52..60.")
    return Bounds(ends[0], (ends[0] + ends[-1]) / 2, ends[-1])
