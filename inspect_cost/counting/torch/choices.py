"""Choices from computed numbers, such as the next token: without values, they are fixed.

Code that generates goes on from what it chose: it compares a token with those that end a sequence,
appends it, and counts. None of that needs the numbers that the token was chosen by. So where a
course depends on choices, each is given a value of its own, and everything computed from it alone
is known again.

A fixed token may happen to be one that ends the sequence. Tokens are compared with it in Python as
well as by operators, so which these are is not known: the call is counted with several tokens, and
the longest course holds.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode

from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.decisions import Decisions
from inspect_cost.counting.torch.graph import Key
from inspect_cost.values.errors import CountError
from inspect_cost.values.notes import Note

#: Operators that return where something was found in a row of numbers, alone or beside what it is.
CHOOSING = frozenset(
    f"aten.{name}"
    for name in (
        "argmax.default argmin.default max.dim min.dim median.dim nanmedian.dim mode.default "
        "kthvalue.default topk.default sort.default sort.stable argsort.default argsort.stable "
        "multinomial.default searchsorted.Tensor gather.default"
    ).split()
)

#: Those whose numbers are known as well, or are all that they return: a beam search compares the
#: scores of what it chose with earlier ones.
SCORING = frozenset({"aten.topk.default", "aten.gather.default"})

#: Where in a row the chosen entry lies. Tokens that end a sequence are mostly first or last.
SHARES = (0.618, 0.236, 0.854, 0.472)

#: A longer course is taken for one without an end.
MOST_CHOICES = 2**14

#: Functions that make tensors of Python's numbers.
LITERALS = frozenset({torch.tensor, torch.as_tensor, torch.asarray})

CHOSEN = Note(
    "chosen-tokens",
    "Without weights, what the call chooses, such as its tokens, was fixed, and none ends it: the "
    "longest course up to the length asked for was counted.",
)


def is_choice(operator: Operator, args: Sequence[Any]) -> bool:
    """Return whether a call chooses, or looks up the scores of choices."""
    if operator.full_name not in CHOOSING:
        return False
    return operator.full_name != "aten.gather.default" or bool(args[0].is_floating_point())


class EndlessError(CountError):
    """A course goes on for as long as its end is not chosen."""


class Choices:
    """The maker of results of `CHOOSING` operators.

    Args:
        share: where the chosen entry lies in each row, from 0 for the first to 1 for the last.
        sites: the modules and operators that choose; elsewhere, choices remain unknown.

    Attributes:
        wanted: the sites whose choices were asked for where the course ended in a failure.
    """

    def __init__(self, share: float, sites: AbstractSet[Key | None]) -> None:
        self._share = share
        self._sites = sites
        self._made = 0
        self.wanted: AbstractSet[Key | None] = frozenset()

    def cover(self, place: str, operator: Operator, args: Sequence[Any]) -> bool:
        """Return whether what a call in the module at ``place`` chooses is fixed."""
        return (place, operator.name) in self._sites and is_choice(operator, args)

    def make(
        self,
        operator: Operator,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        shapes: Any,
        home: torch.device,
    ) -> Any:
        """Return an operator's result with values, those that remain unknown apart.

        Args:
            operator: one of `CHOOSING`.
            args: its positional arguments.
            kwargs: its keyword arguments.
            shapes: its result, without values.
            home: the device of known values.

        Raises:
            EndlessError: it is one choice too many.
        """
        self._made += 1
        if self._made > MOST_CHOICES:
            raise EndlessError(
                f"the call goes on after {MOST_CHOICES:,} choices, as if it had no end",
                "Give it a largest length, such as max_new_tokens.",
            )
        x, dim = args[0], _find_dimension(operator.func, args, kwargs)
        n = x.numel() if dim is None else x.shape[dim] if x.dim() else 1
        found = shapes if isinstance(shapes, tuple) else (shapes,)
        # Several are found in each row if its dimension is left, as `topk` leaves it.
        dim = dim if found[-1].dim() == x.dim() else None
        first = int(self._share * n)
        indices = ((_count_up(found[-1], dim, home) + first) % max(n, 1)).to(found[-1].dtype)
        if not isinstance(shapes, tuple):
            return -_count_up(shapes, dim, home) if operator.full_name in SCORING else indices
        scores = -_count_up(shapes[0], dim, home) if operator.full_name in SCORING else shapes[0]
        return scores, indices


class KnownLiterals(TorchFunctionMode):
    """A mode that keeps the values of literals that are asked for on meta: `torch.tensor([1])`.

    Operators do not show them. Generation makes its prompt and its special tokens by them.
    """

    def __init__(self, home: torch.device) -> None:
        super().__init__()
        self._home = home

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, on the device of known values if it makes some."""
        options = dict(kwargs or {})
        if func in LITERALS and not isinstance(args[0] if args else None, Tensor):
            device = options.get("device")
            if device is not None and torch.device(device).type == "meta":
                options["device"] = self._home
        return func(*args, **options)


def count_longest_course(
    count: Callable[[Choices], CostReport], *, instead_of: CountError
) -> CostReport:
    """Count one course after another until the longest has been met twice.

    Args:
        count: counts the course of some choices.
        instead_of: the failure of the count without choices.

    Raises:
        CountError: the course depends on values that are no choices, or has no end.
    """
    sites: set[Key | None] = set()
    try:
        report = _find_longest(count, sites)
    except EndlessError:
        raise
    except CountError:
        raise instead_of from instead_of.__cause__
    return replace(report, notes=(CHOSEN,)) if sites else report


def _find_longest(count: Callable[[Choices], CostReport], sites: set[Key | None]) -> CostReport:
    """Return the report of the longest course; ``sites`` becomes those where it is chosen."""
    reports: list[CostReport] = []
    for share in SHARES:
        reports.append(_count_course(count, share, sites))
        reports.sort(key=_find_length, reverse=True)
        met_twice = len(reports) > 1 and _find_length(reports[0]) == _find_length(reports[1])
        if met_twice or not sites:
            break
    return reports[0]


def _count_course(
    count: Callable[[Choices], CostReport], share: float, sites: set[Key | None]
) -> CostReport:
    """Count one course; ``sites`` grows by those whose choices it depends on."""
    while True:
        choices = Choices(share, sites)
        try:
            return count(choices)
        except CountError:
            if choices.wanted <= sites:
                raise
        sites |= choices.wanted


def refuse_other_choices(decisions: Decisions) -> None:
    """Refuse a choice that decides about work, and is no token that the work reads.

    Raises:
        CountError: there is one.
    """
    key = decisions.find_unread_choice()
    if key is not None:
        raise CountError(f"what {key[1]} chooses decides what else is computed", module_path=key[0])


def _find_length(report: CostReport) -> tuple[int, int, int]:
    """Return what is largest for the longest course."""
    return report.macs, report.flops, report.bytes_moved


def _count_up(like: Tensor, dim: int | None, home: torch.device) -> Tensor:
    """Return 0, 1, 2 and so on along a dimension; 0 everywhere if there is none."""
    out = torch.zeros(like.shape, dtype=like.dtype, device=home)
    if dim is None or not like.dim():
        return out
    length = like.shape[dim]
    shape = [1] * like.dim()
    shape[dim] = length
    return out + torch.arange(length, device=home).reshape(shape).to(like.dtype)


@cache
def _find_parameter(func: OpOverload) -> tuple[int, int | None]:
    """Return the position of an operator's dimension, and its default: the last if it has none."""
    for position, argument in enumerate(func._schema.arguments):
        if argument.name == "dim":
            return position, argument.default_value
    return len(func._schema.arguments), -1


def _find_dimension(func: OpOverload, args: Sequence[Any], kwargs: dict[str, Any]) -> int | None:
    """Return the dimension that an operator chooses along; None if along all."""
    position, default = _find_parameter(func)
    dim: int | None = kwargs.get("dim", args[position] if position < len(args) else default)
    return dim
