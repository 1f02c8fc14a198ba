"""What options mean: lengths, settings, names of models."""

from collections.abc import Sequence
from typing import Any

from cyclopts import Parameter, Token

from inspect_cost.values.errors import UsageError

#: An option that is there or not.
Flag = Parameter(negative="", show_default=False)


def whole_number(_type: Any, tokens: Sequence[Token]) -> int:
    """An option's whole number; cyclopts alone would round 1.5.

    Raises:
        ValueError: it is none.
    """
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None


Whole = Parameter(converter=whole_number)


def parse_length_option(parameter: str, text: str | None) -> int | None:
    """Return a length that was given as an option, or None.

    Raises:
        UsageError: it is not a whole number from 1.
    """
    from inspect_cost.values.units import parse_length

    try:
        return None if text is None else parse_length(text)
    except ValueError as error:
        raise UsageError(
            f"`{parameter}`: {error}", "Give a whole number of samples.", field=parameter
        ) from None


def parse_trip_count(text: str) -> tuple[str, int]:
    """NODE=N, the node's name as it stands in the file."""
    node, equals, count = text.rpartition("=")
    if not equals or not node or not count.isdigit():
        raise UsageError(f"--trip-count {text!r} is not NODE=N", "Write, for example, loop=10.")
    return node, int(count)


def parse_setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE with the value as a Python literal, or as text."""
    from ast import literal_eval

    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise UsageError(f"--set {text!r} is not NAME=VALUE", "Write, for example, layers=3.")
    try:
        return name, literal_eval(value.capitalize() if value in {"true", "false"} else value)
    except (ValueError, SyntaxError):
        return name, value
