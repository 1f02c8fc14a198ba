"""Check that settings are of the types that a configuration declares, before anything is built."""

from collections.abc import Mapping
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

#: Declared type -> the type that values may have, NumPy's included, and its description in errors.
KINDS: Mapping[Any, tuple[type, str]] = {
    bool: (bool, "true or false"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "a word"),
    NoneType: (NoneType, "None"),
}


def refuse_mistyped(configuration: type, settings: Mapping[str, Any]) -> None:
    """Raise ValueError at the first setting of a type that the configuration does not declare."""
    declared = get_type_hints(configuration)
    for name, value in settings.items():
        if not is_of_type(value, declared[name]):
            raise ValueError(f"{name} must be {describe_type(declared[name])}; got {value!r}")


def is_of_type(value: object, declared: Any) -> bool:
    """Return whether a value is of a declared type; lists are tuples, booleans are not numbers."""
    parts = get_args(declared)
    if get_origin(declared) is UnionType:
        return any(is_of_type(value, part) for part in parts)
    if get_origin(declared) is tuple:
        of_any_length = parts[-1] is ...
        return (
            isinstance(value, tuple | list)
            and (of_any_length or len(value) == len(parts))
            and all(is_of_type(item, parts[0]) for item in value)
        )
    if parts:  # a Literal, whose values the configuration checks
        return True
    kind, _ = KINDS[declared]
    return isinstance(value, kind) and (declared is bool or not isinstance(value, bool))


def describe_type(declared: Any) -> str:
    """Return a description of the values that a declared type admits."""
    parts = get_args(declared)
    if get_origin(declared) is UnionType:
        return " or ".join(map(describe_type, parts))
    if get_origin(declared) is tuple:
        return "whole numbers in brackets, such as (2, 16)"
    return KINDS[declared][1]
