"""Types of options, and parsers of the values that several commands take."""

from ast import literal_eval
from collections.abc import Sequence
from math import inf

from cyclopts import Parameter, Token

from inspect_cost.values.errors import UsageError

#: A boolean option without a value: it is given, or not.
Flag = Parameter(negative="", show_default=False)


def parse_whole_number(_type: object, tokens: Sequence[Token]) -> int:
    """Return the whole number given for an option; cyclopts alone would round 1.5.

    Raises:
        ValueError: it is not a whole number.
    """
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None


def accept_whole_numbers(least: int, most: float = inf) -> Parameter:
    """Return the type of an option that takes whole numbers within bounds."""

    def parse(kind: object, tokens: Sequence[Token]) -> int:
        number = parse_whole_number(kind, tokens)
        if not least <= number <= most:
            bound = f"below {least}" if number < least else f"above {most}"
            raise ValueError(f"{number} is {bound}")
        return number

    return Parameter(converter=parse)


Whole = Parameter(converter=parse_whole_number)
FromZero = accept_whole_numbers(0)
FromOne = accept_whole_numbers(1)
#: Within the range of torch's generators.
Seed = accept_whole_numbers(0, 2**64 - 1)


def parse_length_option(parameter: str, text: str | None) -> int | None:
    """Parse a length that was given as an option; None stays None.

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


def parse_axis(text: str) -> tuple[str, int]:
    """Parse NAME=N, with the axis's name as the file has it.

    Raises:
        UsageError: it is of another form.
    """
    from inspect_cost.values.units import parse_length

    name, _, size = text.rpartition("=")
    try:
        if name:
            return name, parse_length(size)
    except ValueError:
        pass
    raise UsageError(f"--axis {text!r} is not NAME=N", "Write, for example, batch=8.")


def parse_trip_count(text: str) -> tuple[str, int]:
    """Parse NODE=N, with the node's name as the file has it.

    Raises:
        UsageError: it is of another form.
    """
    node, equals, count = text.rpartition("=")
    if not equals or not node or not count.isdigit():
        raise UsageError(f"--trip-count {text!r} is not NODE=N", "Write, for example, loop=10.")
    return node, int(count)


def parse_setting(text: str) -> tuple[str, object]:
    """Parse NAME=VALUE, with the value as a Python literal if it is one, else as text.

    Raises:
        UsageError: it is of another form.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise UsageError(f"--set {text!r} is not NAME=VALUE", "Write, for example, layers=3.")
    try:
        return name, literal_eval(value.capitalize() if value in {"true", "false"} else value)
    except (ValueError, SyntaxError):
        return name, value
