"""A number that says what it is: its unit, its kind, where it comes from, how sure it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

#: counted from shapes, measured by a sensor or a clock, estimated by a model, reported elsewhere.
Kind = Literal["counted", "measured", "estimated", "reported"]
#: What users give is smaller, for squares of larger numbers overflow; nothing real is so large.
LARGEST = 1e100


@dataclass(frozen=True)
class Quantity:
    """One value with its kind; a value that is not known is None in place of a Quantity.

    Attributes:
        value: in ``unit``.
        unit: "J", "W", "s", "B", "kgCO2e" ...
        kind: how it came about.
        source: the sensor, the formula or the publication, in a few words.
        ci95: (low, high) of its 95 % confidence interval, or of its range; None where unknown.
    """

    value: float
    unit: str
    kind: Kind
    source: str
    ci95: tuple[float, float] | None = None

    @property
    def half_width(self) -> float:
        """Of the interval; 0 where there is none."""
        low, high = self.ci95 or (0.0, 0.0)
        return (high - low) / 2

    def scaled(self, factor: float, unit: str = "") -> "Quantity":
        """This quantity times an exact positive factor, in another unit if one is given."""
        ends = self.ci95 and (self.ci95[0] * factor, self.ci95[1] * factor)
        return Quantity(self.value * factor, unit or self.unit, self.kind, self.source, ends)

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """From what `to_dict` gives.

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

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "value": self.value,
            "unit": self.unit,
            "kind": self.kind,
            "source": self.source,
            "ci95": list(self.ci95) if self.ci95 else None,
        }


def check_number(given: Any) -> float:
    """What data has as a number; whole ones stay whole.

    Raises:
        TypeError: it is none.
        ValueError: it is too large.
    """
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise TypeError(f"{given!r} is no number")
    if abs(given) > LARGEST:
        raise ValueError(f"{given!r} is too large")
    return given
