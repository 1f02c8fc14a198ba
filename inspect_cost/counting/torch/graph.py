"""The dataflow graph: one node per operator call, with the earlier nodes that it depends on."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence

from inspect_cost.values.cost import FREE, OpCost

#: Module path and operator name, as in a ledger.
Key = tuple[str, str]


class Graph:
    """Nodes in the order of the calls, so that every node comes after its sources.

    They are stored as columns of numbers: stepping through a long generation makes millions.
    """

    def __init__(self) -> None:
        self._entries = array("L")  # for each node, the number of its key
        self._costs: list[OpCost] = []
        self._sources = array("Q")  # the sources of all nodes, concatenated
        self._ends = array("Q", [0])  # where each node's sources end; node i starts at _ends[i]
        self._fixed = bytearray()
        self._keys: dict[Key | None, int] = {}
        self._distinct: dict[OpCost, OpCost] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self, key: Key | None, cost: OpCost, sources: Sequence[int], *, fixed: bool = False
    ) -> int:
        """Add the node of one call, and return its number.

        Args:
            key: module and operator of the call; None for memory that comes from outside.
            cost: its arithmetic.
            sources: the nodes that it depends on.
            fixed: whether it yields the same result in every call of the model, provided that its
                sources do.
        """
        self._entries.append(self._keys.setdefault(key, len(self._keys)))
        # Equal costs are stored once: a generation's steps repeat the same few.
        self._costs.append(cost if cost is FREE else self._distinct.setdefault(cost, cost))
        self._sources.extend(sources)
        self._ends.append(len(self._sources))
        self._fixed.append(fixed and all(self._fixed[source] for source in sources))
        return len(self._entries) - 1

    def list_sources(self, node: int) -> Sequence[int]:
        """List the nodes that a node depends on."""
        return self._sources[self._ends[node] : self._ends[node + 1]]

    def is_fixed(self, node: int) -> bool:
        """Return whether a node yields the same result in every call."""
        return bool(self._fixed[node])

    def is_free(self, node: int) -> bool:
        """Return whether a node takes no arithmetic."""
        return not self._costs[node].flops

    def list_keys(self) -> list[Key | None]:
        """List each node's key."""
        keys = list(self._keys)
        return [keys[entry] for entry in self._entries]

    def find_reached(self, roots: Iterable[int]) -> tuple[bytearray, bytearray]:
        """Return two flags per node: whether some root depends on it, and whether any node does."""
        live, read = bytearray(len(self)), bytearray(len(self))
        for root in roots:
            live[root] = 1
        # One pass suffices: sources have smaller numbers, so a node's flag is final when visited.
        for node in reversed(range(len(self))):
            alive = live[node]
            for source in self._sources[self._ends[node] : self._ends[node + 1]]:
                read[source] = 1
                live[source] |= alive
        return live, read

    def collect_dead_costs(self, live: bytearray) -> dict[Key, list[OpCost]]:
        """Collect the costs of the nodes that no root depends on."""
        return self._collect_costs(node for node in range(len(self)) if not live[node])

    def collect_fixed_costs(self) -> dict[Key, list[OpCost]]:
        """Collect the costs of the nodes that yield the same result in every call."""
        return self._collect_costs(node for node in range(len(self)) if self._fixed[node])

    def _collect_costs(self, nodes: Iterable[int]) -> dict[Key, list[OpCost]]:
        """Collect the costs of some nodes by key; nodes without a key have none."""
        keys = list(self._keys)
        spent: dict[Key, list[OpCost]] = defaultdict(list)
        for node in nodes:
            key = keys[self._entries[node]]
            if key is not None:
                spent[key].append(self._costs[node])
        return spent
