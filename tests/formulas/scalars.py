"""Numbers that count what is done to them: each scalar operation is recorded as it is done.

The naive references compute with `Real`, so they cannot help but count. Numbers that are not `Real`
are constants: whatever is computed from constants alone is free.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from inspect_cost.values.cost import OpCost

Number: TypeAlias = "Real | float"


class Tape:
    """A record of the operations so far, by class."""

    def __init__(self) -> None:
        self._done: Counter[str] = Counter()

    def enter(self, kind: str) -> None:
        """Record one operation of a class of `OpCost`."""
        self._done[kind] += 1

    @property
    def cost(self) -> OpCost:
        """Everything that was recorded."""
        return OpCost(**self._done)


class Real:
    """A real number on a tape."""

    __slots__ = ("tape", "value")

    def __init__(self, value: float, tape: Tape) -> None:
        self.value = value
        self.tape = tape

    def __add__(self, other: Number) -> "Real":
        return record("add", value(self) + value(other), self)

    def __sub__(self, other: Number) -> "Real":
        return record("add", value(self) - value(other), self)

    def __rsub__(self, other: float) -> "Real":
        return record("add", other - self.value, self)

    def __neg__(self) -> "Real":
        return record("add", -self.value, self)

    def __mul__(self, other: Number) -> "Real":
        return record("mul", value(self) * value(other), self)

    def __truediv__(self, other: Number) -> "Real":
        return record("div", value(self) / value(other), self)

    def __rtruediv__(self, other: float) -> "Real":
        return record("div", other / self.value, self)

    __radd__ = __add__
    __rmul__ = __mul__


@dataclass(frozen=True, slots=True)
class Complex:
    """A complex number made of two counted real ones."""

    re: Real
    im: Real


def value(number: Number) -> float:
    """Return the number without its tape."""
    return number.value if isinstance(number, Real) else number


def record(kind: str, result: float, *operands: Number) -> Real:
    """Return the result of one operation, and record it on the operands' tape."""
    tape = next(x.tape for x in operands if isinstance(x, Real))
    tape.enter(kind)
    return Real(result, tape)


def mac(total: Any, a: Any, b: Any) -> Any:
    """Return `total + a b` inside a contraction; for complex numbers, in four real MACs."""
    if not isinstance(b, Complex):
        return record("macs", value(total) + value(a) * value(b), a, b)
    zero = Real(0.0, b.re.tape)
    total, a = (x if isinstance(x, Complex) else Complex(x, zero) for x in (total, a))
    re = mac(total.re, a.re, b.re)
    re = record("macs", re.value - value(a.im) * value(b.im), b.im)
    return Complex(re, mac(mac(total.im, a.re, b.im), a.im, b.re))


def sqrt(x: Real) -> Real:
    """Return a square root."""
    return record("sqrt", math.sqrt(x.value), x)


def rsqrt(x: Real) -> Real:
    """Return the reciprocal of a square root."""
    return record("sqrt", 1 / math.sqrt(x.value), x)


def special(function: Callable[..., float], *xs: Number) -> Real:
    """Evaluate a function that is not arithmetic."""
    return record("special", function(*map(value, xs)), *xs)


def exp(x: Real) -> Real:
    """Return `e^x`."""
    return special(math.exp, x)


def log(x: Real) -> Real:
    """Return the natural logarithm."""
    return special(math.log, x)


def tanh(x: Real) -> Real:
    """Return the hyperbolic tangent."""
    return special(math.tanh, x)


def sigmoid(x: Real) -> Real:
    """Return `1 / (1 + e^-x)`, by convention in one evaluation."""
    return special(lambda v: 1 / (1 + math.exp(-v)), x)


def maximum(a: Number, b: Number) -> Real:
    """Return the larger of two."""
    return record("compare", max(value(a), value(b)), a, b)


def minimum(a: Number, b: Number) -> Real:
    """Return the smaller of two."""
    return record("compare", min(value(a), value(b)), a, b)


def absolute(x: Real) -> Real:
    """Return `|x|`, by convention one comparison."""
    return record("compare", abs(x.value), x)


def compare(relation: Callable[..., bool], *xs: Number) -> Real:
    """Return 1 if a relation holds, else 0: one comparison."""
    return record("compare", float(relation(*map(value, xs))), *xs)


def choose(condition: bool, a: Number, b: Number) -> Real:
    """Return a if the condition holds, else b; evaluating the condition is part of the choice."""
    return record("compare", value(a if condition else b), a, b)
