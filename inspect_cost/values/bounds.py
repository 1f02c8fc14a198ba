"""Inputs that may be ranges: read from text, added and multiplied end by end."""

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
#: A number and its unit: "11.3 d", ".5", "1e3 W".
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
        """Return a number without a range."""
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


def add_bounds(parts: Sequence[Bounds]) -> Bounds:
    """Return the sum of at least one number; the ranges' ends add up."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def parse_bounds(
    given: Given,
    field: str,
    units: Mapping[str, float],
    *,
    least: float = 0,
    positive: bool = False,
) -> Bounds:
    """Parse a number or a range, in the first of the units.

    Args:
        given: 52, (52, 60), "52", "52..60", "12+10+30", "11.3 d".
        field: the parameter that it is given for.
        units: unit -> how many of the first one it is; "" where none is written.
        least: the smallest value allowed.
        positive: whether 0 is too small as well.

    Raises:
        UsageError: it is not a number, or not a possible one.
    """
    total = add_bounds(_parse_terms(given, field, units))
    ends = (total.low, total.high)
    if not all(map(isfinite, ends)):
        raise UsageError(f"`{field}` {given} is not finite", "Give a number.", field=field)
    if min(ends) < least or (positive and min(ends) <= 0):
        bound = "not above 0" if positive else f"below {least:g}"
        advice = f"Give more than {least:g}." if positive else f"Give {least:g} or more."
        raise UsageError(f"`{field}` {given} is {bound}", advice, field=field)
    return total


def _parse_terms(given: Given, field: str, units: Mapping[str, float]) -> list[Bounds]:
    """Parse the parts of a sum; what is not text has only one."""
    if isinstance(given, str):
        return [_parse_term(term, given, field, units) for term in given.split("+")]
    numbers = [given] if isinstance(given, (int, float)) else [float(end) for end in given]
    return [_make_bounds(numbers, str(given), field)]


def _parse_term(term: str, given: str, field: str, units: Mapping[str, float]) -> Bounds:
    """Parse a number or a range with its unit; a range's unit may stand at its end only."""
    ends = [_TERM.fullmatch(end.strip()) for end in term.split("..")]
    found = [(float(end[1]), (end[2] or "").strip()) for end in ends if end]
    last_unit = found[-1][1] if found else ""
    values = [value * units.get(unit or last_unit, float("nan")) for value, unit in found]
    if len(found) != len(ends) or any(value != value for value in values):  # noqa: PLR0124 - NaN
        known = ", ".join(unit for unit in units if unit) or "no unit"
        raise UsageError(
            f"`{field}` {given!r} is not a number",
            f"Write 52, 52..60 or 12+10+30 ({known}).",
            field=field,
        )
    return _make_bounds(values, given, field)


def _make_bounds(ends: Sequence[float], given: str, field: str) -> Bounds:
    if not 1 <= len(ends) <= 2 or ends[0] > ends[-1]:  # noqa: PLR2004 - a range has two ends
        raise UsageError(
            f"`{field}` {given} is not a range", "Write the lower end first: 52..60.", field=field
        )
    return Bounds(ends[0], (ends[0] + ends[-1]) / 2, ends[-1])
