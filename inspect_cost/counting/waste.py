"""Unused computation: what a call computes and stores without affecting its results.

These are plain values; `inspect_cost.counting.torch.dataflow` finds where the data flowed.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class UnreadParameter:
    """A parameter that no result of the call depends on.

    Attributes:
        names: its name in the model, and its other names if it is tied.
        elements: number of its elements.
        bytes: their size.
        touched: whether an operator reads it, whose result is then unused.
    """

    names: tuple[str, ...]
    elements: int
    bytes: int
    touched: bool

    @property
    def module(self) -> str:
        """Path of the module that it belongs to."""
        return self.names[0].rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class ModuleUse:
    """How much of one module is used; includes the modules below it, except for ``own_*``.

    Attributes:
        path: its name in the model, "" for the model itself.
        flops: 2 x MACs + all other arithmetic.
        dead_macs: multiply-accumulates whose results are unused.
        dead_flops: FLOPs whose results are unused.
        own_dead_macs: `dead_macs` of the operators that the module itself calls.
        own_dead_flops: `dead_flops` of the operators that the module itself calls.
        params: number of elements of its parameters.
        unread: its parameters that no result depends on.
        judged: False if the cost of an operator whose result is used is unknown.
    """

    path: str
    flops: int
    dead_macs: int
    dead_flops: int
    own_dead_macs: int
    own_dead_flops: int
    params: int
    unread: frozenset[UnreadParameter]
    judged: bool

    @property
    def dead(self) -> bool:
        """Whether the module computes something, and all of it is unused."""
        works = self.dead_flops > 0 or any(p.touched for p in self.unread)
        unread = sum(p.elements for p in self.unread)
        return works and self.judged and self.flops == self.dead_flops and self.params == unread

    def to_waste(self) -> "ModuleWaste":
        """Return the waste of a module that is dead as a whole."""
        touched = [p for p in self.unread if p.touched]
        return ModuleWaste(
            self.path, self.dead_macs, self.dead_flops, *_sum_sizes(touched), whole=True
        )

    def to_own_waste(self) -> "ModuleWaste":
        """Return the waste of the module without those below it."""
        own = [p for p in self.unread if p.touched and p.module == self.path]
        macs, flops = self.own_dead_macs, self.own_dead_flops
        return ModuleWaste(self.path, macs, flops, *_sum_sizes(own), whole=False)


@dataclass(frozen=True, slots=True)
class ModuleWaste:
    """The unused computation in one module.

    Attributes:
        path: its name in the model, "" for the model itself.
        macs: multiply-accumulates whose results are unused.
        flops: FLOPs whose results are unused.
        params: elements of the parameters that are read only to compute unused results.
        param_bytes: their size.
        whole: True if the whole module is unused, and the numbers include the modules below it;
            False if they cover part of what the module itself calls and stores.
    """

    path: str
    macs: int
    flops: int
    params: int
    param_bytes: int
    whole: bool


@dataclass(frozen=True)
class Waste:
    """The unused computation of a call.

    Attributes:
        macs: multiply-accumulates whose results do not affect the output.
        flops: FLOPs whose results do not affect the output.
        params: elements of the parameters that only such operators read; tied ones count once.
        param_bytes: their size.
        share_of_macs: `macs` over all multiply-accumulates of the call; None if it has none.
        modules: the modules at fault; one that is dead as a whole stands for those below it.
        untouched_params: names of the parameters that no operator reads; in no other number.
        untouched_elements: number of their elements.
    """

    macs: int
    flops: int
    params: int
    param_bytes: int
    share_of_macs: float | None
    modules: tuple[ModuleWaste, ...]
    untouched_params: tuple[str, ...]
    untouched_elements: int

    @classmethod
    def from_uses(cls, uses: Iterable[ModuleUse], macs: int) -> Self:
        """Sum up the waste of a model from the use of its modules.

        Args:
            uses: one per module, parents first, so that the first is the model's.
            macs: multiply-accumulates of the whole call.
        """
        model, *_ = listed = list(uses)
        touched = [p for p in model.unread if p.touched]
        untouched = [p for p in model.unread if not p.touched]
        params, param_bytes = _sum_sizes(touched)
        return cls(
            macs=model.dead_macs,
            flops=model.dead_flops,
            params=params,
            param_bytes=param_bytes,
            share_of_macs=model.dead_macs / macs if macs else None,
            modules=tuple(_select_modules(listed)),
            untouched_params=tuple(sorted(p.names[0] for p in untouched)),
            untouched_elements=_sum_sizes(untouched)[0],
        )

    def __bool__(self) -> bool:
        """Return whether any computation or parameter is unused."""
        return bool(self.flops or self.params or self.untouched_params)


def _select_modules(uses: list[ModuleUse]) -> Iterable[ModuleWaste]:
    """Yield modules that are dead as a whole, without those below them, and the waste in others."""
    dead: set[str] = set()
    for use in uses:
        if use.path and use.path.rpartition(".")[0] in dead:
            dead.add(use.path)
        elif use.dead:
            dead.add(use.path)
            yield use.to_waste()
        elif (own := use.to_own_waste()).flops or own.params:
            yield own


def _sum_sizes(parameters: Iterable[UnreadParameter]) -> tuple[int, int]:
    """Return (elements, bytes) of some parameters."""
    sizes = [(p.elements, p.bytes) for p in parameters]
    return sum(n for n, _ in sizes), sum(size for _, size in sizes)


def group_by_pattern(modules: Iterable[ModuleWaste]) -> dict[str, list[ModuleWaste]]:
    """Group modules whose paths differ only in numbers, by pattern: "blocks.*.flows.*.net"."""
    alike: dict[tuple[tuple[str, ...], bool], list[ModuleWaste]] = defaultdict(list)
    for module in modules:
        parts = ("*" if part.isdigit() else part for part in module.path.split("."))
        alike[tuple(parts), module.whole].append(module)
    return {
        find_pattern([m.path for m in group]) + ("" if whole else " (itself)"): group
        for (_, whole), group in alike.items()
    }


def find_pattern(paths: Iterable[str]) -> str:
    """Return the parts that paths of one length have in common, with "*" for the others.

    >>> pattern(["blocks.0.net.1", "blocks.7.net.1"])
    'blocks.*.net.1'
    """
    columns = zip(*(path.split(".") for path in paths), strict=True)
    return ".".join(column[0] if len(set(column)) == 1 else "*" for column in columns)
