"""Shapes as definitions of operators have them, such as "T B I" and "D 4H I", to check calls by.

A letter is one size throughout a call, "4H" four times that size, a number that number, "*" any
size, and "..." any number of sizes. Letters that attributes fix are bound before.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from inspect_cost.counting.onnx.value import Value

Axes = Sequence[int | None]
_REST = "..."


def match_operands(
    patterns: Sequence[str], operands: Sequence[Value | None], bound: Mapping[str, int]
) -> None:
    """Check operands that are present, in order, as far as their sizes are known.

    Args:
        patterns: one for each operand; "" for one that is not checked. More operands may follow.
        operands: the operands; None for one that is omitted.
        bound: letter -> its size, from attributes.

    Raises:
        ValueError: an operand does not match.
    """
    sizes = dict(bound)
    for position, (pattern, operand) in enumerate(zip(patterns, operands, strict=False)):
        axes = None if operand is None else get_axes(operand)
        if pattern and axes is not None and not _match(pattern, axes, sizes):
            known = ", ".join(f"{name} = {size}" for name, size in sizes.items() if name in pattern)
            raise ValueError(
                f"operand {position} is {tuple(axes)}, not ({', '.join(pattern.split())})"
                + (f" with {known}" if known else "")
            )


def get_axes(value: Value) -> Axes | None:
    """Return the sizes of a tensor, None for each that is unknown."""
    return value.axes if value.shape is None else value.shape


def _match(pattern: str, axes: Axes, sizes: dict[str, int]) -> bool:
    before, after = _split(pattern)
    if after is None:
        return len(axes) == len(before) and _match_all(before, axes, sizes)
    if len(axes) < len(before) + len(after):
        return False
    ends = [*axes[: len(before)], *axes[len(axes) - len(after) :]]
    return _match_all([*before, *after], ends, sizes)


@lru_cache
def _split(pattern: str) -> tuple[list[str], list[str] | None]:
    """Return the tokens before and after "..."; the latter is None without one."""
    tokens = pattern.split()
    if _REST not in tokens:
        return tokens, None
    at = tokens.index(_REST)
    return tokens[:at], tokens[at + 1 :]


def _match_all(tokens: Sequence[str], axes: Axes, sizes: dict[str, int]) -> bool:
    return all(_match_one(t, n, sizes) for t, n in zip(tokens, axes, strict=True))


def _match_one(entry: str, size: int | None, sizes: dict[str, int]) -> bool:
    """Match a size and bind the letter that it tells."""
    if size is None or entry == "*":
        return True
    factor, name = _parse(entry)
    if not name:
        return size == factor
    if name in sizes:
        return size == factor * sizes[name]
    sizes[name] = size // factor
    return size % factor == 0


@lru_cache
def _parse(token: str) -> tuple[int, str]:
    """Return the factor and the letter of a token."""
    found = re.fullmatch(r"(\d*)([A-Za-z]*)", token)
    factor, name = found.groups() if found else ("", token)
    return int(factor or 1), name


def broadcasts_to(axes: Axes | None, target: Axes | None) -> bool:
    """Return whether a shape, as far as it is known, broadcasts to another without changing it."""
    if axes is None or target is None:
        return True
    if len(axes) > len(target):
        return False
    pairs = zip(axes, list(target)[len(target) - len(axes) :], strict=True)
    return all(None in {n, m} or n in {1, m} for n, m in pairs)


def demand(fits: bool, complaint: str) -> None:
    """Raise a ValueError with a complaint unless something fits."""
    if not fits:
        raise ValueError(complaint)
