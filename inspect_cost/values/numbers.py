"""Checks of numbers that users give."""

from math import inf
from numbers import Real

from inspect_cost.values.errors import UsageError


def check_positive(name: str, value: object, example: str) -> None:
    """Refuse what is given and not a finite number above 0; None stands for nothing given.

    Args:
        name: of the parameter.
        value: what was given for it.
        example: a value that would do.

    Raises:
        UsageError: it is nan, infinite, 0, negative, or no number.
    """
    if value is None:
        return
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 < float(value) < inf:  # type: ignore[arg-type]  # it is a number
        raise UsageError(
            f"`{name}` is {value!r}, which is not a number above 0",
            f"Give, for example, {example}.",
            field=name,
        )
