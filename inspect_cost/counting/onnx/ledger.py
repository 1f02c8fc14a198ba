"""The ledger of a count: what each operator of each module has cost so far."""

from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.table import count_bytes_moved
from inspect_cost.counting.report import Tally
from inspect_cost.values.cost import FREE, OpCost


class Ledger:
    """Tallies by module and operator, in the order of the first calls.

    Attributes:
        uncounted: operator -> labels of its nodes, for those that nothing gives a cost.
        notes: what was decided where the graph alone does not tell, each once.
    """

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], Tally] = {}
        self.uncounted: dict[str, list[str]] = {}
        self.notes: dict[str, None] = {}

    def enter(
        self, module: str, call: NodeCall, cost: OpCost | None, *, moved: int | None = None
    ) -> None:
        """One call; a cost of None says that nothing tells it."""
        if cost is None:
            self.uncounted.setdefault(call.operator, []).append(call.label)
        moved = count_bytes_moved(call) if moved is None else moved
        self._add(Tally(call.operator, module, 1, cost or FREE, moved, cost is not None))

    def _add(self, tally: Tally) -> None:
        key = (tally.module, tally.operator)
        known = self._tallies.get(key)
        self._tallies[key] = tally if known is None else known + tally

    def add(self, other: "Ledger", times: int = 1) -> None:
        """All that is in another ledger, so many times."""
        for t in other.tallies() if times else ():
            cost, moved = t.cost * times, t.bytes_moved * times
            self._add(Tally(t.operator, t.module, t.calls * times, cost, moved, t.counted))
        for operator, nodes in other.uncounted.items() if times else ():
            self.uncounted.setdefault(operator, []).extend(nodes)
        self.notes.update(other.notes)

    @property
    def flops(self) -> int:
        """Of everything in it."""
        return sum(tally.cost.flops for tally in self._tallies.values())

    def tallies(self) -> tuple[Tally, ...]:
        """All entries."""
        return tuple(self._tallies.values())
