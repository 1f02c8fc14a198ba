"""Calls of operators as nodes, each with the earlier ones that it depends on."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence

from inspect_cost.values.cost import FREE, OpCost

#: Module and operator, as in a ledger.
Key = tuple[str, str]


class Graph:
    """Nodes are numbered in the order of the calls, so that sources come before what they feed.

    They are kept as columns of numbers, since stepping through a long generation makes millions.
    """

    def __init__(self) -> None:
        self._entries = array("L")  # numbers of keys
        self._costs: list[OpCost] = []
        self._sources = array("Q")  # of all nodes, one after the other
        self._ends = array("Q", [0])  # where those of each node end, after a 0
        self._fixed = bytearray()
        self._keys: dict[Key | None, int] = {}
        self._distinct: dict[OpCost, OpCost] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self, key: Key | None, cost: OpCost, sources: Sequence[int], *, fixed: bool = False
    ) -> int:
        """A call, or with a key of None something from outside; returns the node's number.

        Args:
            key: what it is entered for.
            cost: its arithmetic.
            sources: the nodes that it depends on.
            fixed: whether it yields the same in every call of the model if its sources do.
        """
        self._entries.append(self._keys.setdefault(key, len(self._keys)))
        self._costs.append(cost if cost is FREE else self._distinct.setdefault(cost, cost))
        self._sources.extend(sources)
        self._ends.append(len(self._sources))
        self._fixed.append(fixed and all(self._fixed[source] for source in sources))
        return len(self._entries) - 1

    def find_reached(self, roots: Iterable[int]) -> tuple[bytearray, bytearray]:
        """For each node, whether some root depends on it, and whether any other node does."""
        live, read = bytearray(len(self)), bytearray(len(self))
        for root in roots:
            live[root] = 1
        for node in reversed(range(len(self))):
            reached = live[node]
            for source in self._sources[self._ends[node] : self._ends[node + 1]]:
                read[source] = 1
                live[source] |= reached
        return live, read

    def collect_dead_costs(self, live: bytearray) -> dict[Key, list[OpCost]]:
        """The costs of the nodes that are not alive."""
        return self._collect_costs(node for node in range(len(self)) if not live[node])

    def collect_fixed_costs(self) -> dict[Key, list[OpCost]]:
        """The costs of the nodes that yield the same in every call."""
        return self._collect_costs(node for node in range(len(self)) if self._fixed[node])

    def _collect_costs(self, nodes: Iterable[int]) -> dict[Key, list[OpCost]]:
        """The costs of some nodes; what comes from outside has none."""
        keys = list(self._keys)
        spent: dict[Key, list[OpCost]] = defaultdict(list)
        for node in nodes:
            key = keys[self._entries[node]]
            if key is not None:
                spent[key].append(self._costs[node])
        return spent
