"""Operators that run subgraphs: If, Loop and Scan.

A loop's body is followed once, on shapes that hold for every iteration, and counted as often as it
runs. Where an iteration's number decides what it does, the iterations are followed one by one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from onnx import GraphProto, TensorProto

from inspect_cost.counting.onnx.book import Book
from inspect_cost.counting.onnx.call import Call
from inspect_cost.counting.onnx.value import UnknownShapeError, Value, known
from inspect_cost.values.errors import UsageError
from inspect_cost.values.notes import Note

if TYPE_CHECKING:
    from inspect_cost.counting.onnx.graph import Walk

#: Iterations that are followed one by one at most.
MOST_STEPS = 10_000

#: From this version on Scan has no batch of its own.
BATCHLESS_SCAN = 9

Values = list[Value | None]


class NeedsValuesError(Exception):
    """A body's course depends on what changes between iterations."""


def branch(walk: "Walk", call: Call, module: str) -> Values:
    """If: the branch that a known condition takes, else the costlier one, which a note tells."""
    condition = call.x.scalar
    taken, other = call.get("then_branch"), call.get("else_branch")
    if condition is not None:
        return walk.inside(taken if condition else other, [], module)
    if walk.in_every_iteration:
        raise NeedsValuesError(call.label)
    books, returned = [], []
    for graph in (taken, other):
        book = Book()
        returned.append(walk.writing_to(book).inside(graph, [], module))
        books.append(book)
    costlier = 0 if books[0].flops >= books[1].flops else 1
    walk.book.take(books[costlier])
    name = ("then", "else")[costlier]
    text = f"{call.label} (If) depends on values: its costlier branch, {name}, was counted."
    walk.book.notes[Note("costlier-branch", text, "warning")] = None
    return [_agreed(a, b) for a, b in zip(returned[costlier], returned[1 - costlier], strict=True)]


def _agreed(taken: Value | None, other: Value | None) -> Value | None:
    """What the counted branch returns, without contents, which the other may not share."""
    del other
    return replace(taken, data=None) if taken else None


def loop(walk: "Walk", call: Call, module: str) -> Values:
    """Loop: trip count, condition, then what is carried from one iteration to the next."""
    body: GraphProto = call.get("body")
    carried: Values = list(call.inputs[2:])
    trips = trip_count(walk, call)
    if trips is None:
        return _step_by_step(walk, call, carried, None, module)
    if not trips:
        stacked = _unstacked(body, len(carried))
        return [*carried, *(_stack(v, 0) for v in stacked)]
    try:
        every, returned = _one_for_all(walk, body, carried, module)
    except (NeedsValuesError, UnknownShapeError, UsageError):
        return _step_by_step(walk, call, carried, trips, module)
    walk.book.take(every, trips)
    kept, scanned = returned[1 : len(carried) + 1], returned[len(carried) + 1 :]
    return [*kept, *(_stack(v, trips) for v in scanned)]


def trip_count(walk: "Walk", call: Call) -> int | None:
    """As stated by the caller, or by the graph; None where only its conditions can tell.

    Raises:
        UsageError: nothing tells.
    """
    stated = walk.settings.trip_counts.get(call.node.name)
    most, condition = call.optional(0), call.optional(1)
    if stated is not None:
        return stated
    if condition is not None and condition.scalar is not None and not condition.scalar:
        return 0
    if most is not None and most.scalar is not None:
        limit = max(0, int(most.scalar))
        if not limit or _runs_through(walk, call):
            return limit
    if condition is None or condition.scalar is None or (most and most.scalar is None):
        raise _unknown_trips(call)
    return None


def _unknown_trips(call: Call) -> UsageError:
    return UsageError(
        f"how often {call.label} (Loop) runs depends on values",
        f"State it: --trip-count {call.node.name}=N, or in Python "
        f"trip_counts={{{call.node.name!r}: N}}.",
    )


def _runs_through(walk: "Walk", call: Call) -> bool:
    """Whether the body never ends the loop early: its condition stays true."""
    body: GraphProto = call.get("body")
    if not call.node.input[1]:
        return True
    result, makers = body.output[0].name, {n: node for node in body.node for n in node.output}
    while result in makers and makers[result].op_type in {"Identity", "Cast"}:
        result = makers[result].input[0]
    if result == body.input[1].name:
        return True
    constant = walk.constant_in(body, result)
    return constant is not None and bool(constant)


def _one_for_all(
    walk: "Walk", body: GraphProto, carried: Values, module: str
) -> tuple[Book, Values]:
    """A book of any one iteration, and what it returns."""
    book = Book()
    shapes = [replace(v, data=None) if v else None for v in carried]
    counter, condition = Value(TensorProto.INT64, ()), known(np.array(True))
    inside = walk.writing_to(book, in_every_iteration=True)
    returned = inside.inside(body, [counter, condition, *shapes], module)
    for before, after in zip(carried, returned[1:], strict=False):
        if before and after and before.shape != after.shape:
            raise NeedsValuesError(body.name)
    return book, [replace(v, data=None) if v else None for v in returned]


def _step_by_step(
    walk: "Walk", call: Call, carried: Values, trips: int | None, module: str
) -> Values:
    """Follow every iteration; as many as there are, or until its condition says that it ends."""
    if trips is not None and trips > MOST_STEPS:
        raise UsageError(
            f"{call.label} (Loop) does something else in each of its {trips:,} iterations",
            f"Up to {MOST_STEPS:,} can be followed one by one: count a shorter input.",
        )
    body: GraphProto = call.get("body")
    scanned: list[Values] = []
    while len(scanned) != trips:
        state = [known(np.array(len(scanned), np.int64)), known(np.array(True)), *carried]
        returned = walk.inside(body, state, module)
        carried = returned[1 : len(carried) + 1]
        scanned.append(returned[len(carried) + 1 :])
        if trips is None and _ends(call, returned[0], len(scanned)):
            break
    return [*carried, *(_stack(v, len(scanned)) for v in scanned[-1])]


def _ends(call: Call, condition: Value | None, done: int) -> bool:
    """Whether a loop that runs until its condition is false ends after so many iterations."""
    most = call.optional(0)
    if most is not None and done == most.scalar:
        return True
    if condition is None or condition.scalar is None or done == MOST_STEPS:
        raise _unknown_trips(call)
    return not condition.scalar


def _unstacked(body: GraphProto, carried: int) -> Values:
    return [None] * (len(body.output) - 1 - carried)


def _stack(value: Value | None, trips: int) -> Value | None:
    """What every iteration returns, one after another."""
    if value is None or value.shape is None:
        return value
    return Value(value.dtype, (trips, *value.shape))


def scan(walk: "Walk", call: Call, module: str) -> Values:
    """Scan: states, then sequences, one entry of each of which an iteration sees."""
    if call.version < BATCHLESS_SCAN:
        raise UsageError(
            f"{call.label} is a Scan of opset {call.version}, which has other operands",
            f"Convert the file to opset {BATCHLESS_SCAN} or later with onnx.version_converter.",
        )
    count = call.get("num_scan_inputs")
    states, sequences = list(call.inputs[:-count]), list(call.inputs[-count:])
    axes = call.get("scan_input_axes") or [0] * count
    trips = _length(sequences[0], axes[0])
    entries = [_entry(s, axis) for s, axis in zip(sequences, axes, strict=True)]
    book = Book()
    inside = walk.writing_to(book, in_every_iteration=False)
    blank = [replace(v, data=None) if v else None for v in states]
    returned = inside.inside(call.get("body"), [*blank, *entries], module)
    walk.book.take(book, trips)
    kept, stacked = returned[: len(states)], returned[len(states) :]
    out_axes = call.get("scan_output_axes") or [0] * len(stacked)
    return [
        *(replace(v, data=None) if v else None for v in kept),
        *(_inserted(v, axis, trips) for v, axis in zip(stacked, out_axes, strict=True)),
    ]


def _length(sequence: Value | None, axis: int) -> int:
    return sequence.sizes[axis] if sequence else 0


def _entry(sequence: Value | None, axis: int) -> Value | None:
    if sequence is None:
        return None
    sizes = list(sequence.sizes)
    del sizes[axis]
    return Value(sequence.dtype, tuple(sizes))


def _inserted(value: Value | None, axis: int, trips: int) -> Value | None:
    if value is None:
        return None
    sizes = list(value.sizes)
    sizes.insert(axis % (len(sizes) + 1), trips)
    return Value(value.dtype, tuple(sizes))


CONTROL: dict[str, Callable[["Walk", Call, str], Sequence[Value | None]]] = {
    "onnx.If": branch,
    "onnx.Loop": loop,
    "onnx.Scan": scan,
}
