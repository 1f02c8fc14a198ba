"""Values as users write them, in a table of TOML or a row of CSV.

A value ``x`` is a number, or text such as "3.9 +- 0.2" with the half-width of its 95 % interval.
Entries beside it say more: ``x_ci`` is that half-width, ``x_kind`` its kind, ``x_source`` its
source; ``kind`` and ``source`` hold for all values that have none of their own.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, get_args

from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import LARGEST, Kind, Quantity

CI, KIND, SOURCE = "_ci", "_kind", "_source"
KINDS: tuple[Kind, ...] = get_args(Kind)
HOW_TO_WRITE = 'Write 3.9 or "3.9 +- 0.2", with a decimal point; leave it out if unknown.'
PLUS_MINUS = re.compile(r"\s*(?:\+-|\+/-|±)\s*")


def read_values(entries: Mapping[str, Any]) -> dict[str, Quantity]:
    """Return name -> value of a table's entries, without units; the kind is "reported" by default.

    ``x_ci`` is a value of its own if there is no ``x``.

    Raises:
        UsageError: an entry is invalid; `field` is its name.
    """
    return {name: _read_value(name, entries) for name in entries if not is_beside(name, entries)}


def is_beside(name: str, entries: Mapping[str, Any]) -> bool:
    """Return whether an entry describes another value, or all of them."""
    return is_text(name) or (name.endswith(CI) and name.removesuffix(CI) in entries)


def is_text(name: str) -> bool:
    """Return whether an entry of that name is text, and never a value."""
    return name in {"kind", "source"} or name.endswith((KIND, SOURCE))


def is_number(entry: Any) -> bool:
    """Return whether an entry is a number, with or without an interval."""
    try:
        _read_number("", entry)
    except UsageError:
        return False
    return True


def _read_value(name: str, entries: Mapping[str, Any]) -> Quantity:
    value, half_width = _read_number(name, entries[name])
    where = name
    if name + CI in entries:
        where = name + CI
        half_width, _ = _read_number(where, entries[where])
    if half_width is not None and half_width < 0:
        raise UsageError(
            f"the half-width {half_width:g} is negative",
            "Give half of the interval's width.",
            field=where,
        )
    ends = (value - half_width, value + half_width) if half_width else None
    source = entries.get(name + SOURCE) or entries.get("source") or ""
    return Quantity(value, "", _read_kind(name, entries), str(source), ends)


def _read_number(name: str, entry: Any) -> tuple[float, float | None]:
    """Return a number and the half-width written after it, or None; whole numbers stay whole."""
    numbers = [entry]
    if isinstance(entry, str):
        with suppress(ValueError):
            numbers = [float(part) for part in PLUS_MINUS.split(entry.strip(), maxsplit=1)]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, float)) or number != number:  # noqa: PLR0124 - NaN
            raise UsageError(f"{entry!r} is not a number", HOW_TO_WRITE, field=name)
        if abs(number) >= LARGEST:
            raise UsageError(f"{number:g} is too large", "Leave it out if unknown.", field=name)
    return numbers[0], numbers[1] if numbers[1:] else None


def _read_kind(name: str, entries: Mapping[str, Any]) -> Kind:
    where = name + KIND if entries.get(name + KIND) else "kind"
    given = entries.get(where) or "reported"
    for kind in KINDS:
        if kind == given:
            return kind
    raise UsageError(f"unknown kind {given!r}", f"Write {', '.join(KINDS)}.", field=where)
