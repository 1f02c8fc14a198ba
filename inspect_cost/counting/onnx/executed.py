"""What one run by onnxruntime executed: shapes, branches and trip counts, by the marks of nodes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onnx import NodeProto, TensorProto

from inspect_cost.counting.onnx.marking import find_mark, get_mark
from inspect_cost.counting.onnx.value import Value

#: (ONNX's element type, sizes) of a tensor.
Shaped = tuple[int, tuple[int, ...]]
#: The number of iterations, or 1 for the then-branch and 0 for the other.
Outcome = int

_NAMES = {"float": "FLOAT", "double": "DOUBLE"}


class VaryingError(Exception):
    """A node's executions differ, so that none of them stands for all."""


@dataclass(frozen=True)
class Execution:
    """One execution of a node.

    Attributes:
        operands: types and shapes of its operands, omitted ones left out.
        results: those of its results; sequences are left out.
    """

    operands: tuple[Shaped, ...]
    results: tuple[Shaped, ...]


@dataclass(frozen=True)
class Executed:
    """One run, which a count can be completed by.

    Attributes:
        executions: mark of a node -> its executions, in their order.
        outcomes: mark of an If or a Loop -> its outcomes, in their order.
    """

    executions: Mapping[str, Sequence[Execution]]
    outcomes: Mapping[str, Sequence[Outcome]]
    _position: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def find_outcome(self, node: NodeProto, *, every: bool) -> Outcome | None:
        """Return the outcome of the next execution of an If or a Loop; None if it did not run.

        Args:
            node: the marked node.
            every: whether the outcome has to hold for all executions.

        Raises:
            VaryingError: it does not.
        """
        mark = get_mark(node)
        outcome: Outcome | None = self._next(mark, self.outcomes.get(mark, ()), every=every)
        return outcome

    def complete(
        self, node: NodeProto, values: Sequence[Value | None], *, every: bool
    ) -> list[Value | None]:
        """Return a node's results, with executed shapes where they are unknown.

        Raises:
            VaryingError: the shapes have to hold for all executions, and do not.
        """
        known = self.executions.get(get_mark(node), ())
        present = [value for value in values if value]
        results = [execution.results for execution in known]
        found = self._next(get_mark(node), results, every=every)
        if found is None or len(found) != len(present):
            return list(values)
        shaped = iter(found)
        return [value and _shape(value, next(shaped)) for value in values]

    def _next(self, mark: str, known: Sequence[Any], *, every: bool) -> Any:
        if not mark or not known:
            return None
        if all(each == known[0] for each in known):
            return known[0]
        if every:
            raise VaryingError
        position = self._position[mark]
        self._position[mark] += 1
        return known[position] if position < len(known) else None


def _shape(value: Value, executed: Shaped) -> Value:
    if value.shape is not None:
        return value
    return replace(value, dtype=executed[0], shape=executed[1], because="")


def read_profile(events: Sequence[Mapping[str, Any]]) -> Executed:
    """Return what onnxruntime's profile tells, of a model that `make_executable` made."""
    executions, probes, spans = defaultdict(list), [], []
    for event in sorted((e for e in events if e.get("cat") == "Node"), key=lambda e: e["ts"]):
        mark, probe = find_mark(event["name"])
        if not mark or not event["name"].endswith("_kernel_time"):
            continue
        if probe:
            probes.append((event["ts"], mark, probe))
        elif event["args"].get("op_name") in {"If", "Loop"}:
            spans.append((event["ts"], event["ts"] + event["dur"], mark, event["args"]["op_name"]))
        else:
            executions[mark].append(_read_execution(event["args"]))
    return Executed(dict(executions), _find_outcomes(spans, probes))


def _find_outcomes(
    spans: Sequence[tuple[int, int, str, str]], probes: Sequence[tuple[int, str, str]]
) -> dict[str, list[Outcome]]:
    """Return the outcomes of control nodes by the probes that ran within their executions."""
    times = defaultdict(list)
    for at, mark, probe in probes:
        times[mark, probe].append(at)
    outcomes = defaultdict(list)
    for start, end, mark, operator in spans:
        probe = "b" if operator == "Loop" else "t"
        outcomes[mark].append(sum(start <= at <= end for at in times[mark, probe]))
    return dict(outcomes)


def _read_execution(args: Mapping[str, Any]) -> Execution:
    return Execution(
        _read_shapes(args.get("input_type_shape", ())),
        _read_shapes(args.get("output_type_shape", ())),
    )


def _read_shapes(written: Any) -> tuple[Shaped, ...]:
    pairs = [pair for entry in written or () for pair in entry.items()]
    return tuple((_read_type(name), tuple(sizes)) for name, sizes in pairs)


def _read_type(name: str) -> int:
    return int(TensorProto.DataType.Value(_NAMES.get(name, name.upper())))
