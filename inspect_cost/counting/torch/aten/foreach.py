"""Operators on lists of tensors, as optimisers use them: each costs what the plain one does."""

from collections.abc import Mapping
from typing import Any

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.values.cost import OpCost, total

PREFIX = "aten._foreach_"

#: Plain operators that have another name.
PLAIN_NAMES = {"norm": "linalg_vector_norm"}
#: What comes by position behind three lists of tensors.
LATER = ("value",)


def find_plain_rule(name: str, rules: Mapping[str, Rule]) -> Rule | None:
    """Find the rule of an operator on lists by that of the plain operator, if it is known."""
    if not name.startswith(PREFIX):
        return None
    plain = name.removeprefix(PREFIX)
    rule = rules.get(f"aten.{PLAIN_NAMES.get(plain, plain)}")
    return None if rule is None else _apply_to_each(rule)


def _apply_to_each(rule: Rule) -> Rule:
    def each(out: Any, *args: Any, **kwargs: Any) -> OpCost | None:
        # One in place returns nothing. What plain operators take by name may come by position here.
        results, options = out or args[0], {**dict(zip(LATER, args[3:], strict=False)), **kwargs}
        costs = [
            rule(result, *(_select(a, i) for a in args[:3]), **_select_named(options, i))
            for i, result in enumerate(results)
        ]
        known = [cost for cost in costs if cost is not None]
        return total(known) if len(known) == len(costs) else None

    return each


def _select_named(options: Mapping[str, Any], i: int) -> dict[str, Any]:
    return {name: _select(value, i) for name, value in options.items()}


def _select(value: Any, i: int) -> Any:
    return value[i] if isinstance(value, (list, tuple)) else value
