"""The ledger of a count: the cost so far of each operator in each module."""

from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.table import count_bytes_moved
from inspect_cost.counting.tally import Tally
from inspect_cost.values.cost import FREE, OpCost
from inspect_cost.values.notes import Note


class Ledger:
    """Tallies by module and operator, in the order of their first calls.

    Attributes:
        uncounted: operator without a known cost -> labels of its nodes.
        notes: decisions that the graph alone does not settle, each once, as keys in order.
    """

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], Tally] = {}
        self.uncounted: dict[str, list[str]] = {}
        self.notes: dict[Note, None] = {}

    def enter(
        self, module: str, call: NodeCall, cost: OpCost | None, *, moved: int | None = None
    ) -> None:
        """Add one call; a cost of None means that no rule gives it."""
        if cost is None:
            self.uncounted.setdefault(call.operator, []).append(call.label)
        moved = count_bytes_moved(call) if moved is None else moved
        self._add(Tally(call.operator, module, 1, cost or FREE, moved, cost is not None))

    def _add(self, tally: Tally) -> None:
        key = (tally.module, tally.operator)
        known = self._tallies.get(key)
        self._tallies[key] = tally if known is None else known + tally

    def add(self, other: "Ledger", times: int = 1) -> None:
        """Add everything in another ledger, `times` times over."""
        for t in other.tallies() if times else ():
            cost, moved = t.cost * times, t.bytes_moved * times
            self._add(Tally(t.operator, t.module, t.calls * times, cost, moved, t.counted))
        for operator, nodes in other.uncounted.items() if times else ():
            self.uncounted.setdefault(operator, []).extend(nodes)
        self.notes.update(other.notes)

    @property
    def flops(self) -> int:
        """Total FLOPs of all entries."""
        return sum(tally.cost.flops for tally in self._tallies.values())

    def tallies(self) -> tuple[Tally, ...]:
        """Return all entries."""
        return tuple(self._tallies.values())
