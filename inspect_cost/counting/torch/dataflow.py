"""Which operators' results reach what a call gives, and which depend on no input.

Each call of an operator that makes or writes memory is a node; it depends on the nodes that wrote
last to the memory it reads. Views are their operand's memory, so they need no node. Once the call
is over, whatever is reached backwards from its results is alive, and the rest is dead.

What counts as reaching the output: the call's result; memory that outlives the call because
something keeps it (a cache, a buffer, an input written to); and values that Python reads, or learns
as a shape. Memory is followed as a whole: where one part of it is read, all that was written to
it counts as read. So what is called dead is dead; the reverse is not claimed.

The same graph tells what depends on nothing but parameters and buffers: weight norm, a window over
a kernel. Such work yields the same in every call, and can be folded into what is stored.
"""

import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, UntypedStorage, nn
from torch._ops import OpOverload

from inspect_cost.counting.report import Tally
from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.graph import Graph, Key
from inspect_cost.counting.torch.memories import (
    Memories,
    Memory,
    find_storage,
    find_storages,
    walk_tensors,
)
from inspect_cost.counting.torch.traffic import iter_tensors
from inspect_cost.counting.waste import UnreadParameter
from inspect_cost.values.cost import FREE, OpCost, total

#: In-place operators that do not read what they overwrite.
FILLERS = frozenset(
    f"aten.{name}_"
    for name in (
        "copy fill zero normal uniform random bernoulli exponential log_normal geometric cauchy"
    ).split()
)
#: On real values, this announces that Python is about to read them (`tolist`, `numpy`).
ABOUT_TO_READ = "aten.resolve_neg"


class Effects(NamedTuple):
    """What following the data needs to know of an operator, found once.

    Attributes:
        positions: of the arguments that it writes to.
        names: of those that it writes to, where they are given by name.
        outs: names of those that it only writes to.
        shape_from_values: whether its result's shape tells values.
        random: whether it draws from a random state.
    """

    positions: frozenset[int]
    names: frozenset[str]
    outs: frozenset[str]
    shape_from_values: bool
    random: bool


def read_effects(func: OpOverload) -> Effects:
    """Read an overload's schema."""
    written = [
        (i, a)
        for i, a in enumerate(func._schema.arguments)
        if a.alias_info is not None and a.alias_info.is_write
    ]
    return Effects(
        frozenset(i for i, a in written if not a.kwarg_only),
        frozenset(a.name for _, a in written),
        frozenset(a.name for _, a in written if a.is_out),
        torch.Tag.dynamic_output_shape in func.tags,
        torch.Tag.nondeterministic_seeded in func.tags,
    )


@dataclass(frozen=True)
class Findings:
    """What a call did in vain, or would do again in every call.

    Attributes:
        dead: by module and operator, the costs of the calls whose result reaches nothing.
        fixed: likewise, of the calls that depend on nothing but parameters and buffers.
        unread: parameters on which nothing depends that the call gives.
        peak_bytes: the most that results of operators held at once.
    """

    dead: dict[Key, list[OpCost]]
    fixed: dict[Key, list[OpCost]]
    unread: tuple[UnreadParameter, ...]
    peak_bytes: int

    def mark(self, tallies: Iterable[Tally]) -> Iterator[Tally]:
        """Tallies with what is dead, and what is fixed, of them."""
        for tally in tallies:
            key = (tally.module, tally.operator)
            dead, fixed = self.dead.get(key, ()), self.fixed.get(key, ())
            yield (
                replace(tally, dead_calls=len(dead), dead_cost=total(dead), fixed_cost=total(fixed))
                if dead or fixed
                else tally
            )


class DataFlow:
    """Follows one call of a model, operator by operator.

    Args:
        stored: the model's parameters and buffers, which every call finds the same.
    """

    def __init__(self, stored: Iterable[Tensor] = ()) -> None:
        self._stored = {s._cdata for s in find_storages(stored) if s is not None}
        self._graph = Graph()
        self._memories = Memories()
        self._effects: dict[str, Effects] = {}  # by full names, which hash faster
        self._roots: set[int] = set()

    def record(
        self,
        key: Key,
        cost: OpCost | None,
        operator: Operator,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
    ) -> None:
        """One call of an operator that has run; ``kwargs`` are all that it was given."""
        effects = self._effects.get(operator.full_name)
        if effects is None:
            effects = self._effects[operator.full_name] = read_effects(operator.func)
        if operator.mutates:
            sources, targets = self._split_operands(operator.name, effects, args, kwargs)
        else:
            sources, targets = self._find_writers((*args, *kwargs.values()) if kwargs else args), []
        results = find_storages((out,))
        followed = None not in results and bool(targets if operator.mutates else results)
        find = self._memories.find
        made = {s._cdata: s for s in results if s is not None and find(s) is None}
        if operator.name == ABOUT_TO_READ and not args[0].is_meta:
            self._roots.update(sources)
        if followed and not made and not targets:
            return  # a view: the same memory
        own_memory = all(memory.is_result for memory, _ in targets)
        fixed = bool(sources) and own_memory and not effects.random
        node = self._graph.add(key, cost or FREE, sources, fixed=fixed)
        for storage in made.values():
            self._memories.add(storage, node, result=True)
        for memory, storage in targets:
            memory.writer = node
            self._memories.resize(memory, storage)
        if not followed:  # a number, or nothing: Python has it, or it acts on something else
            self._roots.add(node)
        if effects.shape_from_values:
            self._roots.update(self._find_shaping_nodes(node, operator, args))

    def record_opaque(self, key: Key, cost: OpCost | None, given: Any, out: Any) -> None:
        """A call of something without a schema, which may read and change all that it is given."""
        storages = [storage for storage in find_storages((given,)) if storage is not None]
        memories = [self._get_memory(storage) for storage in storages]
        node = self._graph.add(key, cost or FREE, [memory.writer for memory in memories])
        for memory in memories:
            memory.writer = node
        for made in find_storages((out,)):
            if made is not None and self._memories.find(made) is None:
                self._memories.add(made, node, result=True)

    def mark_as_used(self, value: Any) -> None:
        """A value reaches the output by a way that is not followed."""
        self._roots.update(self._find_writers((value,)))

    def _split_operands(
        self, name: str, effects: Effects, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[list[int], list[tuple[Memory, UntypedStorage]]]:
        """The nodes that a writing call depends on, and the memory that it writes to."""
        positions, names, outs, *_ = effects
        read = [a for i, a in enumerate(args) if i not in positions]
        read += [a for name, a in kwargs.items() if name not in names]
        changed = [args[i] for i in positions if i < len(args)]
        changed += [a for name, a in kwargs.items() if name in names - outs]
        filled = [a for name, a in kwargs.items() if name in outs]
        if name in FILLERS:
            changed, filled = [], changed + filled
        sources = self._find_writers((*read, *changed, *_select_parts(filled)))
        storages = find_storages((*changed, *filled))
        return sources, [(self._get_memory(s), s) for s in storages if s is not None]

    def _find_writers(self, values: Iterable[Any]) -> list[int]:
        """The nodes that wrote last to the memory of the tensors among some values."""
        memory = self._get_memory
        return [memory(s).writer for s in find_storages(values) if s is not None]

    def _get_memory(self, storage: UntypedStorage) -> Memory:
        """What is known of a storage; one that no operator made comes from outside."""
        known = self._memories.find(storage)
        if known is not None:
            return known
        node = self._graph.add(None, FREE, (), fixed=storage._cdata in self._stored)
        return self._memories.add(storage, node, result=False)

    def _find_shaping_nodes(
        self, node: int, operator: Operator, args: tuple[Any, ...]
    ) -> list[int]:
        """Whose values a result's shape tells: of `x[mask]`, the mask's."""
        if operator.name != "aten.index":
            return [node]
        masks = (i for i in iter_tensors(args[1:]) if i.dtype in {torch.bool, torch.uint8})
        return self._find_writers(masks)

    def finish(self, result: Any, inputs: Any, model: nn.Module) -> Findings:
        """What the call's result, and all that it leaves behind, was not made from.

        Args:
            result: what the call returned.
            inputs: what it was given; it may keep something in there, or have written to it.
            model: as it is after the call.
        """
        given = {memory.writer for memory in self._find_memories(result)}
        kept = {memory.writer for memory in self._find_outliving(result, inputs, model)}
        live, read = self._graph.find_reached(self._roots | given | kept)
        unread = tuple(self._find_unread(model, live, read))
        self._memories.clear()
        dead, fixed = self._graph.collect_dead_costs(live), self._graph.collect_fixed_costs()
        return Findings(dead, fixed, unread, self._memories.peak_bytes)

    def _find_unread(
        self, model: nn.Module, live: bytearray, read: bytearray
    ) -> Iterator[UnreadParameter]:
        """The parameters that no live node reads; those that no operator ever met included."""
        for parameter, names in _group_names(model):
            storage = find_storage(parameter)
            memory = None if storage is None else self._memories.find(storage)
            if storage is None or (memory is not None and live[memory.origin]):
                continue
            size = parameter.numel()
            touched = memory is not None and bool(read[memory.origin])
            yield UnreadParameter(names, size, size * parameter.element_size(), touched)

    def _find_outliving(self, result: Any, inputs: Any, model: nn.Module) -> list[Memory]:
        """Memory that something keeps after the call, and that the call made or wrote to.

        Who keeps it need not be known. But what is in no known place may only wait for the
        garbage collector, which takes long, and is called for nothing else.
        """
        strangers = {memory.identity for memory in self._memories if memory.is_result}
        for known in (result, inputs, model):
            if strangers:
                strangers -= {memory.identity for memory in self._find_memories(known)}
        if strangers:
            gc.collect()
        return [m for m in self._memories if m.is_result or m.writer != m.origin]

    def _find_memories(self, value: Any) -> Iterator[Memory]:
        """The memory of the tensors that a value holds."""
        for storage in map(find_storage, walk_tensors(value)):
            memory = None if storage is None else self._memories.find(storage)
            if memory is not None:
                yield memory


def _select_parts(tensors: Iterable[Any]) -> list[Tensor]:
    """Those tensors that are a part of their memory: overwriting them leaves the rest."""
    return [t for t in iter_tensors(tensors) if not _is_whole(t)]


def _is_whole(tensor: Tensor) -> bool:
    storage = find_storage(tensor)
    return storage is None or tensor.numel() * tensor.element_size() >= storage.nbytes()


def _group_names(model: nn.Module) -> Iterator[tuple[Tensor, tuple[str, ...]]]:
    """Each parameter, with all of its names."""
    names: dict[int, tuple[Tensor, list[str]]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), (parameter, []))[1].append(name)
    for tensor, known in names.values():
        yield tensor, tuple(known)
