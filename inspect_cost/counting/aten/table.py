"""All rules in one table, and how an operator finds its own."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from torch._ops import OpOverload

from inspect_cost.counting.aten.attention import ATTENTION
from inspect_cost.counting.aten.contraction import CONTRACTIONS
from inspect_cost.counting.aten.free import FREE_OPERATORS
from inspect_cost.counting.aten.normalization import NORMALIZATIONS
from inspect_cost.counting.aten.pointwise import POINTWISE
from inspect_cost.counting.aten.recurrent import RECURRENT
from inspect_cost.counting.aten.reduction import REDUCTIONS
from inspect_cost.counting.aten.resampling import RESAMPLING
from inspect_cost.counting.aten.rule import Rule

FAMILIES: tuple[Mapping[str, Rule], ...] = (
    CONTRACTIONS,
    POINTWISE,
    REDUCTIONS,
    NORMALIZATIONS,
    RECURRENT,
    ATTENTION,
    RESAMPLING,
    FREE_OPERATORS,
)


def merged(families: tuple[Mapping[str, Rule], ...]) -> Mapping[str, Rule]:
    """One table of all families, in none of which an operator may stand twice."""
    names = Counter(name for family in families for name in family)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"operators with two rules: {', '.join(twice)}")
    return MappingProxyType({name: rule for family in families for name, rule in family.items()})


ATEN_RULES = merged(FAMILIES)


def operator_name(func: OpOverload) -> str:
    """The name that reports and tables use: "aten.conv1d", without the overload."""
    return f"{func.namespace}.{func._opname}"  # noqa: SLF001 - torch has no public name for it


def find_rule(func: OpOverload, rules: Mapping[str, Rule]) -> Rule | None:
    """The rule of one overload, of its operator, or of the form that does not work in place."""
    name, overload = operator_name(func), func._overloadname  # noqa: SLF001
    plain = name.removesuffix("_")
    for key in (f"{name}.{overload}", f"{plain}.{overload}", name, plain):
        if key in rules:
            return rules[key]
    return None
