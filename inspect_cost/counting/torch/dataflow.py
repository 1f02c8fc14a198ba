"""Dataflow of one call: which operators' results are used, and which depend on no input.

Each operator call that creates or writes memory is a node. It depends on the nodes that last wrote
to the memory that it reads. A view is its operand's memory, so it needs no node. After the call,
every node that can be reached backwards from the results is live; the others are dead.

Used results are: what the call returns; memory that outlives the call because something keeps it
(a cache, a buffer, an input written to); and values that Python reads, directly or as a shape.
Memory is followed as a whole: reading one part of it counts as reading everything written to it.
So whatever is reported dead is dead, but not everything dead is reported.

The same graph shows what depends on nothing but parameters and buffers, such as weight norm or a
window over a kernel. Such work gives the same result in every call, and can be folded into what is
stored.
"""

import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, UntypedStorage, nn

from inspect_cost.counting.tally import Tally
from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.choices import is_choice
from inspect_cost.counting.torch.contents import count_bytes, iter_parts
from inspect_cost.counting.torch.decisions import Decisions, count_found
from inspect_cost.counting.torch.effects import Effects, read_effects
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

#: In-place operators whose result does not depend on what they overwrite.
FILLERS = frozenset(
    f"aten.{name}_"
    for name in (
        "copy fill zero normal uniform random bernoulli exponential log_normal geometric cauchy"
    ).split()
)
#: On real values, this operator precedes a read by Python (`tolist`, `numpy`).
ABOUT_TO_READ = "aten.resolve_neg"


@dataclass(frozen=True)
class Findings:
    """Unused work of one call, and work that would be repeated in every call.

    Attributes:
        dead: costs of the operator calls whose result is not used, by module and operator.
        fixed: costs of those that depend on nothing but parameters and buffers, likewise.
        unread: parameters that no used result depends on.
        peak_bytes: largest number of bytes that operators' results held at once.
    """

    dead: dict[Key, list[OpCost]]
    fixed: dict[Key, list[OpCost]]
    unread: tuple[UnreadParameter, ...]
    peak_bytes: int

    def mark(self, tallies: Iterable[Tally]) -> Iterator[Tally]:
        """Yield the tallies with their dead and fixed shares filled in."""
        for tally in tallies:
            key = (tally.module, tally.operator)
            dead, fixed = self.dead.get(key, ()), self.fixed.get(key, ())
            yield (
                replace(tally, dead_calls=len(dead), dead_cost=total(dead), fixed_cost=total(fixed))
                if dead or fixed
                else tally
            )


class Follower(Protocol):
    """What records the calls of operators."""

    def record(
        self,
        key: Key,
        cost: OpCost | None,
        operator: Operator,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
    ) -> None:
        """Record a call of an operator that has run; ``kwargs`` include its ``out=`` if given."""

    def record_opaque(self, key: Key, cost: OpCost | None, given: Any, out: Any) -> None:
        """Record a call without a schema, which may read and write everything that it is given."""

    def record_failure(self, args: tuple[Any, ...]) -> None:
        """Record what an operator was given that did not run."""

    def record_truth(self, key: Key, predicate: Any) -> None:
        """Record that a branch is taken by a value."""

    def mark_as_used(self, value: Any) -> None:
        """Mark a value as used, because it goes where it cannot be followed."""

    def has_made(self, tensor: Tensor) -> bool:
        """Return whether an operator that was recorded made a tensor's memory."""


class DataFlow:
    """The follower of one call of a model, operator by operator.

    Args:
        stored: the model's parameters and buffers, which are the same in every call.
        weights: the parameters that have values.
    """

    def __init__(self, stored: Iterable[Tensor] = (), weights: Iterable[Tensor] = ()) -> None:
        self._stored, self._weights = _identify(stored), _identify(weights)
        self._graph = Graph()
        self.decisions = Decisions(self._graph)
        self._memories = Memories()
        self._effects: dict[str, Effects] = {}  # by full name, which hashes faster than an overload
        self._roots: set[int] = set()
        self._strangers: list[Memory] | None = None

    @property
    def outside(self) -> list[Memory]:
        """Memory that operators made and that something keeps other than model, inputs, result.

        Until the call is finished, it is all that is alive.
        """
        if self._strangers is not None:
            return self._strangers
        return [memory for memory in self._memories if memory.is_result]

    def record(
        self,
        key: Key,
        cost: OpCost | None,
        operator: Operator,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
    ) -> None:
        """Record a call of an operator that has run; ``kwargs`` include its ``out=`` if given."""
        effects = self._effects.get(operator.full_name)
        if effects is None:
            effects = self._effects[operator.full_name] = read_effects(operator)
        if operator.mutates:
            sources, targets = self._split_operands(operator.name, effects, args, kwargs)
        else:
            sources, targets = self._find_writers((*args, *kwargs.values()) if kwargs else args), []
        results = find_storages((out,))
        # What the call did can be followed only if it lies in memory whose identity is known.
        followed = None not in results and bool(targets if operator.mutates else results)
        find = self._memories.find
        made = {s._cdata: s for s in results if s is not None and find(s) is None}
        if operator.name == ABOUT_TO_READ and not args[0].is_meta:
            self._roots.update(sources)
            self.decisions.add_reading(key, sources)
        if followed and not made and not targets:
            return  # a view: its memory already has a node
        # Writing to an input or a buffer leaves something different for the next call, so only
        # work on memory that operators made is the same every time; and random draws never are.
        own_memory = all(memory.is_result for memory, _ in targets)
        fixed = bool(sources) and own_memory and not effects.random
        node = self._graph.add(key, cost or FREE, sources, fixed=fixed)
        for storage in made.values():
            self._memories.add(storage, node, result=True)
        for memory, storage in targets:
            memory.writer = node
            self._memories.resize(memory, storage)
        if not followed:  # a Python number, or a side effect that is not seen: assume it is used
            self._roots.add(node)
        if effects.decides or not followed:
            self._record_decision(node, key, effects, operator, args, out, sources)

    def _record_decision(
        self,
        node: int,
        key: Key,
        effects: Effects,
        operator: Operator,
        args: tuple[Any, ...],
        out: Any,
        sources: list[int],
    ) -> None:
        """Record where values decide, or where it changes what is known of them."""
        if isinstance(out, (bool, int, float, complex)):
            self.decisions.add_reading(key, sources)
        if effects.shape_from_values:
            shaping = self._find_shaping_nodes(node, operator, args)
            self._roots.update(shaping)
            found = count_found(operator.name, args, out) if self._weights and shaping else None
            self.decisions.add_reading(key, shaping, found)
        if effects.reads_shape_only:
            self.decisions.from_shape.add(node)
        if effects.chooses and _has_unknown(args) and is_choice(operator, args):
            chosen = self.decisions.fixed if _has_known(out) else self.decisions.choices
            chosen.add(node)

    def record_opaque(self, key: Key, cost: OpCost | None, given: Any, out: Any) -> None:
        """Record a call without a schema, which may read and write everything that it is given."""
        storages = [storage for storage in find_storages((given,)) if storage is not None]
        memories = [self._get_memory(storage) for storage in storages]
        node = self._graph.add(key, cost or FREE, [memory.writer for memory in memories])
        for memory in memories:
            memory.writer = node
        for made in find_storages((out,)):
            if made is not None and self._memories.find(made) is None:
                self._memories.add(made, node, result=True)

    def record_failure(self, args: tuple[Any, ...]) -> None:
        """Record what an operator was given that did not run."""
        self.decisions.failed = self._find_writers(args)

    def record_truth(self, key: Key, predicate: Any) -> None:
        """Record that a branch is taken by a value."""
        self.decisions.add_reading(key, self._find_writers((predicate,)))

    def mark_as_used(self, value: Any) -> None:
        """Mark a value as used, because it goes where it cannot be followed."""
        self._roots.update(self._find_writers((value,)))

    def has_made(self, tensor: Tensor) -> bool:
        """Return whether an operator that was recorded made a tensor's memory."""
        return self._memories.has_made(tensor)

    def _split_operands(
        self, name: str, effects: Effects, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[list[int], list[tuple[Memory, UntypedStorage]]]:
        """Return the nodes that a writing call depends on, and the memory that it writes to."""
        positions, names, outs, *_ = effects
        # Three kinds of operand: read only; changed, that is read and written; filled, which
        # keeps nothing of what was there.
        read = [a for i, a in enumerate(args) if i not in positions]
        read += [a for name, a in kwargs.items() if name not in names]
        changed = [args[i] for i in positions if i < len(args)]
        changed += [a for name, a in kwargs.items() if name in names - outs]
        filled = [a for name, a in kwargs.items() if name in outs]
        if name in FILLERS:
            changed, filled = [], changed + filled
        # Filling a part of some memory leaves the rest, so the result depends on that too.
        sources = self._find_writers((*read, *changed, *_select_parts(filled)))
        storages = find_storages((*changed, *filled))
        return sources, [(self._get_memory(s), s) for s in storages if s is not None]

    def _find_writers(self, values: Iterable[Any]) -> list[int]:
        """Find the nodes that last wrote to the memory of the tensors among some values."""
        memory = self._get_memory
        return [memory(s).writer for s in find_storages(values) if s is not None]

    def _get_memory(self, storage: UntypedStorage) -> Memory:
        """Return what is known of a storage; if it is new, it comes from outside the call."""
        known = self._memories.find(storage)
        if known is not None:
            return known
        node = self._graph.add(None, FREE, (), fixed=storage._cdata in self._stored)
        if storage.device.type == "meta":
            self.decisions.unknown.add(node)
        if storage._cdata in self._weights:
            self.decisions.weights.add(node)
        return self._memories.add(storage, node, result=False)

    def _find_shaping_nodes(
        self, node: int, operator: Operator, args: tuple[Any, ...]
    ) -> list[int]:
        """Find the nodes whose values a result's shape reveals: for `x[mask]`, the mask's."""
        if operator.name != "aten.index":
            return [node]
        masks = (i for i in iter_tensors(args[1:]) if i.dtype in {torch.bool, torch.uint8})
        return self._find_writers(masks)

    def finish(self, result: Any, inputs: Any, model: nn.Module) -> Findings:
        """Find the work that neither the call's result nor anything that outlives it depends on.

        Args:
            result: what the call returned.
            inputs: what it was given, and may have written to or kept something in.
            model: the model as it is after the call.
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
        """Find the parameters that no live node reads, including those that no operator saw."""
        for parameter, names in _group_names(model):
            storages = [find_storage(part) for part in iter_parts(parameter)]
            known = [self._memories.find(storage) for storage in storages if storage is not None]
            memories = [memory for memory in known if memory is not None]
            if not known or any(live[memory.origin] for memory in memories):
                continue
            # Touched: a node reads it, but the node is dead.
            touched = any(read[memory.origin] for memory in memories)
            yield UnreadParameter(names, parameter.numel(), count_bytes(parameter), touched)

    def _find_outliving(self, result: Any, inputs: Any, model: nn.Module) -> list[Memory]:
        """Find the memory that the call made or wrote to and that something keeps after it.

        What keeps it need not be known. But memory that is neither in the result, the inputs, the
        model nor its gradients may just be garbage in a reference cycle, and only then is the
        collector worth its time.
        """
        strangers = {memory.identity for memory in self._memories if memory.is_result}
        gradients = [parameter.grad for parameter in model.parameters()]
        for known in (result, inputs, model, gradients):
            if strangers:
                strangers -= {memory.identity for memory in self._find_memories(known)}
        if strangers:
            gc.collect()
        self._strangers = [memory for memory in self._memories if memory.identity in strangers]
        return [m for m in self._memories if m.is_result or m.writer != m.origin]

    def _find_memories(self, value: Any) -> Iterator[Memory]:
        """Find the memory of the tensors that a value holds."""
        for storage in map(find_storage, walk_tensors(value)):
            memory = None if storage is None else self._memories.find(storage)
            if memory is not None:
                yield memory


def _identify(tensors: Iterable[Tensor]) -> set[int]:
    """Return the identities of the memory of tensors."""
    parts = [part for tensor in tensors for part in iter_parts(tensor)]
    return {s._cdata for s in find_storages(parts) if s is not None}


def _has_known(values: Any) -> bool:
    return any(not x.is_meta for x in iter_tensors((values,)))


def _has_unknown(values: Any) -> bool:
    return any(x.is_meta for x in iter_tensors((values,)))


def _select_parts(tensors: Iterable[Any]) -> list[Tensor]:
    """Select the tensors that cover only a part of their memory."""
    return [t for t in iter_tensors(tensors) if not _is_whole(t)]


def _is_whole(tensor: Tensor) -> bool:
    """Return whether a tensor covers all of its memory, as far as sizes show."""
    storage = find_storage(tensor)
    return storage is None or tensor.numel() * tensor.element_size() >= storage.nbytes()


def _group_names(model: nn.Module) -> Iterator[tuple[Tensor, tuple[str, ...]]]:
    """Yield each parameter with all of its names."""
    names: dict[int, tuple[Tensor, list[str]]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), (parameter, []))[1].append(name)
    for tensor, known in names.values():
        yield tensor, tuple(known)
