"""A graph followed, and what was found made into a report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto

from inspect_cost.counting.onnx.binding import InputShapes
from inspect_cost.counting.onnx.call import NodeCall, Rule, get_key
from inspect_cost.counting.onnx.following import Followed, Job
from inspect_cost.counting.onnx.given import bind_values, read_arrays
from inspect_cost.counting.onnx.ledger import Ledger
from inspect_cost.counting.onnx.loading import iterate_nodes, load_model
from inspect_cost.counting.onnx.storage import collect_storage
from inspect_cost.counting.onnx.table import ONNX_RULES
from inspect_cost.counting.onnx.value import Array
from inspect_cost.counting.options import check_cost, check_costs, make_unused_error
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import Storage, ancestry
from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import UsageError
from inspect_cost.values.naming import name_some
from inspect_cost.values.notes import Note
from inspect_cost.values.units import exact

MOST_NAMED = 5


@dataclass(frozen=True)
class Counted:
    """A count, and what a run needs to do the same.

    Attributes:
        report: the count.
        feed: input -> its value, for inputs that are given, or whose value decided a branch or a
            number of iterations that was chosen or stated.
        undecided: label of each node whose outcome was chosen or stated -> the inputs that decide.
    """

    report: CostReport
    feed: Mapping[str, Array]
    undecided: Mapping[str, frozenset[str]]

    @property
    def deciding(self) -> frozenset[str]:
        """Inputs whose values would decide what was chosen or stated."""
        return frozenset().union(*self.undecided.values())


def count_graph(
    source: str | Path | ModelProto,
    *,
    input_shapes: InputShapes | None = None,
    inputs: Mapping[str, Any] | None = None,
    op_costs: Mapping[str, Rule | OpCost] | None = None,
    trip_counts: Mapping[str, int] | None = None,
    verify: bool = False,
    fed: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Counted:
    """Count as `count_onnx` does, and return what a run needs to know, too.

    Args:
        source: as of `count_onnx`.
        input_shapes: as there.
        inputs: as there.
        op_costs: as there.
        trip_counts: as there.
        verify: as there.
        fed: values of inputs that only the run is fed.
        title: as of `count_onnx`.

    Raises:
        UsageError: as of `count_onnx`.
        MeasurementError: as of `count_onnx`.
    """
    model = load_model(source)
    _check_trip_counts(model, trip_counts or {})
    check_costs("op_costs", op_costs or {}, (str,))
    applied: set[str] = set()
    own = {name: _make_rule(name, cost, applied) for name, cost in (op_costs or {}).items()}
    arrays = read_arrays(model.graph, inputs or {})
    values = bind_values(model.graph, input_shapes or {}, arrays, fed=False)
    job = Job(
        model,
        values,
        arrays,
        {**ONNX_RULES, **own},
        input_shapes or {},
        trip_counts or {},
        _find_folder(source),
        read_arrays(model.graph, fed or {}),
    )
    followed, notes = job.follow_and_run(verify=verify)
    for name in own:
        if name not in applied:
            ran = dict.fromkeys(tally.operator for tally in followed.ledger.tallies())
            raise make_unused_error("op_costs", name, ran, "operators")
    settings = followed.settings
    stem = "" if isinstance(source, ModelProto) else Path(source).stem
    name = title or stem or model.graph.name or "graph"
    report = _make_report(model, name, job, followed, notes)
    feed = {**_as_arrays(model, settings.choices), **arrays}
    return Counted(report, feed, settings.undecided)


def _find_folder(source: str | Path | ModelProto) -> Path | None:
    return None if isinstance(source, ModelProto) else Path(source).parent


def _as_arrays(model: ModelProto, choices: Mapping[str, Any]) -> dict[str, Array]:
    """Return the values that a count chose, for those that are inputs of the graph itself."""
    names = {entry.name for entry in model.graph.input}
    return read_arrays(model.graph, {name: v for name, v in choices.items() if name in names})


def _make_report(
    model: ModelProto, name: str, job: Job, followed: Followed, notes: Sequence[Note]
) -> CostReport:
    ledger, class_names = followed.ledger, followed.settings.class_names
    storages = collect_storage(model, class_names)
    return CostReport(
        model=name,
        modules=_list_modules(ledger, storages, class_names, name),
        tallies=ledger.tallies(),
        peak_activation_bytes=ledger.peak_bytes if ledger.sized else None,
        input_bytes=sum(value.known_bytes for value in job.values.values()),
        notes=(
            *_describe_uncounted(ledger),
            *_describe_padding(ledger),
            *ledger.notes,
            *notes,
        ),
    )


def _check_trip_counts(model: ModelProto, trip_counts: Mapping[str, int]) -> None:
    loops = [get_key(node) for node in iterate_nodes(model) if node.op_type == "Loop"]
    for name, trips in trip_counts.items():
        if name not in loops:
            known = ", ".join(loops) or "none"
            raise UsageError(
                f"the graph has no Loop {name!r}", f"Its loops are: {known}.", field="trip_counts"
            )
        if trips < 0:
            raise UsageError(
                f"{name}: {trips} is not a number of iterations",
                "Give 0 or more.",
                field="trip_counts",
            )


def _make_rule(name: str, cost: Rule | OpCost, applied: set[str]) -> Rule:
    """Return a user's cost as a rule that checks what it yields, and adds its name to a set."""

    def rule(call: NodeCall) -> OpCost | None:
        applied.add(name)
        return check_cost("op_costs", name, cost if isinstance(cost, OpCost) else cost(call))

    return rule


def _list_modules(
    ledger: Ledger, storages: Mapping[str, Storage], class_names: Mapping[str, str], name: str
) -> tuple[tuple[str, str, Storage], ...]:
    """List each module with an operator or a parameter, and its ancestors, parents first."""
    paths = ["", *(tally.module for tally in ledger.tallies()), *storages]
    tree = _sort_parents_first(paths)
    return tuple(
        (path, class_names.get(path, "" if path else name), storages.get(path, Storage()))
        for path in tree
    )


def _sort_parents_first(paths: Iterable[str]) -> list[str]:
    """Return all paths and their ancestors, depth first, siblings in the order they first occur."""
    rank: dict[str, int] = {}
    for path in paths:
        for place in reversed(ancestry(path)):
            rank.setdefault(place, len(rank))
    return sorted(rank, key=lambda path: [rank[p] for p in reversed(ancestry(path))])


def _describe_uncounted(ledger: Ledger) -> list[Note]:
    """Return a note per operator and reason for which a cost is unknown, with the nodes' names."""
    notes = []
    for (operator, reason), nodes in ledger.uncounted.items():
        what = f"has no known cost, as {reason}" if reason else "has no known cost"
        notes.append(Note("uncounted", f"{operator} {what}: {_name_nodes(nodes)}.", "warning"))
    for reason, nodes in ledger.unsized.items():
        text = f"Bytes are in part unknown, as {reason}: {_name_nodes(nodes)}."
        notes.append(Note("unsized", text, "warning"))
    return notes


def _describe_padding(ledger: Ledger) -> list[Note]:
    """Return a note on MACs that a blocked layout adds, if it does."""
    if not ledger.padding_macs:
        return []
    text = (
        f"The file's blocked layout pads channels: {exact(ledger.padding_macs)} MACs more are "
        "executed, by the CPU that it was optimised on, and are in no total."
    )
    return [Note("padding", text, "info")]


def _name_nodes(nodes: Sequence[str]) -> str:
    return name_some(list(dict.fromkeys(nodes)), MOST_NAMED)
