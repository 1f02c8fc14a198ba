"""A count compared with what onnxruntime executed, node by node."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from onnx import NodeProto

from inspect_cost.counting.onnx.call import NodeCall, Rule, get_label
from inspect_cost.counting.onnx.executed import Executed, Execution
from inspect_cost.counting.onnx.ledger import Traced
from inspect_cost.counting.onnx.value import UnknownShapeError, Value
from inspect_cost.values.errors import InspectCostError
from inspect_cost.values.notes import Note

#: Differences, and operators, that are named.
MOST_NAMED = 10
#: Shapes that are named of a node that differs.
MOST_SHAPES = 3
#: Code of the notes on differences, and of that on agreement.
DIFFERS, AGREES = "run-differs", "run-agrees"
#: Operators whose results are in the file, so that nothing is executed.
_NOT_EXECUTED = frozenset({"onnx.Constant"})


def compare_with_run(
    traced: Mapping[str, Traced],
    executed: Executed,
    rules: Mapping[str, Rule],
    nodes: Mapping[str, NodeProto],
) -> list[Note]:
    """Return what differs between a count and a run, a note for each node; else that all agree.

    Args:
        traced: mark of each node that was counted -> what it did.
        executed: the run.
        rules: operator -> its rule, for MACs from the executed shapes.
        nodes: mark -> node, of the whole file.
    """
    found = list(_find_differences(traced, executed, rules, nodes))
    notes = [Note(DIFFERS, text, "warning") for text in found[:MOST_NAMED]]
    if len(found) > MOST_NAMED:
        text = f"{len(found) - MOST_NAMED} more nodes differ from the run."
        notes.append(Note(DIFFERS, text, "warning"))
    missing = [] if found else _list_missing(traced, executed)
    return [*(notes or [_describe_agreement(traced, executed, missing)])]


def _find_differences(
    traced: Mapping[str, Traced],
    executed: Executed,
    rules: Mapping[str, Rule],
    nodes: Mapping[str, NodeProto],
) -> Iterator[str]:
    ran = {**executed.executions, **executed.outcomes}
    for mark in sorted({*traced, *ran}, key=int):
        if mark not in traced:
            yield f"{get_label(nodes[mark])} ({nodes[mark].op_type}) was executed, but not counted."
        elif mark in executed.outcomes:
            yield from _compare(traced[mark], Counter(executed.outcomes[mark]))
        elif mark in executed.executions:
            yield from _compare_executions(traced[mark], executed.executions[mark], rules)


def _compare_executions(
    traced: Traced, executions: Sequence[Execution], rules: Mapping[str, Rule]
) -> Iterator[str]:
    shapes: Counter[object] = Counter(
        tuple(sizes for _, sizes in each.results) for each in executions
    )
    if len(next(iter(shapes))) != len(next(iter(traced.done))):  # type: ignore[arg-type]  # shapes
        return  # sequences are not reported
    before = list(_compare(traced, shapes))
    yield from before
    macs = _sum_macs(traced, executions, rules)
    if not before and macs != traced.macs:
        yield f"{_name(traced)}: {traced.macs:,} MACs counted, and {macs:,} executed."


def _compare(traced: Traced, done: "Counter[object]") -> Iterator[str]:
    if traced.done != done:
        more, less = traced.done - done, done - traced.done
        kind = traced.call.node.op_type
        counted, executed = _describe(kind, more), _describe(kind, less)
        yield f"{_name(traced)}: counted {counted}, executed {executed}."


def _name(traced: Traced) -> str:
    return f"{traced.call.label} ({traced.call.node.op_type})"


def _describe(kind: str, done: "Counter[object]") -> str:
    each = [f"{_spell(kind, did)}{_times(n)}" for did, n in list(done.items())[:MOST_SHAPES]]
    return ", ".join(each) or "fewer times"


def _times(number: int) -> str:
    return f" {number:,} times" if number > 1 else ""


def _spell(kind: str, did: object) -> str:
    if kind == "If":
        return f"the branch {'then' if did else 'else'}"
    if isinstance(did, tuple):
        return " and ".join("unknown" if shape is None else str(shape) for shape in did)
    return f"{did} iterations"


def _sum_macs(traced: Traced, executions: Sequence[Execution], rules: Mapping[str, Rule]) -> int:
    """Return the MACs of executions by the operator's rule; those counted if it cannot tell."""
    rule = rules.get(traced.call.operator)
    if rule is None:
        return traced.macs
    total = 0
    for execution, times in Counter(executions).items():
        call = _rebuild(traced.call, execution)
        try:
            cost = rule(call) if call else None
        except (InspectCostError, UnknownShapeError, ArithmeticError, LookupError, ValueError):
            cost = None
        if cost is None:
            return traced.macs
        total += cost.macs * times
    return total


def _rebuild(call: NodeCall, execution: Execution) -> NodeCall | None:
    """Return a call with the executed shapes; None if they cannot be told apart.

    A run does not report the operands that are constants, which have the shapes in the file.
    """
    given = [value for value in call.inputs if value]
    reported = execution.operands
    varying = [value for value in given if not value.constant]
    if len(reported) not in {len(given), len(varying)}:
        return None
    if len(execution.results) != sum(value is not None for value in call.outputs):
        return None
    every = len(reported) == len(given)
    shapes, results = iter(reported), iter(execution.results)
    inputs = [
        _reshape(value, next(shapes)[1]) if value and (every or not value.constant) else value
        for value in call.inputs
    ]
    outputs = [value and _reshape(value, next(results)[1]) for value in call.outputs]
    return replace(call, inputs=inputs, outputs=outputs)


def _reshape(value: Value, shape: tuple[int, ...]) -> Value:
    return value if value.shape == shape else replace(value, shape=shape, data=None)


def _list_missing(traced: Mapping[str, Traced], executed: Executed) -> list[Traced]:
    """Return the nodes that were counted, and that the run does not report."""
    return [
        each
        for mark, each in traced.items()
        if mark not in executed.executions
        and mark not in executed.outcomes
        and each.call.operator not in _NOT_EXECUTED
    ]


def _describe_agreement(
    traced: Mapping[str, Traced], executed: Executed, missing: list[Traced]
) -> Note:
    times = sum(len(each) for each in executed.executions.values())
    macs = sum(each.macs for mark, each in traced.items() if mark in executed.executions)
    text = (
        f"onnxruntime executed {len(executed.executions):,} nodes {times:,} times: all their "
        f"results have the counted shapes, and the MACs of the executed shapes are {macs:,}."
    )
    operators = list(dict.fromkeys(each.call.operator for each in missing))
    if operators:
        more = " ..." if len(operators) > MOST_NAMED else ""
        text += f" Not reported by the run, and not compared: {', '.join(operators[:MOST_NAMED])}"
        text += f"{more} ({len(missing):,} nodes)."
    return Note(AGREES, text)
