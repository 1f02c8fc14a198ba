"""Decisions of one call: where its course, or the shape of a result, depends on values.

A value decides where Python reads it (`item`, `tolist`, the test of an `if`), and where its number
of entries becomes a shape (`nonzero`, `x[mask]`). The dataflow graph tells what such a value was
computed from.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from inspect_cost.counting.torch.graph import Graph, Key
from inspect_cost.values.notes import Note

#: Operators that select entries of their first operand by the others.
SELECTING = frozenset(
    f"aten.{name}" for name in "index index_select gather take masked_select".split()
)

MASKS = frozenset({torch.bool, torch.uint8})

#: Operator -> the position of the operand whose entries it searches. The length of its result, or
#: of the first of them, is the number that it found.
SEARCHED = {
    "aten.nonzero": 0,
    "aten.argwhere": 0,
    "aten.nonzero_numpy": 0,
    "aten.where": 0,
    "aten.masked_select": 1,
    "aten._unique2": 0,
    "torchvision.nms": 1,
}


class Reading(NamedTuple):
    """One place where values decide.

    Attributes:
        key: the module, and the operator.
        sources: the nodes whose result it reads.
        time: the number of nodes before it.
        found: how many entries were found, and of how many; None where that is not known.
    """

    key: Key
    sources: tuple[int, ...]
    time: int
    found: tuple[int, int] | None = None


class Decisions:
    """The readings of one call, and the nodes at which what is known of values changes.

    Attributes:
        readings: in the order of the call.
        choices: nodes that chose by unknown numbers, with an unknown result.
        fixed: those whose result was fixed, and is known.
        from_shape: nodes whose result has no values of their operands.
        unknown: nodes that bring in memory without values.
        weights: nodes that bring in parameters with values.
        failed: nodes whose results an operator was given that failed.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.readings: list[Reading] = []
        self.choices: set[int] = set()
        self.fixed: set[int] = set()
        self.failed: list[int] = []
        self.from_shape: set[int] = set()
        self.unknown: set[int] = set()
        self.weights: set[int] = set()

    def add_reading(
        self, key: Key, sources: list[int], found: tuple[int, int] | None = None
    ) -> None:
        """Record that values of some nodes are read."""
        if sources:
            self.readings.append(Reading(key, tuple(sources), len(self._graph), found))

    def find_computed(self) -> list[Reading]:
        """Find the readings of what was computed from parameters."""
        if not self.weights or not self.readings:
            return []
        computed = bytearray(len(self._graph))
        for node in range(len(self._graph)):
            if node in self.weights:
                computed[node] = 1
            elif node not in self.from_shape:
                computed[node] = any(computed[source] for source in self._graph.list_sources(node))
        return [r for r in self.readings if any(computed[source] for source in r.sources)]

    def find_choices_behind_failure(self) -> frozenset[Key | None]:
        """Find the last choices that the operands of a failed operator were computed from.

        If Python failed, as it does where it reads a tensor as an array, it read what was last.
        """
        keys, found = self._graph.list_keys(), set()
        seen: set[int] = set()
        pending = list(self.failed or range(len(keys))[-1:])
        while pending:
            node = pending.pop()
            if node in seen or node in self.fixed or node in self.from_shape:
                continue
            seen.add(node)
            if node in self.choices:
                found.add(keys[node])
            else:
                pending.extend(self._graph.list_sources(node))
        return frozenset(found)

    def find_unread_choice(self) -> Key | None:
        """Find a choice that decides about work which does not read it; None if there is none.

        A token that was chosen is read by the network that runs next, and so by one of its
        parameters. A choice of the experts that some rows go to, or of the branch that is taken,
        is not: what it decides cannot be known without values.
        """
        sites = _Sites(self._graph, self)
        decided = open_ = 0
        readings = iter([*self.readings, None])
        reading = next(readings)
        for node in range(len(self._graph)):
            while reading is not None and reading.time <= node:
                decided |= sites.find(reading.sources)
                reading = next(readings)
            if sites.unknown[node] and not self._graph.is_free(node):
                open_ |= decided
        return sites.name(open_ & ~sites.read)


def note_decisions(decisions: Decisions) -> tuple[Note, ...]:
    """Note that the total depends on values that were computed from parameters, if it does."""
    readings = decisions.find_computed()
    if not readings:
        return ()
    (module, operator), found = readings[0].key, readings[0].found
    where = f"in {module}" if module else "in the model itself"
    share = f", which found {found[0]:,} of 0 to {found[1]:,}" if found else ""
    more = f"; the first of {len(readings):,} that do" if len(readings) > 1 else ""
    text = f"The total depends on values computed from the weights: {operator} {where} reads them"
    return (Note("depends-on-values", f"{text}{share}{more}.", "warning"),)


def count_found(name: str, args: Sequence[Any], out: Any) -> tuple[int, int] | None:
    """Count how many entries an operator found, and how many it could have.

    Args:
        name: of the operator.
        args: its positional arguments.
        out: its result.
    """
    if name == "aten.index":
        masks = [i for i in args[1] if i is not None and i.dtype in MASKS]
        found = sum(int(mask.count_nonzero()) for mask in masks)
        return (found, masks[0].numel()) if len(masks) == 1 else None
    if name not in SEARCHED:
        return None
    first = out if isinstance(out, Tensor) else out[0]
    return first.shape[0], args[SEARCHED[name]].numel()


class _Sites:
    """The places of choices, as bits: which of them each known result was computed from.

    Attributes:
        unknown: for each node, whether its values are unknown.
        read: the places whose choices are read by parameters.
    """

    def __init__(self, graph: Graph, decisions: Decisions) -> None:
        self._graph = graph
        self._bits: dict[Key | None, int] = {}
        self._chosen = [0] * len(graph)
        self._given = bytearray(len(graph))  # whether it was computed from inputs
        self.unknown = bytearray(len(graph))
        self.read = 0
        self._keys = keys = graph.list_keys()
        for node in range(len(graph)):
            sources = graph.list_sources(node)
            if node in decisions.fixed:
                own = self._bits.setdefault(keys[node], 1 << len(self._bits))
                # Numbers that are looked up by a choice belong to it.
                self._chosen[node] = self.find(sources) or own
            elif node in decisions.unknown:
                self.unknown[node] = 1
            elif keys[node] is None:
                self._given[node] = not graph.is_fixed(node)
            elif node not in decisions.from_shape:
                self._follow(node, sources)

    def _follow(self, node: int, sources: Sequence[int]) -> None:
        """Follow one operator: what it makes is known if all that it takes is.

        Rows of an input that are selected by a choice are not chosen themselves.
        """
        key = self._keys[node]
        self._given[node] = any(self._given[source] for source in sources)
        if key is not None and key[1] in SELECTING and self._given[sources[0]]:
            sources = sources[:1]
        chosen = self.find(sources)
        unknown = [source for source in sources if self.unknown[source]]
        if not unknown:
            self._chosen[node] = chosen
            return
        self.unknown[node] = 1
        if chosen and any(map(self._graph.is_fixed, unknown)):
            self.read |= chosen

    def find(self, nodes: Iterable[int]) -> int:
        """Return the places that some nodes' known results were computed from."""
        found = 0
        for node in nodes:
            found |= self._chosen[node]
        return found

    def name(self, places: int) -> Key | None:
        """Return the first of some places."""
        return next((key for key, bit in self._bits.items() if bit & places), None)
