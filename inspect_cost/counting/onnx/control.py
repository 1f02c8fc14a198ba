"""Operators that run subgraphs: If, Loop and Scan.

A loop's body is followed once, on shapes that hold for every iteration, and its cost is multiplied
by the number of iterations. If what the body does depends on the iteration, all are followed.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from onnx import GraphProto, TensorProto

from inspect_cost.counting.onnx.branching import branch
from inspect_cost.counting.onnx.call import NodeCall, get_key
from inspect_cost.counting.onnx.ledger import Ledger
from inspect_cost.counting.onnx.marking import get_mark
from inspect_cost.counting.onnx.outcomes import (
    NeedsValuesError,
    UnknownTripsError,
    Values,
    drop_contents,
    find_executed,
)
from inspect_cost.counting.onnx.value import UnknownShapeError, Value, make_known
from inspect_cost.values.errors import UsageError

if TYPE_CHECKING:
    from inspect_cost.counting.onnx.graph import Walk

#: Maximum number of iterations that are followed one by one.
MOST_STEPS = 10_000

#: First version in which Scan has no batch axis of its own.
BATCHLESS_SCAN = 9


def loop(walk: "Walk", call: NodeCall, module: str) -> Values:
    """Follow Loop; operands: trip count, condition, then the values carried between iterations."""
    try:
        return _follow_loop(walk, call, find_trip_count(walk, call), module)
    except UnknownTripsError as unknown:
        if unknown.call is not call:
            raise
        walk.settings.find_unsettled(call, unknown.depends_on)
        trips = find_executed(walk, call, unknown.depends_on)
        if trips is None:
            raise
        return _follow_loop(walk, call, trips, module)


def _follow_loop(walk: "Walk", call: NodeCall, trips: int | None, module: str) -> Values:
    """Follow a loop of so many iterations, or until its condition is false."""
    ledger = Ledger()  # of its own, as following it may fail half-way
    returned, trips = _count_loop(walk.with_ledger(ledger), call, trips, module)
    walk.ledger.add(ledger)
    walk.ledger.trace(get_mark(call.node), call, trips)
    return returned


def _count_loop(walk: "Walk", call: NodeCall, trips: int | None, module: str) -> tuple[Values, int]:
    """Follow a loop, and return its outputs and how often it ran."""
    body: GraphProto = call.get("body")
    carried: Values = [value and replace(value, constant=False) for value in call.inputs[2:]]
    if trips is None:
        return _follow_each_iteration(walk, call, carried, None, module)
    if not trips:
        stacked = _find_scan_outputs(walk, body, carried, module)
        return [*carried, *(_stack(v, 0) for v in stacked)], 0
    try:
        every, returned = _follow_any_iteration(walk, body, carried, module)
    except UnknownShapeError:
        if trips <= MOST_STEPS:
            return _follow_each_iteration(walk, call, carried, trips, module)
        every, returned = _follow_any_iteration(walk, body, carried, module, strictly=False)
    except (NeedsValuesError, UsageError):
        return _follow_each_iteration(walk, call, carried, trips, module)
    walk.ledger.add(every, trips)
    # A body returns its condition, the carried values, and outputs that are stacked.
    kept, scanned = returned[1 : len(carried) + 1], returned[len(carried) + 1 :]
    return [*kept, *(_stack(v, trips) for v in scanned)], trips


def find_trip_count(walk: "Walk", call: NodeCall) -> int | None:
    """Return the number of iterations; None if it follows from conditions of the body.

    Raises:
        UnknownTripsError: neither the caller nor the graph gives it.
    """
    stated = walk.settings.trip_counts.get(get_key(call.node))
    most, condition = call.optional(0), call.optional(1)
    if stated is not None:
        walk.settings.choose(call, stated, most)
        return stated
    if condition is not None and condition.scalar is not None and not condition.scalar:
        return 0
    if most is not None and most.scalar is not None:
        limit = max(0, int(most.scalar))
        if not limit or _always_continues(walk, call):
            return limit
    if condition is None or condition.scalar is None or (most and most.scalar is None):
        raise UnknownTripsError(call, *(v for v in call.inputs[:2] if v))
    return None


def _always_continues(walk: "Walk", call: NodeCall) -> bool:
    """Return whether the body never ends the loop early: its condition stays true."""
    body: GraphProto = call.get("body")
    if not call.node.input[1]:
        return True
    result, makers = body.output[0].name, {n: node for node in body.node for n in node.output}
    while result in makers and makers[result].op_type in {"Identity", "Cast"}:
        result = makers[result].input[0]
    if result == body.input[1].name:
        return True
    constant = walk.find_constant(body, result)
    return constant is not None and bool(constant)


def _follow_any_iteration(
    walk: "Walk", body: GraphProto, carried: Values, module: str, *, strictly: bool = True
) -> tuple[Ledger, Values]:
    """Follow an iteration that stands for all; return its ledger and its outputs.

    Raises:
        NeedsValuesError: what it does may depend on the iteration; only if `strictly`.
        UnknownShapeError: the same, of a size.
    """
    ledger = Ledger()
    shapes = drop_contents(carried)
    counter, condition = Value(TensorProto.INT64, ()), make_known(np.array(True))
    body_walk = walk.with_ledger(ledger, in_every_iteration=strictly)
    returned = body_walk.follow_graph(body, [counter, condition, *shapes], module)
    for before, after in zip(carried, returned[1:], strict=False):
        if strictly and before and after and before.shape != after.shape:
            raise NeedsValuesError(body.name)
    return ledger, drop_contents(returned)


def _follow_each_iteration(
    walk: "Walk", call: NodeCall, carried: Values, trips: int | None, module: str
) -> tuple[Values, int]:
    """Follow every iteration, `trips` of them or until the condition is false."""
    if trips is not None and trips > MOST_STEPS:
        raise UsageError(
            f"the {trips:,} iterations of {call.label} (Loop) differ in cost",
            f"At most {MOST_STEPS:,} can be followed one by one: count a shorter input.",
        )
    body: GraphProto = call.get("body")
    scanned: list[Values] = []
    while len(scanned) != trips:
        state = [make_known(np.array(len(scanned), np.int64)), make_known(np.array(True)), *carried]
        returned = walk.follow_graph(body, state, module)
        carried = returned[1 : len(carried) + 1]
        scanned.append(returned[len(carried) + 1 :])
        if trips is None and _ends(call, returned[0], len(scanned)):
            break
    return [*carried, *(_stack(v, len(scanned)) for v in scanned[-1])], len(scanned)


def _ends(call: NodeCall, condition: Value | None, done: int) -> bool:
    """Return whether a loop that runs until its condition is false ends after `done` iterations."""
    most = call.optional(0)
    if most is not None and done == most.scalar:
        return True
    if condition is None or condition.scalar is None or done == MOST_STEPS:
        raise UnknownTripsError(call, *([condition] if condition else []))
    return not condition.scalar


def _find_scan_outputs(walk: "Walk", body: GraphProto, carried: Values, module: str) -> Values:
    """Return what an iteration adds to the stacked outputs, of a loop that has no iterations."""
    _unused, returned = _follow_any_iteration(walk, body, carried, module, strictly=False)
    return returned[len(carried) + 1 :]


def _stack(value: Value | None, trips: int) -> Value | None:
    """Return the value with a leading axis for the iterations."""
    if value is None or value.shape is None:
        return value
    return Value(value.dtype, (trips, *value.shape))


def scan(walk: "Walk", call: NodeCall, module: str) -> Values:
    """Follow Scan; operands: states, then sequences, of which each iteration sees one entry."""
    if call.version < BATCHLESS_SCAN:
        return _scan_batch(walk, call, module)
    count = call.get("num_scan_inputs")
    states, sequences = list(call.inputs[:-count]), list(call.inputs[-count:])
    axes = call.get("scan_input_axes") or [0] * count
    trips = _get_length(sequences[0], axes[0])
    if any(_get_length(s, a) != trips for s, a in zip(sequences, axes, strict=True)):
        raise UsageError(
            f"the sequences of {call.label} (Scan) are of different lengths", "Export it again."
        )
    entries = [_drop_axis(s, axis) for s, axis in zip(sequences, axes, strict=True)]
    ledger = Ledger()
    body_walk = walk.with_ledger(ledger, in_every_iteration=False)
    blank = drop_contents(states)
    returned = body_walk.follow_graph(call.get("body"), [*blank, *entries], module)
    walk.ledger.add(ledger, trips)
    kept, stacked = returned[: len(states)], returned[len(states) :]
    out_axes = call.get("scan_output_axes") or [0] * len(stacked)
    results = [
        *drop_contents(kept),
        *(_insert_axis(v, axis, trips) for v, axis in zip(stacked, out_axes, strict=True)),
    ]
    walk.ledger.trace(get_mark(call.node), call, tuple(value.shape for value in results if value))
    return results


def _scan_batch(walk: "Walk", call: NodeCall, module: str) -> Values:
    """Follow the Scan of opset 8, whose body runs once for each entry of each sequence in a batch.

    Operands: lengths of the sequences, states (B, ...), then sequences (B, T, ...).
    """
    count = call.get("num_scan_inputs")
    states, sequences = list(call.inputs[1:-count]), list(call.inputs[-count:])
    B, T = _get_length(sequences[0], 0), _get_length(sequences[0], 1)
    lengths = call.optional(0)
    steps = B * T if lengths is None or lengths.data is None else sum(lengths.data.tolist())
    inputs = [_drop_axis(state, 0) for state in states]
    inputs += [_drop_axis(_drop_axis(sequence, 0), 0) for sequence in sequences]
    ledger = Ledger()
    returned = walk.with_ledger(ledger, in_every_iteration=False).follow_graph(
        call.get("body"), inputs, module
    )
    walk.ledger.add(ledger, steps)
    kept, stacked = returned[: len(states)], returned[len(states) :]
    return [
        *(_stack(value, B) for value in drop_contents(kept)),
        *(_stack(_stack(value, T), B) for value in stacked),
    ]


def _get_length(sequence: Value | None, axis: int) -> int:
    return sequence.sizes[axis] if sequence else 0


def _drop_axis(sequence: Value | None, axis: int) -> Value | None:
    if sequence is None:
        return None
    sizes = list(sequence.sizes)
    del sizes[axis]
    return Value(sequence.dtype, tuple(sizes))


def _insert_axis(value: Value | None, axis: int, trips: int) -> Value | None:
    if value is None:
        return None
    sizes = list(value.sizes)
    sizes.insert(axis % (len(sizes) + 1), trips)
    return Value(value.dtype, tuple(sizes))


CONTROL: dict[str, Callable[["Walk", NodeCall, str], Sequence[Value | None]]] = {
    "onnx.If": branch,
    "onnx.Loop": loop,
    "onnx.Scan": scan,
}
