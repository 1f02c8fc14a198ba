"""What options mean: lengths, settings, names of models."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter, Token

from inspect_cost.values.errors import UsageError

if TYPE_CHECKING:
    from model_zoo import Preset

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


def parsed_option(option: str, text: str | None) -> int | None:
    """A length that was given as an option, or None."""
    from inspect_cost.values.units import parse_length

    try:
        return None if text is None else parse_length(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", "Give a whole number of samples.") from None


def named_preset(model: str) -> "Preset":
    """The preset of that name, or what to say of a MODEL that is none and names no code."""
    import model_zoo

    if model.endswith(".py"):
        raise UsageError(f"{model} alone names no model", "Give path/to/file.py:ClassOrFactory.")
    try:
        return model_zoo.preset(model)
    except model_zoo.UnknownModelError as error:
        raise UsageError(
            str(error.args[0]), "For a model of your own, give module:Class or file.py:Class."
        ) from None


def parsed_trip_count(text: str) -> tuple[str, int]:
    """NODE=N, the node's name as it stands in the file."""
    node, equals, count = text.rpartition("=")
    if not equals or not node or not count.isdigit():
        raise UsageError(f"--trip-count {text!r} is not NODE=N", "Write, for example, loop=10.")
    return node, int(count)


def parsed_setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE with the value as a Python literal, or as text."""
    from ast import literal_eval

    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise UsageError(f"--set {text!r} is not NAME=VALUE", "Write, for example, layers=3.")
    try:
        return name, literal_eval(value.capitalize() if value in {"true", "false"} else value)
    except (ValueError, SyntaxError):
        return name, value


def check_inputs_and_settings(model: str, inputs: Sequence[str], settings: Sequence[str]) -> None:
    """Refuse settings of a user's own model or of a file, and inputs of a preset."""
    own, file = ":" in model, model.endswith(".onnx")
    if (own or file) and settings:
        where = "Set it in your factory" if own else "Export the model with it"
        raise UsageError("--set is for presets of the zoo", f"{where} instead.")
    if not (own or file) and inputs:
        raise UsageError(
            f"{model} makes its own inputs", "Give --input-len for its length, and no --input."
        )
