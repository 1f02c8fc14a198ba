"""What kept a call from being followed, in one line: torch's own messages are long and its own."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from inspect_cost.values.errors import InspectCostError, one_line

WITH_WEIGHTS = "Build the model on a real device, so that it has weights."
SHORTER_GENERATION = (
    "Pass eos_token_id=None, so that the longest course is counted, or build the model on a real "
    "device."
)


class Obstacle(NamedTuple):
    """A kind of failure that torch words for itself.

    Attributes:
        pattern: what its message has; a group of it is put into ``reason``.
        reason: what it is; torch's own message where it is "".
        advice: what to do.
    """

    pattern: re.Pattern[str]
    reason: str
    advice: str


#: What torch says of gradients where nothing was recorded, or only what has values.
NO_HISTORY = re.compile("does not require grad|invalid gradient at index")
COURSE = "the course depends on computed values, which are not known on meta"

#: The first whose pattern is found holds.
OBSTACLES = (
    Obstacle(
        re.compile(
            "cannot be called on meta|_local_scalar_dense|Cannot copy out of meta tensor"
            "|unallocated storage|can't convert meta device|data-dependent shape"
            "|data-independent implementation"
        ),
        COURSE,
        WITH_WEIGHTS,
    ),
    Obstacle(
        re.compile(r"aten::(\w+).*\b[Mm]eta\b", re.DOTALL),
        "aten.{0} needs values, which are not known on meta",
        WITH_WEIGHTS,
    ),
    Obstacle(
        re.compile(r"(?:register_meta function for torch\.|cannot )(\w+)(?:\(\)| a meta tensor)"),
        "aten.{0} needs values, which are not known on meta",
        WITH_WEIGHTS,
    ),
    Obstacle(
        re.compile(r"(\w+)::(\w+)'? ?(?:: attempted to run .*Meta|.*from the 'Meta')"),
        "{0}.{1} needs values, which are not known on meta",
        WITH_WEIGHTS,
    ),
    Obstacle(
        re.compile("values and offsets must be on the same device"),
        "jagged tensors are followed on real values only",
        WITH_WEIGHTS,
    ),
    Obstacle(
        re.compile("NestedTensorImpl"),
        "nested tensors of the strided layout have no sizes to count",
        "Give jagged or padded ones.",
    ),
    Obstacle(
        re.compile(r"Multiple dispatch failed.*<class '[\w.]*?(\w+)'>", re.DOTALL),
        "a {0} cannot be followed",
        "Give plain tensors, outside the mode that makes others; those on meta are shapes only.",
    ),
    Obstacle(
        NO_HISTORY,
        "",
        "Gradients are asked for of something that does not depend on what they are asked for.",
    ),
)


def explain_error(error: BaseException, method: str = "") -> tuple[str, str]:
    """Return what an error of a call is, in one line, and what to do, or "".

    Args:
        error: what the call raised.
        method: the method that was called.
    """
    for obstacle, reason in _find_obstacles(error):
        generation = obstacle.reason == COURSE and method == "generate"
        advice = SHORTER_GENERATION if generation else obstacle.advice
        return reason or one_line(error), advice
    return one_line(error), ""


def explain_obstacle(error: BaseException) -> str:
    """Return why shapes were not enough, in one line of our own words."""
    if isinstance(error, InspectCostError) and error.__cause__ is not None:
        error = error.__cause__
    for _obstacle, reason in _find_obstacles(error):
        if reason:
            return reason
    own = isinstance(error, InspectCostError)
    return one_line(error) if own else f"{type(error).__name__} was raised"


def misses_gradients(error: BaseException) -> bool:
    """Return whether a call failed for want of something that autograd did not record."""
    return NO_HISTORY.search(str(error.__cause__)) is not None


def lacks_values(error: InspectCostError) -> bool:
    """Return whether a call failed because values are not known on meta."""
    return error.__cause__ is not None and find_lacking_values(error.__cause__) is not None


def find_lacking_values(error: BaseException) -> str | None:
    """Return what needs values that are not known on meta; None if the error is another."""
    found = (
        reason for obstacle, reason in _find_obstacles(error) if obstacle.advice == WITH_WEIGHTS
    )
    return next(found, None)


def _find_obstacles(error: BaseException) -> Iterator[tuple[Obstacle, str]]:
    """Yield what the message of an error is known for, with the reason in words."""
    for obstacle in OBSTACLES:
        found = obstacle.pattern.search(str(error))
        if found is not None:
            yield obstacle, obstacle.reason.format(*found.groups())
