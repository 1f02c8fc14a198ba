"""Work in vain: what a call computes and stores without any of it reaching what the call gives.

Plain values: where the data flowed is found out by `inspect_cost.counting.torch.dataflow`.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class UnreadParameter:
    """A parameter on which nothing depends that the call gives.

    Attributes:
        names: its name in the model, and its other names where it is tied.
        elements: how many numbers it has.
        bytes: their size.
        touched: whether an operator reads it, whose result then reaches nothing.
    """

    names: tuple[str, ...]
    elements: int
    bytes: int
    touched: bool

    @property
    def module(self) -> str:
        """The path of the module that it belongs to."""
        return self.names[0].rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class ModuleUse:
    """What the waste in one module is found from; all but ``own_*`` with all that is below it.

    Attributes:
        path: its name in the model, "" for the model itself.
        flops: 2 x MACs + all other arithmetic.
        dead_macs: multiply-accumulates that reach nothing.
        dead_flops: FLOPs that reach nothing.
        own_dead_macs: those of the operators that it calls itself.
        own_dead_flops: those of the operators that it calls itself.
        params: elements of its parameters.
        unread: those of its parameters on which nothing depends.
        judged: False where an operator reaches something and nothing tells its cost.
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
        """Whether it works, and all of it in vain."""
        works = self.dead_flops > 0 or any(p.touched for p in self.unread)
        unread = sum(p.elements for p in self.unread)
        return works and self.judged and self.flops == self.dead_flops and self.params == unread

    def to_waste(self) -> "ModuleWaste":
        """The waste of a module that is dead as a whole."""
        touched = [p for p in self.unread if p.touched]
        return ModuleWaste(
            self.path, self.dead_macs, self.dead_flops, *_sum_sizes(touched), whole=True
        )

    def to_own_waste(self) -> "ModuleWaste":
        """The waste of the module without those below it."""
        own = [p for p in self.unread if p.touched and p.module == self.path]
        macs, flops = self.own_dead_macs, self.own_dead_flops
        return ModuleWaste(self.path, macs, flops, *_sum_sizes(own), whole=False)


@dataclass(frozen=True, slots=True)
class ModuleWaste:
    """The waste in one module.

    Attributes:
        path: its name in the model, "" for the model itself.
        macs: multiply-accumulates that reach nothing.
        flops: FLOPs that reach nothing.
        params: elements of the parameters that only operators read whose result reaches nothing.
        param_bytes: their size.
        whole: True: nothing in the module reaches anything, and the modules below it are included;
            False: only this is waste, and only what the module calls and stores itself.
    """

    path: str
    macs: int
    flops: int
    params: int
    param_bytes: int
    whole: bool


@dataclass(frozen=True)
class Waste:
    """What a call does in vain.

    Attributes:
        macs: multiply-accumulates whose result never reaches the output.
        flops: FLOPs, likewise.
        params: elements of the parameters that only such operators read, tied ones once.
        param_bytes: their size.
        share_of_macs: of all multiply-accumulates of the call; None where it has none.
        modules: where; modules that are dead as a whole stand for all that is below them.
        untouched_params: names of the parameters that no operator reads; in no other figure.
        untouched_elements: their elements.
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
        """The waste of a model, from what its modules use.

        Args:
            uses: each module, parents first, so that the first is the model.
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
        """Whether anything is done, or kept, in vain."""
        return bool(self.flops or self.params or self.untouched_params)


def _select_modules(uses: list[ModuleUse]) -> Iterable[ModuleWaste]:
    """Modules that are dead as a whole, without those below them; and the waste of others."""
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
    """(elements, bytes) of some parameters."""
    sizes = [(p.elements, p.bytes) for p in parameters]
    return sum(n for n, _ in sizes), sum(size for _, size in sizes)


def group_by_pattern(modules: Iterable[ModuleWaste]) -> dict[str, list[ModuleWaste]]:
    """Modules that differ in their numbers only, by a pattern: "blocks.*.flows.*.net"."""
    alike: dict[tuple[tuple[str, ...], bool], list[ModuleWaste]] = defaultdict(list)
    for module in modules:
        parts = ("*" if part.isdigit() else part for part in module.path.split("."))
        alike[tuple(parts), module.whole].append(module)
    return {
        find_pattern([m.path for m in group]) + ("" if whole else " (itself)"): group
        for (_, whole), group in alike.items()
    }


def find_pattern(paths: Iterable[str]) -> str:
    """The parts that paths of one length have in common, and "*" for the others.

    >>> pattern(["blocks.0.net.1", "blocks.7.net.1"])
    'blocks.*.net.1'
    """
    columns = zip(*(path.split(".") for path in paths), strict=True)
    return ".".join(column[0] if len(set(column)) == 1 else "*" for column in columns)
