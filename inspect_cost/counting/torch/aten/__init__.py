"""Costs of ATen operators: tables from operator names to rules.

A rule takes the operator's result and then its arguments exactly as in ATen's schema, and returns
an `OpCost`; it reads sizes and types, and values only where a count depends on them. Rules only
unpack sizes: the arithmetic is in `inspect_cost.formulas`. A rule that cannot tell returns None,
and the operator is reported as uncounted.

A table's key is an operator's name, "aten.conv1d", or that of one overload, "aten.max.dim", which
takes precedence. In-place forms (with a trailing underscore) and ``out=`` forms share the entry of
the plain operator.
"""

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.counting.torch.aten.table import ATEN_RULES, Operator, Operators

__all__ = ["ATEN_RULES", "Operator", "Operators", "Rule"]
