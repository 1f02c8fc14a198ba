"""The ledger of a count: the cost so far of each operator in each module."""

from collections import Counter
from dataclasses import dataclass, field

from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.marking import get_mark
from inspect_cost.counting.onnx.table import count_bytes_moved
from inspect_cost.counting.tally import Tally
from inspect_cost.values.cost import FREE, OpCost
from inspect_cost.values.notes import Note


@dataclass
class Traced:
    """What a marked node did in the count.

    Attributes:
        call: its first call.
        done: the shapes that it returned, or the outcome that it had -> how often.
        macs: MACs of all its calls.
    """

    call: NodeCall
    done: Counter[object] = field(default_factory=Counter)
    macs: int = 0

    def add(self, did: object, macs: int) -> None:
        """Add one call."""
        self.done[did] += 1
        self.macs += macs

    def merge(self, other: "Traced", times: int) -> None:
        """Add all that another one did, `times` times over."""
        for did, calls in other.done.items():
            self.done[did] += calls * times
        self.macs += other.macs * times


class Ledger:
    """Tallies by module and operator, in the order of their first calls.

    Attributes:
        uncounted: (operator, reason) -> labels of its nodes whose cost is unknown. The reason is
            that for an unknown size, or "" if no rule gives the operator's cost.
        unsized: reason for an unknown size -> labels of nodes of known cost that read or return it.
        padding_macs: MACs that are executed on padding besides those entered.
        peak_bytes: most bytes that results in a graph, or in those inside it, occupy at once.
        sized: whether the sizes of all results are known.
        notes: decisions that the graph alone does not settle, each once, as keys in order.
        traced: what each marked node did, for a comparison with a run.
    """

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str, bool], Tally] = {}
        self.uncounted: dict[tuple[str, str], list[str]] = {}
        self.unsized: dict[str, list[str]] = {}
        self.padding_macs = 0
        self.peak_bytes = 0
        self.sized = True
        self.notes: dict[Note, None] = {}
        self.traced: dict[str, Traced] = {}

    def enter(self, module: str, call: NodeCall, cost: OpCost | None, *, because: str = "") -> None:
        """Add one call; a cost of None is unknown because of a size or, by default, a rule."""
        if cost is None:
            self.uncounted.setdefault((call.operator, because), []).append(call.label)
        unsized = next((v for v in (*call.inputs, *call.outputs) if v and not v.sized), None)
        if unsized is not None and cost is not None:
            self.unsized.setdefault(unsized.because, []).append(call.label)
        self.sized = self.sized and all(v.sized for v in call.outputs if v)
        moved = count_bytes_moved(call)
        self._add(Tally(call.operator, module, 1, cost or FREE, moved, cost is not None))
        shapes = tuple(value.shape for value in call.outputs if value and value.items is None)
        self.trace(get_mark(call.node), call, shapes, cost.macs if cost else 0)

    def trace(self, mark: str, call: NodeCall, did: object, macs: int = 0) -> None:
        """Note what a node did, if it is marked: the shapes that it returned, or its outcome."""
        if mark:
            self.traced.setdefault(mark, Traced(call)).add(did, macs)

    def _add(self, tally: Tally) -> None:
        key = (tally.module, tally.operator, tally.counted)
        known = self._tallies.get(key)
        self._tallies[key] = tally if known is None else known + tally

    def add(self, other: "Ledger", times: int = 1) -> None:
        """Add everything in another ledger, `times` times over."""
        for t in other.tallies() if times else ():
            cost, moved = t.cost * times, t.bytes_moved * times
            self._add(Tally(t.operator, t.module, t.calls * times, cost, moved, t.counted))
        for place, nodes in other.uncounted.items() if times else ():
            self.uncounted.setdefault(place, []).extend(nodes)
        for reason, nodes in other.unsized.items() if times else ():
            self.unsized.setdefault(reason, []).extend(nodes)
        self.padding_macs += other.padding_macs * times
        if times:
            self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
            self.sized = self.sized and other.sized
        self.notes.update(other.notes)
        for mark, traced in other.traced.items() if times else ():
            self.traced.setdefault(mark, Traced(traced.call)).merge(traced, times)

    @property
    def flops(self) -> int:
        """Total FLOPs of all entries."""
        return sum(tally.cost.flops for tally in self._tallies.values())

    @property
    def macs(self) -> int:
        """Total MACs of all entries."""
        return sum(tally.cost.macs for tally in self._tallies.values())

    def tallies(self) -> tuple[Tally, ...]:
        """Return all entries."""
        return tuple(self._tallies.values())
