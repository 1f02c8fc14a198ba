"""Results of a count: the calls of operators, by module, and all that follows from them.

`Tally` is the calls of one operator in one module, `CostReport` a whole run; torch is not needed.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Protocol, Self

from inspect_cost.counting.waste import ModuleUse, UnreadParameter, Waste
from inspect_cost.values.cost import FREE, OpCost, total
from inspect_cost.values.notes import Note
from inspect_cost.values.presentable import Presentable
from inspect_cost.values.units import exact, si


class _Counted(Protocol):
    @property
    def cost(self) -> OpCost: ...

    @property
    def bytes_moved(self) -> int: ...


class CostFigures:
    """Base class of what has a `cost` and `bytes_moved`: the figures that follow from them."""

    __slots__ = ()

    @property
    def macs(self: _Counted) -> int:
        """Multiply-accumulates."""
        return self.cost.macs

    @property
    def flops(self: _Counted) -> int:
        """2 x MACs + all other arithmetic."""
        return self.cost.flops

    @property
    def flops_by_class(self: _Counted) -> dict[str, int]:
        """The arithmetic outside contractions by class: flops = 2 macs + the sum of these."""
        return self.cost.flops_by_class

    @property
    def arithmetic_intensity(self: _Counted) -> float | None:
        """FLOPs per byte moved; None if nothing was moved."""
        return self.cost.flops / self.bytes_moved if self.bytes_moved else None


class _Storing(Protocol):
    @property
    def storage(self) -> "Storage": ...


class StorageFigures:
    """Base class of what has a `storage`: the figures of its parameters."""

    __slots__ = ()

    @property
    def params(self: _Storing) -> int:
        """Elements of the parameters, tied ones once, as stored."""
        return self.storage.params

    @property
    def param_bytes(self: _Storing) -> int:
        """Size of the parameters in bytes, as stored."""
        return self.storage.param_bytes


@dataclass(frozen=True, slots=True)
class Tally(CostFigures):
    """All calls of one operator made directly by one module.

    Attributes:
        operator: its name, such as "aten.conv1d".
        module: path of the module, "" for the model itself.
        calls: how often it ran.
        cost: its arithmetic, all calls together.
        bytes_moved: operands read once and results written once, per call, all calls together.
        counted: False if no rule covers the operator; `cost` is then meaningless.
        dead_calls: those whose result never reaches the output.
        dead_cost: their arithmetic.
        fixed_cost: arithmetic of the calls that depend on nothing but parameters and buffers.
    """

    operator: str
    module: str
    calls: int
    cost: OpCost
    bytes_moved: int
    counted: bool = True
    dead_calls: int = 0
    dead_cost: OpCost = FREE
    fixed_cost: OpCost = FREE

    def __add__(self, other: "Tally") -> "Tally":
        """Calls of the same operator, in the module that both are in or else in the model."""
        if self.operator != other.operator:
            raise ValueError(f"{self.operator} and {other.operator} do not add up")
        return Tally(
            operator=self.operator,
            module=self.module if self.module == other.module else "",
            calls=self.calls + other.calls,
            cost=self.cost + other.cost,
            bytes_moved=self.bytes_moved + other.bytes_moved,
            counted=self.counted and other.counted,
            dead_calls=self.dead_calls + other.dead_calls,
            dead_cost=self.dead_cost + other.dead_cost,
            fixed_cost=self.fixed_cost + other.fixed_cost,
        )

    @property
    def arithmetic_intensity(self) -> float | None:
        """FLOPs per byte moved; None if nothing was moved, or the FLOPs are unknown."""
        known = self.counted and self.bytes_moved
        return self.cost.flops / self.bytes_moved if known else None


@dataclass(frozen=True, slots=True)
class Storage:
    """What a module stores, each tensor once however often it is shared.

    Attributes:
        params: elements of the parameters.
        param_bytes: their size.
        trainable: elements of those that require a gradient.
        buffers: elements of the buffers.
        buffer_bytes: their size.
        dtypes: elements of the parameters by data type.
        weight_norm_lengths: elements that only weight norm needs; folding drops them.
    """

    params: int = 0
    param_bytes: int = 0
    trainable: int = 0
    buffers: int = 0
    buffer_bytes: int = 0
    dtypes: Mapping[str, int] = field(default_factory=dict)
    weight_norm_lengths: int = 0

    @property
    def folded_params(self) -> int:
        """Elements of the parameters once weight norm is folded into plain kernels."""
        return self.params - self.weight_norm_lengths


@dataclass(frozen=True, slots=True)
class ModuleCost(CostFigures, StorageFigures):
    """One module of the tree with all that is below it.

    Attributes:
        path: its name in the model, "" for the model itself.
        type: the name of its class.
        storage: its parameters and buffers.
        cost: arithmetic of everything inside.
        own_cost: arithmetic of the operators that it calls itself.
        bytes_moved: of everything inside.
        calls: operator calls inside.
        dead_cost: arithmetic of everything inside whose result never reaches the output.
        own_dead_cost: that of the operators that it calls itself.
        judged: False where an operator inside reaches the output and nothing tells its cost.
    """

    path: str
    type: str
    storage: Storage
    cost: OpCost = FREE
    own_cost: OpCost = FREE
    bytes_moved: int = 0
    calls: int = 0
    dead_cost: OpCost = FREE
    own_dead_cost: OpCost = FREE
    judged: bool = True

    @property
    def depth(self) -> int:
        """Levels below the model, which has 0."""
        return self.path.count(".") + 1 if self.path else 0


@dataclass(frozen=True, repr=False)
class CostReport(CostFigures, StorageFigures, Presentable):
    """What one call of a model costs; everything else follows from the tallies.

    Attributes:
        model: name of the model's class.
        modules: (path, class name, storage) of each module, parents first.
        tallies: per module and operator.
        notes: remarks on how the count was made, if that is not as usual; docs/counting.md has
            their codes.
        policy: "dense": every tap of every computed output counts, on padding or masked or not.
        unread: the parameters on which nothing depends that the call gives; None where the data
            flow is not known.
        peak_activation_bytes: the most that results of operators held at once, each memory once;
            without parameters, inputs and what kernels use inside. None where it is not known.
        input_bytes: size of the tensors that the call was given, or None.
    """

    model: str
    modules: tuple[tuple[str, str, Storage], ...]
    tallies: tuple[Tally, ...]
    notes: tuple[Note, ...] = ()
    policy: str = "dense"
    unread: tuple[UnreadParameter, ...] | None = None
    peak_activation_bytes: int | None = None
    input_bytes: int | None = None

    @property
    def storage(self) -> Storage:
        """What the whole model stores."""
        return self.modules[0][2]

    @cached_property
    def cost(self) -> OpCost:
        """All arithmetic of the call."""
        return total(tally.cost for tally in self.tallies)

    @cached_property
    def bytes_moved(self) -> int:
        """Bytes of every operator's operands and results."""
        return sum(tally.bytes_moved for tally in self.tallies)

    @cached_property
    def by_operator(self) -> Mapping[str, Tally]:
        """Operator name -> its calls in the whole model, the costliest first."""
        merged: dict[str, Tally] = {}
        for tally in self.tallies:
            known = merged.get(tally.operator)
            merged[tally.operator] = tally if known is None else known + tally
        ranked = sorted(merged.items(), key=lambda item: -item[1].cost.flops)
        return MappingProxyType(dict(ranked))

    @cached_property
    def by_module(self) -> Mapping[str, ModuleCost]:
        """Module path -> its cost with all that is below it, parents first."""
        own: dict[str, list[Tally]] = defaultdict(list)
        inside: dict[str, list[Tally]] = defaultdict(list)
        for tally in self.tallies:
            own[tally.module].append(tally)
            for path in ancestry(tally.module):
                inside[path].append(tally)
        return MappingProxyType(
            {
                path: ModuleCost(
                    path=path,
                    type=type_name,
                    storage=storage,
                    cost=total(tally.cost for tally in inside[path]),
                    own_cost=total(tally.cost for tally in own[path]),
                    bytes_moved=sum(tally.bytes_moved for tally in inside[path]),
                    calls=sum(tally.calls for tally in inside[path]),
                    dead_cost=total(tally.dead_cost for tally in inside[path]),
                    own_dead_cost=total(tally.dead_cost for tally in own[path]),
                    judged=all(t.counted or t.calls == t.dead_calls for t in inside[path]),
                )
                for path, type_name, storage in self.modules
            }
        )

    @cached_property
    def waste(self) -> Waste | None:
        """What the call does without any of it reaching its output; None where it is not known."""
        if self.unread is None:
            return None
        unread: dict[str, set[UnreadParameter]] = defaultdict(set)
        for parameter in self.unread:
            for name in parameter.names:
                for path in ancestry(name.rpartition(".")[0]):
                    unread[path].add(parameter)
        uses = (_use(module, frozenset(unread[path])) for path, module in self.by_module.items())
        return Waste.from_uses(uses, self.macs)

    @cached_property
    def foldable(self) -> Mapping[str, OpCost] | None:
        """Module path -> what it computes from parameters and buffers alone.

        Such work yields the same in every call; folded into what is stored, it is saved. Weight
        norm is an example, a window over a kernel another. None where the data flow is not known.
        """
        if self.unread is None:
            return None
        fixed = [tally for tally in self.tallies if tally.fixed_cost.flops]
        paths = dict.fromkeys(tally.module for tally in fixed)
        return MappingProxyType(
            {p: total(tally.fixed_cost for tally in fixed if tally.module == p) for p in paths}
        )

    @cached_property
    def uncounted(self) -> Mapping[str, int]:
        """Operators that nothing gives a cost -> their calls. Empty means that all are counted."""
        names = {tally.operator for tally in self.tallies if not tally.counted}
        return MappingProxyType({name: self.by_operator[name].calls for name in sorted(names)})

    @property
    def complete(self) -> bool:
        """Whether every operator that ran has a cost in the totals."""
        return not self.uncounted

    def __repr__(self) -> str:
        bound = "" if self.complete else "at least "
        macs, flops = si(self.macs, "MAC"), si(self.flops, "FLOP")
        params = f"{exact(self.params)} params"
        return f"<{type(self).__name__} {self.model}: {params}, {bound}{macs}, {bound}{flops}>"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        from inspect_cost.counting import as_data  # noqa: PLC0415 - which takes these types

        return as_data.write_count(self)

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        from inspect_cost.counting import as_data  # noqa: PLC0415 - which makes these types

        return cls(**as_data.read_count(written))


def _use(module: ModuleCost, unread: frozenset[UnreadParameter]) -> ModuleUse:
    return ModuleUse(
        path=module.path,
        flops=module.flops,
        dead_macs=module.dead_cost.macs,
        dead_flops=module.dead_cost.flops,
        own_dead_macs=module.own_dead_cost.macs,
        own_dead_flops=module.own_dead_cost.flops,
        params=module.params,
        unread=unread,
        judged=module.judged,
    )


def ancestry(path: str) -> list[str]:
    """A module's path and those of the modules around it, the model's ("") last.

    >>> ancestry("blocks.0.net")
    ['blocks.0.net', 'blocks.0', 'blocks', '']
    """
    paths = [path]
    while path:
        path = path.rpartition(".")[0]
        paths.append(path)
    return paths
