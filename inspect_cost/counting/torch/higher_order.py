"""Operators whose arguments are functions: branches, loops, scans, flex attention, GPU kernels.

The functions that they call are followed like anything else. The branch that is taken counts, and a
loop counts as many times as it runs, so the values that decide this must be known; where they are
computed from parameters, the count falls back to a run on real values.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._C import DispatchKey
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

from inspect_cost.counting.torch.aten import Rule
from inspect_cost.counting.torch.dataflow import Follower
from inspect_cost.counting.torch.flex_attention import (
    Masks,
    changes_scores,
    make_results,
    make_scores,
)
from inspect_cost.counting.torch.ledger import Details, Ledger
from inspect_cost.counting.torch.traffic import iter_tensors
from inspect_cost.values.cost import OpCost

Arguments = tuple[Any, ...]
Options = dict[str, Any]


class CountingContext(NamedTuple):
    """The parts of a running count: the mode that follows functions, and the books of costs.

    Attributes:
        mode: the mode.
        ledger: where costs are entered.
        rules: rules by operator name.
        flow: the follower of the data.
        masks: what masks of flex attention keep.
    """

    mode: TorchDispatchMode
    ledger: Ledger
    rules: Mapping[str, Rule]
    flow: Follower
    masks: Masks

    def enter(self, name: str, cost: OpCost | None, given: Any, out: Any) -> None:
        """Enter an operator whose inner work cannot be followed, by its name."""
        moved = _count_bytes(*iter_tensors((given, out)))
        call = Details(None, tuple(iter_tensors((given,))), {}, out)
        self.flow.record_opaque(self.ledger.enter(name, cost, moved, call), cost, given, out)


def run_higher_order(
    func: HigherOrderOperator, args: Arguments, kwargs: Options, context: CountingContext
) -> Any:
    """Run a higher-order operator and count what it calls, or enter it by name if it is opaque."""
    name = func.name()
    if name in TRITON_KERNELS:
        return _run_kernel(func, kwargs, context)
    if name in BY_NAME:
        return BY_NAME[name](func, args, kwargs, context)
    with context.mode:
        # torch's eager kernel, which calls the function arguments one by one under the mode.
        return func.py_kernels[DispatchKey.CompositeExplicitAutograd](*args, **kwargs)


def run_cond(
    _func: HigherOrderOperator, args: Arguments, _kwargs: Options, context: CountingContext
) -> Any:
    """Run the branch that is taken."""
    predicate, if_true, if_false, *operands = args
    branch = if_true if predicate else if_false
    context.flow.record_truth((context.ledger.place, "higher_order.cond"), predicate)
    with context.mode:
        return branch(*(operands[0] if operands else ()))


def run_scan(
    _func: HigherOrderOperator, args: Arguments, _kwargs: Options, context: CountingContext
) -> Any:
    """Run a scan step by step, as torch does without a compiler."""
    from torch._higher_order_ops.scan import generic_scan  # noqa: PLC0415 - slow to import

    step, carried, sequences, *more = args
    with context.mode:
        return generic_scan(step, carried, sequences, additional_inputs=more[0] if more else ())


def run_flex_attention(
    func: HigherOrderOperator, args: Arguments, kwargs: Options, context: CountingContext
) -> Any:
    """Count attention, and the function that changes each score."""
    query, key, value, change, block_mask, *_options = args
    known = _have_values(query, key, value)
    out = func(*args, **kwargs) if known else make_results(query, value)
    attention = context.masks.describe(out[0], query, key, block_mask)
    context.enter("higher_order.flex_attention", attention.cost, (query, key, value), out[0])
    # The kernel applies the score function out of sight, so it is run once more on all scores.
    if changes_scores(change):
        with context.mode:
            context.flow.mark_as_used(change(*make_scores(query, attention)))
    return out


def run_flex_attention_backward(
    _func: HigherOrderOperator, args: Arguments, _kwargs: Options, context: CountingContext
) -> Any:
    """Count the gradients of attention; those of what changes its scores are counted apart."""
    query, key, value, out, _sums, gradient, _of_sums, _forward, _joint, block_mask, *_ = args
    results = tuple(map(torch.empty_like, (query, key, value)))
    cost = context.masks.describe(out, query, key, block_mask).cost_of_gradients
    given = [x for x in (query, key, value, out, gradient) if x is not None]
    context.enter("higher_order.flex_attention_backward", cost, given, results)
    return *results, ()


def _have_values(*tensors: Tensor) -> bool:
    return not any(tensor.is_meta for tensor in tensors)


def _count_bytes(*tensors: Tensor) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def _run_kernel(func: HigherOrderOperator, options: Options, context: CountingContext) -> Any:
    """Enter a Triton kernel by its name; a rule in ``op_costs`` may compute its cost."""
    from torch._higher_order_ops.triton_kernel_wrap import kernel_side_table  # noqa: PLC0415 - slow

    kernel = kernel_side_table.get_kernel(options["kernel_idx"])
    name = f"triton.{getattr(getattr(kernel, 'fn', kernel), '__name__', 'kernel')}"
    arguments: dict[str, Any] = options["kwargs"]
    tensors = [x for x in arguments.values() if isinstance(x, Tensor)]
    out = func(**options) if _have_values(*tensors) else _predict_kernel_result(options)
    rule = context.rules.get(name)
    cost: OpCost | None = rule(out, **arguments) if rule else None
    context.enter(name, cost, tensors, out)
    return out


def _predict_kernel_result(options: Options) -> dict[str, Any] | None:
    """Return what a kernel returns without running it: nothing, or the tensors it writes to."""
    if "tensors_to_clone" not in options:
        return None
    return {name: options["kwargs"][name] for name in options["tensors_to_clone"]}


TRITON_KERNELS = frozenset({"triton_kernel_wrapper_mutation", "triton_kernel_wrapper_functional"})

BY_NAME: dict[str, Callable[..., Any]] = {
    "cond": run_cond,
    "scan": run_scan,
    "flex_attention": run_flex_attention,
    "flex_attention_backward": run_flex_attention_backward,
}
