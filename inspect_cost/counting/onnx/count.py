"""Count what one run of an ONNX graph costs."""

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from onnx import ModelProto

from inspect_cost.counting.onnx.binding import (
    InputShapes,
    bind_axes,
    bind_inputs,
    find_given_results,
)
from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.counting.onnx.graph import Settings, Walk
from inspect_cost.counting.onnx.ledger import Ledger
from inspect_cost.counting.onnx.loading import iterate_nodes, load_model, read_opsets
from inspect_cost.counting.onnx.storage import collect_storage
from inspect_cost.counting.onnx.table import ONNX_RULES
from inspect_cost.counting.options import check_cost, check_costs, make_unused_error
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import Storage, ancestry
from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import UsageError
from inspect_cost.values.notes import Note
from inspect_cost.values.units import exact

MOST_NAMED = 5


def count_onnx(
    source: str | Path | ModelProto,
    *,
    input_shapes: InputShapes | None = None,
    op_costs: Mapping[str, Rule | OpCost] | None = None,
    trip_counts: Mapping[str, int] | None = None,
    title: str | None = None,
) -> CostReport:
    """Count parameters, MACs, FLOPs and bytes of one run of an ONNX graph, without running it.

    Args:
        source: an .onnx file, or a model loaded from one. Weights in other files are not read.
        input_shapes: sizes for axes that the file leaves open: an input's name -> its whole shape,
            or an open axis's name -> its size, such as ``{"x": (1, 80, 63)}`` or ``{"L": 512}``.
            The shape of a sequence is that of each of its tensors, or a list of all their shapes.
            Shapes of other tensors, by name, complete what does not follow from the inputs.
        op_costs: costs of operators for this count, which take precedence over the table's: name,
            such as ``"com.acme.Scan"`` or ``"onnx.Conv"`` -> an OpCost per call, or a function from
            an `inspect_cost.counting.onnx.call.NodeCall` to one.
        trip_counts: name of a Loop's node -> number of its iterations, for loops whose number
            depends on values.
        title: name of the model in the report; by default the file's, or else the graph's.

    Returns:
        The report. Its operators are named onnx.Conv, com.microsoft.FusedConv and so on; those
        without a known cost, or behind a size that is unknown, are in its ``uncounted``, and their
        nodes in its ``notes``.

    Raises:
        UsageError: the file cannot be read or is malformed, an input's axis has no size, a loop's
            number of iterations is not known, or a name in ``op_costs`` matches no operator that
            ran.
    """
    model = load_model(source)
    _check_trip_counts(model, trip_counts or {})
    check_costs("op_costs", op_costs or {}, (str,))
    applied: set[str] = set()
    own = {name: _make_rule(name, cost, applied) for name, cost in (op_costs or {}).items()}
    settings = Settings(
        rules={**ONNX_RULES, **own},
        functions={(f.domain, f.name, f.overload): f for f in model.functions},
        trip_counts=trip_counts or {},
        axis_sizes=bind_axes(model.graph, input_shapes or {}),
    )
    ledger = Ledger()
    inputs = bind_inputs(model.graph, input_shapes or {}, fed=False)
    given = find_given_results(model.graph, input_shapes or {})
    walk = Walk(settings, ledger, read_opsets(model), ChainMap(dict(inputs)), given)
    walk.follow_graph(model.graph, [inputs.get(entry.name) for entry in model.graph.input], "")
    for operator in own:
        if operator not in applied:
            ran = dict.fromkeys(tally.operator for tally in ledger.tallies())
            raise make_unused_error("op_costs", operator, ran, "operators")
    storages = collect_storage(model, settings.class_names)
    stem = "" if isinstance(source, ModelProto) else Path(source).stem
    name = title or stem or model.graph.name or "graph"
    return CostReport(
        model=name,
        modules=_list_modules(ledger, storages, settings.class_names, name),
        tallies=ledger.tallies(),
        peak_activation_bytes=ledger.peak_bytes if ledger.sized else None,
        input_bytes=sum(value.known_bytes for value in inputs.values()),
        notes=(*_describe_uncounted(ledger), *_describe_padding(ledger), *ledger.notes),
    )


def _check_trip_counts(model: ModelProto, trip_counts: Mapping[str, int]) -> None:
    loops = [node.name for node in iterate_nodes(model) if node.op_type == "Loop"]
    for name, trips in trip_counts.items():
        if name not in loops:
            known = ", ".join(filter(None, loops)) or "none with a name"
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
    named = list(dict.fromkeys(nodes))
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return f"{', '.join(named[:MOST_NAMED])}{more}"
