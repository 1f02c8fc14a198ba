"""The explanation of a cost: each call behind it, with shapes and formulas. Torch is not needed."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from inspect_cost.counting.tally import CostFigures
from inspect_cost.values.cost import OpCost, total
from inspect_cost.values.presentable import Presentable


@dataclass(frozen=True)
class Operand:
    """A tensor that goes into a call or comes out of it.

    Attributes:
        name: of the argument; "" of a result that is the only one.
        shape: its sizes.
        dtype: its type, such as "float32".
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        sizes = ", ".join(map(str, self.shape))
        comma = "," if len(self.shape) == 1 else ""
        return f"{self.name} ({sizes}{comma}) {self.dtype}".strip()

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `asdict` gives."""
        return cls(written["name"], tuple(written["shape"]), written["dtype"])


@dataclass(frozen=True)
class Formula:
    """How a number of operations follows from the sizes of a call's tensors.

    Attributes:
        value: the number.
        symbols: the formula with sizes as symbols: "out[0] * out[1] * weight[1]".
        numbers: the same with the sizes put in: "2 * 8 * 4".
    """

    value: int
    symbols: str
    numbers: str


@dataclass(frozen=True)
class ExplainedCall:
    """Equal calls of one operator in one module.

    Attributes:
        operator: its name: "aten.conv2d".
        module: the place where it ran.
        times: how often it was called like this.
        operands: tensors that it was given.
        results: tensors that it returned.
        cost: of one call; None if no rule has it.
        valid_cost: of one call without taps on padding and masked scores; None if not known.
        bytes_moved: by one call.
        formulas: "macs" or a class of arithmetic -> how it follows from the sizes. A class that
            does not follow from sizes alone has none.
    """

    operator: str
    module: str
    times: int
    operands: tuple[Operand, ...]
    results: tuple[Operand, ...]
    cost: OpCost | None
    valid_cost: OpCost | None
    bytes_moved: int
    formulas: Mapping[str, Formula]

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells one call from another, whatever it costs."""
        return self.operator, self.module, self.operands, self.results

    def to_dict(self) -> dict[str, Any]:
        """Return the call as plain data."""
        return {
            **asdict(self),
            "cost": self.cost and self.cost.to_dict(),
            "valid_cost": self.valid_cost and self.valid_cost.to_dict(),
            "formulas": {kind: asdict(formula) for kind, formula in self.formulas.items()},
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        formulas = {kind: Formula(**each) for kind, each in written["formulas"].items()}
        return cls(
            operator=written["operator"],
            module=written["module"],
            times=written["times"],
            operands=tuple(map(Operand.from_dict, written["operands"])),
            results=tuple(map(Operand.from_dict, written["results"])),
            cost=_read_cost(written["cost"]),
            valid_cost=_read_cost(written["valid_cost"]),
            bytes_moved=written["bytes_moved"],
            formulas=formulas,
        )


@dataclass(frozen=True, repr=False)
class CostExplanation(CostFigures, Presentable):
    """What one module, or one operator, costs in a call of a model, and why.

    Attributes:
        model: name of the model's class.
        path: of the module, "" of the whole model; or the name of an operator.
        type: the module's class, or "operator".
        inputs: tensors that the module was given, of its first call.
        outputs: tensors that it returned, of its first call.
        policy: that ``cost`` is counted under.
        calls: behind the cost, in the order of their first occurrence.
        valid_cost: of all calls under the policy "valid".
    """

    model: str
    path: str
    type: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    policy: str
    calls: tuple[ExplainedCall, ...]
    valid_cost: OpCost

    @property
    def cost(self) -> OpCost:
        """Arithmetic of all calls that have a cost."""
        return total(call.cost * call.times for call in self.calls if call.cost)

    @property
    def bytes_moved(self) -> int:
        """Bytes that all calls move."""
        return sum(call.bytes_moved * call.times for call in self.calls)

    @property
    def uncounted(self) -> Mapping[str, int]:
        """Operators without a cost -> their calls."""
        return sum_times(call for call in self.calls if call.cost is None)

    def __repr__(self) -> str:
        name = self.path or self.model
        return f"<{type(self).__name__} {name}: {self.macs:,} MACs, {self.flops:,} FLOPs>"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "model": self.model,
            "path": self.path,
            "type": self.type,
            "policy": self.policy,
            "inputs": [asdict(each) for each in self.inputs],
            "outputs": [asdict(each) for each in self.outputs],
            "macs": self.macs,
            "flops": self.flops,
            "flops_by_class": self.flops_by_class,
            "bytes_moved": self.bytes_moved,
            "valid_cost": self.valid_cost.to_dict(),
            "uncounted": dict(self.uncounted),
            "calls": [call.to_dict() for call in self.calls],
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(
            model=written["model"],
            path=written["path"],
            type=written["type"],
            inputs=tuple(map(Operand.from_dict, written["inputs"])),
            outputs=tuple(map(Operand.from_dict, written["outputs"])),
            policy=written["policy"],
            calls=tuple(map(ExplainedCall.from_dict, written["calls"])),
            valid_cost=OpCost.from_dict(written["valid_cost"]),
        )


def sum_times(calls: Iterable[ExplainedCall]) -> dict[str, int]:
    """Return operator -> number of its calls."""
    times: dict[str, int] = {}
    for call in calls:
        times[call.operator] = times.get(call.operator, 0) + call.times
    return times


def _read_cost(written: Mapping[str, Any] | None) -> OpCost | None:
    return None if written is None else OpCost.from_dict(written)
