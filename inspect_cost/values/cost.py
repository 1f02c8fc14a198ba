"""The arithmetic of an operator, by class: frozen values that add up. Nothing here needs torch."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from operator import attrgetter
from typing import Any, Self

#: Classes of the arithmetic outside contractions, in the order of the reports.
ARITHMETIC_CLASSES = ("add", "mul", "div", "sqrt", "special", "compare")


@dataclass(frozen=True, slots=True)
class FlopWeights:
    """FLOPs that one operation of each class stands for; by convention 1, and 2 for a MAC."""

    mac: int = 2
    add: int = 1
    mul: int = 1
    div: int = 1
    sqrt: int = 1
    special: int = 1
    compare: int = 1

    def to_dict(self) -> dict[str, int]:
        """Return the weights as plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(**{kind.name: written[kind.name] for kind in fields(cls)})


CONVENTIONAL = FlopWeights()


@dataclass(frozen=True, slots=True)
class OpCost:
    """Scalar operations, exactly.

    Attributes:
        macs: multiply-accumulates inside contractions.
        add: additions and subtractions outside of them, like all that follow.
        mul: multiplications.
        div: divisions.
        sqrt: square roots and their reciprocals.
        special: exp, log, tanh, sigmoid, sin, erf, pow and the like; one evaluation is 1.
        compare: comparisons and choices: relu, max, clamp, where.
    """

    macs: int = 0
    add: int = 0
    mul: int = 0
    div: int = 0
    sqrt: int = 0
    special: int = 0
    compare: int = 0

    def __add__(self, other: "OpCost") -> "OpCost":
        return OpCost(
            self.macs + other.macs,
            self.add + other.add,
            self.mul + other.mul,
            self.div + other.div,
            self.sqrt + other.sqrt,
            self.special + other.special,
            self.compare + other.compare,
        )

    def __mul__(self, times: int) -> "OpCost":
        return OpCost(
            self.macs * times,
            self.add * times,
            self.mul * times,
            self.div * times,
            self.sqrt * times,
            self.special * times,
            self.compare * times,
        )

    __rmul__ = __mul__

    @property
    def flops_by_class(self) -> dict[str, int]:
        """Operations outside contractions, by class; with 2 per MAC they are the FLOPs."""
        return {name: getattr(self, name) for name in ARITHMETIC_CLASSES}

    @property
    def flops(self) -> int:
        """2 x MACs + all other arithmetic."""
        return self.weighted_flops(CONVENTIONAL)

    def weighted_flops(self, weights: FlopWeights) -> int:
        """FLOPs with other weights than the convention's."""
        flops = weights.mac * self.macs
        for name, operations in self.flops_by_class.items():
            weight: int = getattr(weights, name)
            flops += weight * operations
        return flops

    def to_dict(self) -> dict[str, int]:
        """Return the operations as plain data, for JSON, without the zeros."""
        return {name: operations for name, operations in asdict(self).items() if operations}

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives; other keys are left alone."""
        return cls(**{kind.name: written.get(kind.name, 0) for kind in fields(cls)})


FREE = OpCost()
_in_order = attrgetter(*(kind.name for kind in fields(OpCost)))


def total(costs: Iterable[OpCost]) -> OpCost:
    """Return the sum of many costs, class by class: adding them one by one would make as many."""
    columns = zip(*map(_in_order, costs), strict=True)
    return OpCost(*map(sum, columns))
