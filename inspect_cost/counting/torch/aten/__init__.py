"""What each ATen operator costs: tables from its name to a rule.

A rule takes the operator's result and then its arguments exactly as ATen's schema has them, and
returns an `OpCost`; it reads sizes and types, never values. Rules only unpack sizes: the
arithmetic is in `inspect_cost.formulas`. A rule that does not know returns None, and the operator
is reported as uncounted.

A table's key is the operator's name, "aten.conv1d", or that of one overload, "aten.max.dim",
which then goes first. In-place forms (a trailing underscore) and ``out=`` forms share the entry
of the plain one.
"""

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.counting.torch.aten.table import ATEN_RULES, Operator, Operators

__all__ = ["ATEN_RULES", "Operator", "Operators", "Rule"]
