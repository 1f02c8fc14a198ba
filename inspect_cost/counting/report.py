"""The result of a count: everything follows from its tallies. Torch is not needed."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Self

from inspect_cost.counting import as_data
from inspect_cost.counting.tally import (
    CostFigures,
    ModuleCost,
    Storage,
    StorageFigures,
    Tally,
    ancestry,
)
from inspect_cost.counting.waste import ModuleUse, UnreadParameter, Waste
from inspect_cost.values.cost import OpCost, total
from inspect_cost.values.notes import Note
from inspect_cost.values.presentable import Presentable
from inspect_cost.values.units import exact, si


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
        optimizer_state: bytes by type of what the optimizer keeps between steps, each tensor once;
            None where none was counted.
        aliases: other paths of modules, which stand in several places and ran there -> the path
            that `modules` has of them. Tallies name the places where modules ran.
    """

    model: str
    modules: tuple[tuple[str, str, Storage], ...]
    tallies: tuple[Tally, ...]
    notes: tuple[Note, ...] = ()
    policy: str = "dense"
    unread: tuple[UnreadParameter, ...] | None = None
    peak_activation_bytes: int | None = None
    input_bytes: int | None = None
    optimizer_state: Mapping[str, int] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)

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

    @property
    def optimizer_state_bytes(self) -> int | None:
        """Bytes of what the optimizer keeps between steps; None where none was counted."""
        return None if self.optimizer_state is None else sum(self.optimizer_state.values())

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
        """Module path -> its cost with all that is below it, parents first.

        A module that several modules share has all of its cost, and each of these has what ran
        there; the model has everything once.
        """
        own: dict[str, list[Tally]] = defaultdict(list)
        inside: dict[str, list[Tally]] = defaultdict(list)
        for tally in self.tallies:
            own[self.find_path(tally.module)].append(tally)
            # A shared module inside itself, by two ways, has its work once.
            for path in dict.fromkeys(map(self.find_path, ancestry(tally.module))):
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
        spent: dict[str, list[OpCost]] = defaultdict(list)
        for tally in fixed:
            spent[self.find_path(tally.module)].append(tally.fixed_cost)
        return MappingProxyType({path: total(costs) for path, costs in spent.items()})

    @cached_property
    def uncounted(self) -> Mapping[str, int]:
        """Operators that nothing gives a cost -> their calls. Empty means that all are counted.

        Where the cost of some calls of an operator is known, the others are named.
        """
        calls: Counter[str] = Counter()
        for tally in self.tallies:
            if not tally.counted:
                calls[tally.operator] += tally.calls
        return MappingProxyType(dict(sorted(calls.items())))

    @property
    def complete(self) -> bool:
        """Whether every operator that ran has a cost in the totals."""
        return not self.uncounted

    def find_path(self, place: str) -> str:
        """Return the path that `modules` has of the module at a place."""
        return self.aliases.get(place, place)

    def __repr__(self) -> str:
        bound = "" if self.complete else "at least "
        macs, flops = si(self.macs, "MAC"), si(self.flops, "FLOP")
        params = f"{exact(self.params)} params"
        return f"<{type(self).__name__} {self.model}: {params}, {bound}{macs}, {bound}{flops}>"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return as_data.write_count(self)

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
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
