"""Effects of operators on the flow of data: what they write to, and what their results tell."""

from typing import NamedTuple

import torch

from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.choices import CHOOSING
from inspect_cost.counting.torch.placement import FROM_SHAPE

#: Operators whose result's shape depends on values although torch does not say so.
UNTAGGED = frozenset(
    {"aten.where.default", "aten.nonzero_numpy.default", "torchvision.nms.default"}
)

#: Others than `FROM_SHAPE` whose result has no values of their operand: what draws, leaves memory
#: as it is, or checks.
VALUELESS = frozenset(
    f"aten.{name}"
    for name in (
        "empty_like new_empty new_empty_strided rand_like randn_like randint_like _is_all_true"
    ).split()
)


class Effects(NamedTuple):
    """Effects of an operator, read from its schema once.

    Attributes:
        positions: positions of the arguments that it writes to.
        names: names of the arguments that it writes to.
        outs: names of the arguments that it writes to without reading them.
        shape_from_values: whether its result's shape depends on values.
        random: whether it draws from a random state.
        reads_shape_only: whether its result has none of its operand's values.
        chooses: whether its result may be known although its operands are not.
    """

    positions: frozenset[int]
    names: frozenset[str]
    outs: frozenset[str]
    shape_from_values: bool
    random: bool
    reads_shape_only: bool
    chooses: bool

    @property
    def decides(self) -> bool:
        """Whether a call may have to do with `Decisions`."""
        return self.shape_from_values or self.reads_shape_only or self.chooses


def read_effects(operator: Operator) -> Effects:
    """Read an operator's effects from its schema and tags, and from our tables."""
    func = operator.func
    written = [
        (i, a)
        for i, a in enumerate(func._schema.arguments)
        if a.alias_info is not None and a.alias_info.is_write
    ]
    return Effects(
        frozenset(i for i, a in written if not a.kwarg_only),
        frozenset(a.name for _, a in written),
        frozenset(a.name for _, a in written if a.is_out),
        torch.Tag.dynamic_output_shape in func.tags or operator.full_name in UNTAGGED,
        torch.Tag.nondeterministic_seeded in func.tags,
        operator.name in FROM_SHAPE or operator.name in VALUELESS,
        operator.full_name in CHOOSING,
    )
