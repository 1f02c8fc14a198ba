"""Values that a run has to be fed, so that it does what was counted.

Where nothing decided a branch or a number of iterations, one was counted. A run beside that count
should take the same course: inputs of one number are tried with the numbers that the file compares
with, and then the run itself shows whether it does.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto, TensorProto

from inspect_cost.counting.onnx.binding import InputShapes
from inspect_cost.counting.onnx.graph_count import Counted, count_graph
from inspect_cost.counting.onnx.loading import iterate_tensors, load_model
from inspect_cost.counting.onnx.value import FLOATING, read_tensor
from inspect_cost.counting.onnx.verifying import DIFFERS
from inspect_cost.values.errors import InspectCostError
from inspect_cost.values.notes import Note

#: Numbers that are tried for an input.
MOST_TRIED = 32


@dataclass(frozen=True)
class Settled:
    """What a run is fed, and in what it still differs from the count.

    Attributes:
        feed: input -> its value, beside those that a user gave.
        notes: what a reader of the count and of the measurement has to know.
    """

    feed: Mapping[str, Any]
    notes: tuple[Note, ...] = ()


def settle(source: str | Path | ModelProto, **given: Any) -> Settled:
    """Find what a run has to be fed to do what is counted, and note whether it does.

    Args:
        source: as of `count_onnx`.
        **given: its ``input_shapes``, ``inputs`` and ``trip_counts``.

    Raises:
        UsageError: as of `count_onnx`.
    """
    counted = count_graph(source, **given)
    if not counted.undecided:
        return Settled({})
    feed = find_feed(source, counted, **given)
    return Settled(feed, tuple(_note_course(source, feed, given)))


def find_feed(
    source: str | Path | ModelProto,
    counted: Counted,
    *,
    input_shapes: InputShapes | None,
    inputs: Mapping[str, Any] | None,
    trip_counts: Mapping[str, int] | None,
) -> dict[str, Any]:
    """Return values of inputs that lead to what was counted, where nobody gave any.

    Args:
        source: as of `count_onnx`.
        counted: its count.
        input_shapes: as of `count_onnx`.
        inputs: as there.
        trip_counts: as there.
    """
    given = inputs or {}
    feed: dict[str, Any] = {n: value for n, value in counted.feed.items() if n not in given}
    unknown = sorted(counted.deciding - feed.keys())
    model = load_model(source) if unknown else ModelProto()
    for name in unknown:
        for number in _list_candidates(model, name, (trip_counts or {}).values()):
            values = {**given, **feed, name: number}
            if _does_the_same(source, input_shapes, values, counted):
                feed[name] = number
                break
    return feed


def _list_candidates(model: ModelProto, name: str, stated: Iterable[int]) -> Iterator[int]:
    """Yield numbers to try for an input of one whole number or flag; none for others."""
    entry = next((entry for entry in model.graph.input if entry.name == name), None)
    tensor = entry.type.tensor_type if entry else None
    if tensor is None or tensor.elem_type in {*FLOATING, TensorProto.STRING}:
        return
    if not tensor.HasField("shape") or any(d.dim_value != 1 for d in tensor.shape.dim):
        return
    scalars = (read_tensor(t).scalar for t in iterate_tensors(model))
    whole = [int(n) for n in scalars if n is not None and n == int(n)]
    fitting = {0, 1} if tensor.elem_type == TensorProto.BOOL else None
    for number in list(dict.fromkeys([*stated, 0, 1, *whole]))[:MOST_TRIED]:
        if fitting is None or number in fitting:
            yield number


def _does_the_same(
    source: str | Path | ModelProto,
    input_shapes: InputShapes | None,
    values: Mapping[str, Any],
    counted: Counted,
) -> bool:
    """Return whether these values lead to what was counted, without anything being stated."""
    try:
        tried = count_graph(source, input_shapes=input_shapes, inputs=values)
    except InspectCostError:
        return False
    return tried.report.tallies == counted.report.tallies


def _note_course(
    source: str | Path | ModelProto, feed: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[Note]:
    """Yield a note on what is fed, and one if the run does something else than was counted."""
    try:
        checked = count_graph(source, **given, verify=True, fed=feed)
    except InspectCostError as error:
        text = f"What was measured may have taken another course than what was counted: {error}."
        yield Note("measured-otherwise", text, "warning")
        return
    others = [note for note in checked.report.notes if note.code == DIFFERS]
    if others:
        text = (
            "What was measured is not what was counted, since values decide it, and they were made "
            f"up: {others[0]} Give them in `inputs`."
        )
        yield Note("measured-otherwise", text, "warning")
    elif feed:
        fed = " and ".join(f"{name} = {value}" for name, value in feed.items())
        yield Note("fed", f"Measured with {fed}, which leads to what was counted.")
