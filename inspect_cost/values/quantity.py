"""A number with its unit, its kind, its source and its uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

#: counted from shapes, measured by a sensor or a clock, estimated by a model, reported elsewhere.
Kind = Literal["counted", "measured", "estimated", "reported"]
#: Upper bound of numbers that users give: squares of larger ones may overflow.
LARGEST = 1e100


@dataclass(frozen=True)
class Quantity:
    """A value with its kind; an unknown value is None in place of a Quantity.

    Attributes:
        value: the number, in ``unit``.
        unit: "J", "W", "s", "B", "kgCO2e" ...
        kind: how it was obtained.
        source: the sensor, the formula or the publication, in a few words.
        ci95: (low, high) of its 95 % confidence interval, or of its range; None if unknown.
    """

    value: float
    unit: str
    kind: Kind
    source: str
    ci95: tuple[float, float] | None = None

    @property
    def half_width(self) -> float:
        """Half-width of the interval; 0 if there is none."""
        low, high = self.ci95 or (0.0, 0.0)
        return (high - low) / 2

    def scaled(self, factor: float, unit: str = "") -> "Quantity":
        """Return this quantity times an exact positive factor, in another unit if one is given."""
        ends = self.ci95 and (self.ci95[0] * factor, self.ci95[1] * factor)
        return Quantity(self.value * factor, unit or self.unit, self.kind, self.source, ends)

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` returns.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is something else.
        """
        ends = written.get("ci95")
        return cls(
            check_number(written["value"]),
            str(written["unit"]),
            written["kind"],
            str(written["source"]),
            (check_number(ends[0]), check_number(ends[1])) if ends else None,
        )

    @classmethod
    def or_none(cls, written: Mapping[str, Any] | None) -> Self | None:
        """Read what `to_dict` returns, or the null of an unknown value."""
        return None if written is None else cls.from_dict(written)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {
            "value": self.value,
            "unit": self.unit,
            "kind": self.kind,
            "source": self.source,
            "ci95": list(self.ci95) if self.ci95 else None,
        }


def check_number(given: Any) -> float:
    """Return a number from plain data; whole numbers stay whole.

    Raises:
        TypeError: it is not a number.
        ValueError: it is too large.
    """
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise TypeError(f"{given!r} is not a number")
    if abs(given) > LARGEST:
        raise ValueError(f"{given!r} is too large")
    return given
