"""What decides the course through a graph: errors where nothing does, and the outcomes of a run."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from inspect_cost.counting.onnx.call import NodeCall, get_key
from inspect_cost.counting.onnx.executed import VaryingError
from inspect_cost.counting.onnx.value import Value
from inspect_cost.values.errors import UsageError

if TYPE_CHECKING:
    from inspect_cost.counting.onnx.graph import Walk

Values = list[Value | None]

NOTHING: frozenset[str] = frozenset()


class NeedsValuesError(Exception):
    """What a body does depends on values that change between iterations."""


class UnknownTripsError(UsageError):
    """The number of a loop's iterations depends on values.

    Attributes:
        call: the loop.
        depends_on: the inputs whose values decide it.
    """

    def __init__(self, call: NodeCall, *deciding: Value) -> None:
        self.call = call
        self.depends_on = NOTHING.union(*(value.depends_on for value in deciding))
        names = " and ".join(sorted(self.depends_on))
        values = f", or give {names} values in `inputs`" if names else ""
        super().__init__(
            f"the number of iterations of {call.label} (Loop) depends on values",
            f"Give {get_key(call.node)!r} a number in `trip_counts`{values}.",
            field="trip_counts",
        )


def find_executed(walk: "Walk", call: NodeCall, depends_on: frozenset[str]) -> int | None:
    """Return what a run did at an If or a Loop; None if there was none, or made-up values decided.

    Raises:
        NeedsValuesError: it did not do the same in all the iterations that this pass stands for.
    """
    executed = walk.settings.executed
    if executed is None or depends_on:
        return None
    try:
        outcome = executed.find_outcome(call.node, every=walk.in_every_iteration)
    except VaryingError as error:
        raise NeedsValuesError(call.label) from error
    if outcome is not None:
        walk.settings.from_run[call.label] = depends_on
    return outcome


def drop_contents(values: Sequence[Value | None], depends_on: frozenset[str] = NOTHING) -> Values:
    """Return the values with their types and shapes only.

    Args:
        values: the values.
        depends_on: inputs that decide which values these are.
    """
    return [
        replace(v, data=None, depends_on=v.depends_on | depends_on, constant=False) if v else None
        for v in values
    ]
