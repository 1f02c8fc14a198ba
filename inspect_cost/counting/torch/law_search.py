"""Cost laws of PyTorch models: each length is counted as a call of its own."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from inspect_cost.calls.call import Call
from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.law_search import find_law
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.count import check_op_costs, count_call

#: From a length to a call's arguments, or to the call.
MakeInputs = Callable[[int], Any]


def cost_law(
    target: Callable[..., Any],
    make_inputs: MakeInputs,
    *,
    period: int | None = None,
    start: int | None = None,
    at: int | None = None,
    verified_after: Sequence[int] | None = None,
    **options: Any,
) -> CostLaw:
    """Find the law of a model's cost in the length of its inputs or of what it generates.

    Args:
        target: as for `count`: a module, a bound method of one, or a function.
        make_inputs: from a length to the call's arguments: a tensor, a tuple, a mapping of
            keyword arguments, or a whole `Call`.
        period: the law is sought along lengths that differ by this; by default, the smallest of
            `PERIODS` along which there is a law.
        start: the shortest length, by default the period, or the first that the model takes.
        at: a length that the law must hold for.
        verified_after: the law must also hold at lengths this many periods after those that it is
            taken from. A far one uncovers a period that was overlooked.
        **options: of `count`: ``policy``, ``op_costs``, ``module_costs``, ``backward``; and
            ``dtype``, the name of a type that floating parameters and float32 inputs are cast to.

    Raises:
        NoLawError: no polynomial of degree 3 or less fits.
        CountError: the call fails.
        UsageError: as of `count`.
    """
    chosen, applied = CountOptions.of(**options), set[str]()

    @cache
    def counted(length: int) -> CostReport:
        return count_call(_as_call(target, make_inputs(length)), chosen, applied)

    law = find_law(counted, period=period, start=start, at=at, verified_after=verified_after)
    check_op_costs(chosen, applied, law.example)
    return law


def _as_call(target: Callable[..., Any], inputs: Any) -> Call:
    """Return the call of a target with a tensor, a tuple or a mapping; a call is one already."""
    if isinstance(inputs, Call):
        return inputs
    if isinstance(inputs, Mapping):
        return Call.of(target, **inputs)
    return Call.of(target, *(inputs if isinstance(inputs, (tuple, list)) else (inputs,)))
