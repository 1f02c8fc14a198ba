"""Formulas with their letters: a rule is applied to tensors whose sizes remember their names.

A rule works out a cost from the sizes of tensors. Here each size is a number that also carries a
symbol, ``weight[1]``; whatever the rule computes from it carries the expression in these symbols.
So what is shown as a formula is the rule itself, and cannot differ from what was counted.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from inspect_cost.counting.explanation import Formula
from inspect_cost.counting.torch.aten import Rule
from inspect_cost.counting.torch.contents import PLAIN_TENSORS, is_sparse
from inspect_cost.values.cost import ARITHMETIC_CLASSES, OpCost

if TYPE_CHECKING:
    from sympy import Expr, Symbol  # type: ignore[import-untyped]  # it has no annotations

KINDS = ("macs", *ARITHMETIC_CLASSES)
#: Longer formulas are sums over many cases; these say less than their value does.
MOST_SYMBOLS = 24
#: Sums bind looser than products, and these looser than powers.
SUM, PRODUCT, POWER = 0, 1, 2


class Traced(int):
    """A whole number, with the expression that it was worked out by."""

    expression: Expr

    @classmethod
    def of(cls, value: int, expression: Any) -> Traced:
        """Join a value with its expression."""
        made = cls(value)
        made.expression = expression
        return made


def _express(value: Any) -> Any:
    return value.expression if isinstance(value, Traced) else _sympy().Integer(int(value))


def _divide(a: Any, b: Any, quotient: int) -> Any:
    """Return ``a / b`` if it has no remainder at these sizes, otherwise its floor."""
    ratio = _express(a) / _express(b)
    return ratio if quotient * b == a else _sympy().floor(ratio)


def _make_operation(compute: Callable[[Any, Any], Any], *, swapped: bool) -> Callable[..., Any]:
    def operation(self: Traced, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented  # a float: what comes of it is no count of operations
        a, b = (other, self) if swapped else (self, other)
        value = compute(int(a), int(b))
        if compute is operator.floordiv:
            return Traced.of(value, _divide(a, b, value))
        return Traced.of(value, compute(_express(a), _express(b)))

    return operation


for _name in ("add", "sub", "mul", "floordiv"):
    _compute = getattr(operator, _name)
    setattr(Traced, f"__{_name}__", _make_operation(_compute, swapped=False))
    setattr(Traced, f"__r{_name}__", _make_operation(_compute, swapped=True))


class NamedTensor(Tensor):
    """A tensor whose sizes are traced; all else is as in the tensor that it was made from."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]
    sizes: tuple[Traced, ...]

    @property
    def shape(self) -> tuple[Traced, ...]:  # type: ignore[override]  # torch.Size keeps plain ints
        """The sizes, each with its symbol."""
        return self.sizes

    def numel(self) -> int:
        """Return the product of the sizes."""
        return prod(self.sizes)

    def size(self, dim: int | None = None) -> Any:
        """Return all sizes, or one."""
        return self.sizes if dim is None else self.sizes[dim]


class Naming:
    """Gives the sizes of a call's tensors, and its lists of numbers, symbols.

    Args:
        same: whether a result of the shape of the first tensor has that tensor's symbols. So it is
            unless the call contracts dimensions, and makes new ones.

    Attributes:
        values: symbol -> what it stands for.
    """

    def __init__(self, *, same: bool) -> None:
        self.values: dict[str, int] = {}
        self._same = same
        self._first: NamedTensor | None = None

    def name(self, value: Any, name: str) -> Any:
        """Return a value with symbols for the sizes of its tensors."""
        if isinstance(value, (list, tuple)):
            if all(type(each) is int for each in value):
                return [self._trace(f"{name}[{i}]", each) for i, each in enumerate(value)]
            named = [self.name(each, f"{name}.{i}") for i, each in enumerate(value)]
            return tuple(named) if isinstance(value, tuple) else named
        if not isinstance(value, Tensor) or type(value) not in PLAIN_TENSORS or is_sparse(value):
            return value
        made = torch.Tensor._make_subclass(NamedTensor, value.detach())
        if self._same and self._first is not None and value.shape == self._first.shape:
            made.sizes = self._first.sizes
            return made
        made.sizes = tuple(self._trace(f"{name}[{d}]", size) for d, size in enumerate(value.shape))
        self._first = self._first if self._first is not None else made
        return made

    def _trace(self, symbol: str, size: int) -> Traced:
        self.values[symbol] = size
        return Traced.of(size, _sympy().Symbol(symbol))


def find_formulas(
    rule: Rule, names: Iterable[str], out: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Formula]:
    """Return the formula of each class of operations that a call's cost has.

    Args:
        rule: of the operator.
        names: of the operator's positional arguments.
        out: the call's result.
        args: its positional arguments.
        kwargs: its keyword arguments.

    Returns:
        "macs" or a class of arithmetic -> its formula. A class that does not follow from sizes
        alone has none.
    """
    cost, naming = _trace_cost(rule, names, out, args, kwargs, same=False)
    if cost and not cost.macs:
        cost, naming = _trace_cost(rule, names, out, args, kwargs, same=True)
    formulas = {kind: _write(getattr(cost, kind, 0), naming) for kind in KINDS}
    return {kind: formula for kind, formula in formulas.items() if formula is not None}


def _trace_cost(
    rule: Rule,
    names: Iterable[str],
    out: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    same: bool,
) -> tuple[OpCost | None, Naming]:
    naming = Naming(same=same)
    named = [naming.name(value, name) for name, value in zip(names, args, strict=False)]
    more = {name: naming.name(value, name) for name, value in kwargs.items()}
    return rule(naming.name(out, "out"), *named, *args[len(named) :], **more), naming


def _write(number: int, naming: Naming) -> Formula | None:
    """Return a traced number's formula; None of 0, of a constant, and of what is too long."""
    if not number or not isinstance(number, Traced):
        return None
    expression = _sympy().factor(number.expression)
    symbols = [s for s in _sympy().preorder_traversal(expression) if s.is_Symbol]
    if not 0 < len(symbols) <= MOST_SYMBOLS:
        return None
    return Formula(
        value=int(number),
        symbols=Writer(str).write(expression),
        numbers=Writer(lambda symbol: f"{naming.values[str(symbol)]:,}").write(expression),
    )


@dataclass(frozen=True)
class Writer:
    """Writes expressions of sums, products, quotients, powers and floors as people do.

    Attributes:
        show: what is written for a symbol.
    """

    show: Callable[[Symbol], str]

    def write(self, expression: Expr, around: int = SUM) -> str:
        """Return the text of an expression; ``around`` is how tightly what surrounds it binds."""
        if expression.is_Symbol:
            return self.show(expression)
        if expression.is_Integer:
            return f"{int(expression):,}"
        if expression.is_Add:
            return _enclose(self._write_sum(expression), around > SUM)
        if expression.is_Pow and expression.exp.is_positive:
            return f"{self.write(expression.base, POWER)}^{expression.exp}"
        if expression.is_Function:
            return f"floor({self.write(expression.args[0])})"
        return _enclose(self._write_product(expression), around == POWER)

    def _write_sum(self, expression: Expr) -> str:
        terms = sorted(expression.as_ordered_terms(), key=lambda t: t.could_extract_minus_sign())
        return " + ".join(map(self.write, terms)).replace("+ -", "- ")

    def _write_product(self, expression: Expr) -> str:
        over, under = expression.as_numer_denom()
        if under != 1:
            return f"{self.write(over, PRODUCT)} / {self.write(under, POWER)}"
        factors = list(expression.as_ordered_factors())
        sign = "-" if factors[0] == -1 else ""
        return sign + " * ".join(self.write(factor, PRODUCT) for factor in factors[len(sign) :])


def _enclose(text: str, needed: bool) -> str:
    return f"({text})" if needed else text


@cache
def _sympy() -> Any:
    """Return sympy, which comes with torch; nothing else than explanations needs it."""
    import sympy  # noqa: PLC0415 - takes 0.3 s

    return sympy
