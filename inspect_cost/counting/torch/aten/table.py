"""The table of all rules, and the look-up of an operator's rule."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch._ops import OpOverload

from inspect_cost.counting.torch.aten.accumulation import ACCUMULATIONS
from inspect_cost.counting.torch.aten.attention import ATTENTION
from inspect_cost.counting.torch.aten.attention_gradients import ATTENTION_GRADIENTS
from inspect_cost.counting.torch.aten.backward import BACKWARD
from inspect_cost.counting.torch.aten.bitsandbytes import BITSANDBYTES
from inspect_cost.counting.torch.aten.contraction import CONTRACTIONS
from inspect_cost.counting.torch.aten.distance import DISTANCES
from inspect_cost.counting.torch.aten.foreach import find_plain_rule
from inspect_cost.counting.torch.aten.fourier import FOURIER
from inspect_cost.counting.torch.aten.free import FREE_OPERATORS
from inspect_cost.counting.torch.aten.fused import FUSED
from inspect_cost.counting.torch.aten.linalg import LINALG
from inspect_cost.counting.torch.aten.loss_gradients import LOSS_GRADIENTS
from inspect_cost.counting.torch.aten.losses import LOSSES
from inspect_cost.counting.torch.aten.normalization import NORMALIZATIONS
from inspect_cost.counting.torch.aten.pointwise import POINTWISE
from inspect_cost.counting.torch.aten.quantized import QUANTIZED
from inspect_cost.counting.torch.aten.quantized_layers import STATIC_LAYERS
from inspect_cost.counting.torch.aten.recurrent import RECURRENT
from inspect_cost.counting.torch.aten.reduction import REDUCTIONS
from inspect_cost.counting.torch.aten.regions import REGIONS
from inspect_cost.counting.torch.aten.resampling import RESAMPLING
from inspect_cost.counting.torch.aten.resampling_gradients import RESAMPLING_GRADIENTS
from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.counting.torch.aten.sparse import SPARSE

FAMILIES: tuple[Mapping[str, Rule], ...] = (
    CONTRACTIONS,
    POINTWISE,
    REDUCTIONS,
    NORMALIZATIONS,
    RECURRENT,
    ATTENTION,
    ATTENTION_GRADIENTS,
    RESAMPLING,
    FOURIER,
    BACKWARD,
    LOSS_GRADIENTS,
    RESAMPLING_GRADIENTS,
    ACCUMULATIONS,
    DISTANCES,
    LINALG,
    LOSSES,
    QUANTIZED,
    BITSANDBYTES,
    STATIC_LAYERS,
    SPARSE,
    FUSED,
    REGIONS,
    FREE_OPERATORS,
)


def merge(families: tuple[Mapping[str, Rule], ...]) -> Mapping[str, Rule]:
    """Merge families into one table.

    Raises:
        ValueError: an operator has two rules.
    """
    names = Counter(name for family in families for name in family)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"operators with two rules: {', '.join(twice)}")
    return MappingProxyType({name: rule for family in families for name, rule in family.items()})


ATEN_RULES = merge(FAMILIES)


@dataclass(frozen=True, slots=True)
class Operator:
    """The properties of one overload that counting needs, looked up once.

    Attributes:
        func: the overload.
        name: name in reports and tables, without the overload: "aten.conv1d".
        full_name: name with the overload: "aten.conv1d.padding".
        rule: rule of its cost; None if no table has one.
        mutates: whether it writes to an operand.
        may_alias: whether its result may share an operand's memory.
        takes_device: whether it has an argument for the device of its result.
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
    """A cache of operators, each described on first use."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        super().__init__()
        self._rules = rules

    def __missing__(self, func: OpOverload) -> Operator:
        operator = self[func] = describe(func, self._rules)
        return operator


def find_rule(name: str, full_name: str, rules: Mapping[str, Rule]) -> Rule | None:
    """Find the rule of one overload, of its operator, or of their out-of-place form."""
    overload = full_name.removeprefix(name)
    plain = name.removesuffix("_")
    for key in (full_name, plain + overload, name, plain):
        if key in rules:
            return rules[key]
    return find_plain_rule(plain, rules)
