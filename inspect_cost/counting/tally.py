"""Parts of a count: calls of one operator in one module, what a module stores, what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from inspect_cost.values.cost import FREE, OpCost

#: Path of the row that has an optimizer's step: of no module, and below the model.
OPTIMIZER = "(optimizer)"


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
        module: path of the module, "" for the model itself; of a module that stands in several
            places, the path of the one where it ran.
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
        """Return the sum of two: of the module that both are in, or else of the model."""
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


def ancestry(path: str) -> list[str]:
    """Return a module's path and those of the modules around it, the model's ("") last.

    >>> ancestry("blocks.0.net")
    ['blocks.0.net', 'blocks.0', 'blocks', '']
    """
    paths = [path]
    while path:
        path = path.rpartition(".")[0]
        paths.append(path)
    return paths
