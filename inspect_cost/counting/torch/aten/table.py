"""All rules in one table, and how an operator finds its own."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch._ops import OpOverload

from inspect_cost.counting.torch.aten.accumulation import ACCUMULATIONS
from inspect_cost.counting.torch.aten.attention import ATTENTION
from inspect_cost.counting.torch.aten.backward import BACKWARD
from inspect_cost.counting.torch.aten.contraction import CONTRACTIONS
from inspect_cost.counting.torch.aten.distance import DISTANCES
from inspect_cost.counting.torch.aten.fourier import FOURIER
from inspect_cost.counting.torch.aten.free import FREE_OPERATORS
from inspect_cost.counting.torch.aten.fused import FUSED
from inspect_cost.counting.torch.aten.linalg import LINALG
from inspect_cost.counting.torch.aten.losses import LOSSES
from inspect_cost.counting.torch.aten.normalization import NORMALIZATIONS
from inspect_cost.counting.torch.aten.pointwise import POINTWISE
from inspect_cost.counting.torch.aten.quantized import QUANTIZED
from inspect_cost.counting.torch.aten.recurrent import RECURRENT
from inspect_cost.counting.torch.aten.reduction import REDUCTIONS
from inspect_cost.counting.torch.aten.resampling import RESAMPLING
from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.counting.torch.aten.sparse import SPARSE

FAMILIES: tuple[Mapping[str, Rule], ...] = (
    CONTRACTIONS,
    POINTWISE,
    REDUCTIONS,
    NORMALIZATIONS,
    RECURRENT,
    ATTENTION,
    RESAMPLING,
    FOURIER,
    BACKWARD,
    ACCUMULATIONS,
    DISTANCES,
    LINALG,
    LOSSES,
    QUANTIZED,
    SPARSE,
    FUSED,
    FREE_OPERATORS,
)


def merge(families: tuple[Mapping[str, Rule], ...]) -> Mapping[str, Rule]:
    """One table of all families, in none of which an operator may stand twice."""
    names = Counter(name for family in families for name in family)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"operators with two rules: {', '.join(twice)}")
    return MappingProxyType({name: rule for family in families for name, rule in family.items()})


ATEN_RULES = merge(FAMILIES)


@dataclass(frozen=True, slots=True)
class Operator:
    """What counting needs to know of one overload, found once.

    Attributes:
        func: the overload.
        name: for reports and tables: "aten.conv1d", without the overload.
        full_name: with it: "aten.conv1d.padding".
        rule: its cost, or None where no table has it.
        mutates: whether it writes to an operand.
        may_alias: whether its result may lie in an operand's memory.
        takes_device: whether it can be asked to make its result on a device.
    """

    func: OpOverload
    name: str
    full_name: str
    rule: Rule | None
    mutates: bool
    may_alias: bool
    takes_device: bool


def describe(func: OpOverload, rules: Mapping[str, Rule]) -> Operator:
    """Read an overload's schema, and look up its rule."""
    schema = func._schema
    name = schema.name.replace("::", ".")
    full_name = f"{name}.{schema.overload_name or 'default'}"
    return Operator(
        func,
        name,
        full_name,
        find_rule(name, full_name, rules),
        mutates=schema.is_mutable,
        may_alias=any(r.alias_info is not None for r in schema.returns),
        takes_device=any(a.name == "device" for a in schema.arguments),
    )


class Operators(dict[OpOverload, Operator]):
    """The operators met so far, each described when it is first asked for."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        super().__init__()
        self._rules = rules

    def __missing__(self, func: OpOverload) -> Operator:
        operator = self[func] = describe(func, self._rules)
        return operator


def find_rule(name: str, full_name: str, rules: Mapping[str, Rule]) -> Rule | None:
    """The rule of one overload, of its operator, or of the form that does not work in place."""
    overload = full_name.removeprefix(name)
    plain = name.removesuffix("_")
    for key in (full_name, plain + overload, name, plain):
        if key in rules:
            return rules[key]
    return None
