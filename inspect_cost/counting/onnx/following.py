"""Following a graph, and once more with what a run executed where values decide."""

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onnx import ModelProto, TensorProto

from inspect_cost.counting.onnx.binding import InputShapes, bind_axes, find_given_results
from inspect_cost.counting.onnx.call import Rule
from inspect_cost.counting.onnx.executed import Executed
from inspect_cost.counting.onnx.given import make_feed
from inspect_cost.counting.onnx.graph import Settings, Walk
from inspect_cost.counting.onnx.ledger import Ledger
from inspect_cost.counting.onnx.loading import read_opsets
from inspect_cost.counting.onnx.marking import iterate_marks, mark_nodes
from inspect_cost.counting.onnx.running import RUN_LIMIT_S, has_foreign_operators, run_graph
from inspect_cost.counting.onnx.value import Array, Value
from inspect_cost.counting.onnx.verifying import compare_with_run
from inspect_cost.values.errors import InspectCostError, MeasurementError, UsageError
from inspect_cost.values.naming import name_some
from inspect_cost.values.notes import Note

#: Nodes that a note names.
MOST_NAMED = 5
#: Whole numbers of an input that may be a setting, such as a rate or a shape.
MOST_SETTINGS = 8
#: Seconds that a run may take that was asked for.
VERIFY_LIMIT_S = 600.0


@dataclass(frozen=True)
class Followed:
    """A graph that was followed to its end, or as far as it could be.

    Attributes:
        ledger: its costs.
        settings: settings, with what they were filled in with.
        error: why it was not followed to its end; None if it was.
    """

    ledger: Ledger
    settings: Settings
    error: UsageError | None = None


@dataclass(frozen=True)
class Job:
    """A graph to count, with its inputs.

    Attributes:
        model: the graph.
        values: its inputs.
        arrays: contents of those that are given.
        rules: operator -> its rule.
        shapes: sizes of axes and shapes of results that the caller gives.
        trip_counts: name of a Loop -> number of its iterations.
        folder: where its weights in other files are; None if nobody knows.
        fed: contents that only a run is fed.
    """

    model: ModelProto
    values: Mapping[str, Value]
    arrays: Mapping[str, Array]
    rules: Mapping[str, Rule]
    shapes: InputShapes = field(default_factory=dict)
    trip_counts: Mapping[str, int] = field(default_factory=dict)
    folder: Path | None = None
    fed: Mapping[str, Array] = field(default_factory=dict)

    def follow_and_run(self, *, verify: bool) -> tuple[Followed, list[Note]]:
        """Follow the graph, with the help of a run if there is need, and note what it told.

        Raises:
            UsageError: it cannot be followed to its end.
            MeasurementError: it is to be verified, and cannot be run.
        """
        followed = self._follow(self.model, None)
        notes: list[Note] = []
        tells = any(followed.settings.unsettled.values()) and not has_foreign_operators(self.model)
        if verify or tells:
            followed, notes = self._follow_run(followed, verify=verify)
        if followed.error is not None:
            raise followed.error
        return followed, notes

    def _follow(self, model: ModelProto, executed: Executed | None) -> Followed:
        settings = Settings(
            rules=self.rules,
            functions={(f.domain, f.name, f.overload): f for f in model.functions},
            trip_counts=self.trip_counts,
            executed=executed,
            unset=self._find_unset(),
            axis_sizes=bind_axes(model.graph, self.shapes),
        )
        ledger = Ledger()
        given = find_given_results(model.graph, self.shapes)
        walk = Walk(settings, ledger, read_opsets(model), ChainMap(dict(self.values)), given)
        inputs = [self.values.get(entry.name) for entry in model.graph.input]
        try:
            walk.follow_graph(model.graph, inputs, "")
        except UsageError as error:
            return Followed(ledger, settings, error)
        return Followed(ledger, settings)

    def _find_unset(self) -> frozenset[str]:
        """Return the inputs without values that are settings by their type and size."""
        return frozenset(
            name
            for name, value in self.values.items()
            if name not in self.arrays and _is_setting(value)
        )

    def _follow_run(self, before: Followed, *, verify: bool) -> tuple[Followed, list[Note]]:
        """Follow the graph along a run; as before, with a note, if it cannot be run."""
        marked = mark_nodes(self.model)
        try:
            executed = self.run(marked, VERIFY_LIMIT_S if verify else RUN_LIMIT_S)
        except InspectCostError as error:
            if verify:
                raise MeasurementError(
                    f"the count cannot be verified: {error}", "Leave `verify` out."
                ) from error
            return before, [_note_no_run(before, error)]
        followed = self._follow(marked, executed)
        if followed.error is not None:
            return before if before.error is None else followed, []
        notes = [self._note_run(followed)] if followed.settings.from_run else []
        if verify:
            nodes = dict(iterate_marks(marked))
            notes += compare_with_run(followed.ledger.traced, executed, self.rules, nodes)
        return followed, notes

    def run(self, marked: ModelProto, limit_s: float) -> Executed:
        """Run the marked graph on what is given, and made-up values for the rest.

        Raises:
            UsageError: values cannot be made up.
            MeasurementError: it cannot be run.
        """
        return run_graph(
            marked, make_feed(self.values, {**self.arrays, **self.fed}), self.folder, limit_s
        )

    def _note_run(self, followed: Followed) -> Note:
        made_up = sorted(frozenset().union(*followed.settings.from_run.values()))
        on = f", with made-up values for {' and '.join(made_up)}" if made_up else ""
        named = name_some(list(followed.settings.from_run), MOST_NAMED)
        text = f"Values decide what {named} did: that is as onnxruntime ran it once{on}."
        return Note("as-executed", text, "warning" if made_up else "info")


def _is_setting(value: Value) -> bool:
    """Return whether an input is a number, a flag, or a few whole numbers, such as a shape."""
    if value.shape is None or value.floating or len(value.shape) > 1:
        return False
    return value.size <= (1 if value.dtype == TensorProto.BOOL else MOST_SETTINGS)


def _note_no_run(before: Followed, error: InspectCostError) -> Note:
    nodes = [label for label, tells in before.settings.unsettled.items() if tells]
    named = name_some(nodes, MOST_NAMED)
    text = f"Values decide what {named} did, and a run that would tell failed: {error}."
    return Note("not-run", text, "warning")
