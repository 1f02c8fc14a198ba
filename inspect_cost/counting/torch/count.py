"""`count`: the cost of one call of a model, from shapes alone wherever that is possible."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType, MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.aten import Rule
from inspect_cost.counting.torch.aten.policies import select_rules
from inspect_cost.counting.torch.attribution import attribute_methods, make_off_thread_error
from inspect_cost.counting.torch.backward import BackwardPass
from inspect_cost.counting.torch.dataflow import DataFlow
from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.counting.torch.memories import count_reachable_bytes
from inspect_cost.counting.torch.mode import CountingMode
from inspect_cost.counting.torch.module_costs import ModuleRule, apply_module_costs
from inspect_cost.counting.torch.placement import META, drop_values
from inspect_cost.counting.torch.storage import collect_storage
from inspect_cost.counting.torch.substitute import (
    copy_inputs,
    copy_with_values,
    copy_without_values,
    find_home,
    unwrap_compiled,
)
from inspect_cost.counting.torch.surroundings import UNTOUCHED, eagerly
from inspect_cost.values.errors import CountError, InspectCostError, UsageError
from inspect_cost.values.policy import DENSE, Policy, named_policy

#: What to do about errors that torch words for itself, by a part of their message.
ADVICE = {
    "NestedTensorImpl": "Nested tensors have no sizes to count; give jagged or padded ones.",
    "does not require grad": "An inference is counted; a forward may not ask for gradients.",
}


@dataclass(frozen=True)
class Way:
    """How a run is to be counted.

    Attributes:
        rules: what operators cost.
        module_costs: what some modules cost as a whole, by class or by path.
        policy: by which the rules were chosen.
        backward: whether gradients are computed after the call, as in a training step.
    """

    rules: Mapping[str, Rule]
    module_costs: Mapping[type[nn.Module] | str, ModuleRule]
    policy: Policy = DENSE
    backward: bool = False


@dataclass(frozen=True)
class Run:
    """One call to be counted: a method of a model, and its arguments."""

    model: nn.Module
    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def count(self, stand_in: Callable[[nn.Module], nn.Module], way: Way) -> CostReport:
        """Run a stand-in of the model under the counting mode.

        Raises:
            CountError: the call raised; the cause is the original error.
        """
        model, ledger = nn.Module.train(stand_in(self.model), way.backward), Ledger()
        modules = collect_storage(model)
        apply_module_costs(model, ledger, way.module_costs)
        backward = BackwardPass(ledger) if way.backward else None
        attribute_methods(model, ledger, backward.attribute if backward else None)
        call = model if self.method == "forward" else getattr(model, self.method)
        inputs = (self.args, self.kwargs)
        args, kwargs = copy_inputs(inputs)
        home = find_home(self.model, inputs)
        if backward and any(parameter.is_meta for parameter in model.parameters()):
            # Autograd wants a gradient on the device of its tensor: nothing keeps its values.
            args, kwargs = tree_map_only(Tensor, _real_numbers_to_meta, (args, kwargs))
            home = META
        # A training step changes its parameters, so that nothing is the same in the next.
        flow = DataFlow(() if backward else (*model.parameters(), *model.buffers()))
        mode = CountingMode(ledger, way.rules, home, flow)
        with _blaming(ledger):
            with torch.inference_mode(not way.backward), torch.set_grad_enabled(way.backward), mode:
                out = call(*args, **kwargs)
                if isinstance(out, Iterator):
                    out = list(out)  # a generator does its work when it is read
                if backward:
                    backward.run(out)
            if ledger.off_thread_module is not None:
                raise make_off_thread_error(ledger.off_thread_module)
        found = flow.finish(out, (args, kwargs), model)
        return CostReport(
            type(self.model).__name__,
            modules,
            tuple(found.mark(ledger.collect_tallies())),
            unread=found.unread,
            peak_activation_bytes=found.peak_bytes,
            input_bytes=count_reachable_bytes(inputs),
            policy=str(way.policy),
        )

    @property
    def has_values(self) -> bool:
        """Whether the model and its inputs hold real numbers, so that it could really be run."""
        tensors = (*self.model.parameters(), *tree_leaves((self.args, self.kwargs)))
        return not any(isinstance(t, Tensor) and t.is_meta for t in tensors)


@contextmanager
def _blaming(ledger: Ledger) -> Iterator[None]:
    """An error of the call becomes one that says where it happened."""
    try:
        yield
    except InspectCostError:
        raise
    except Exception as error:
        if ledger.off_thread_module is not None:
            raise make_off_thread_error(ledger.off_thread_module) from error
        advice = next((advice for part, advice in ADVICE.items() if part in str(error)), "")
        raise CountError(
            f"{type(error).__name__}: {error}", advice, module_path=ledger.failed_in or ""
        ) from error


def count(
    model: nn.Module | Callable[..., Any],
    /,
    *args: Any,
    op_costs: Mapping[str, Rule] | None = None,
    module_costs: Mapping[type[nn.Module] | str, ModuleRule] | None = None,
    policy: Policy | str = DENSE,
    backward: bool = False,
    **kwargs: Any,
) -> CostReport:
    """Count what one call of a model costs: parameters, MACs, FLOPs and bytes, exactly.

    The call is followed operator by operator on tensors that have shapes and no values, as an
    inference (`eval`, no gradients). The model is not touched and not run; where its course
    depends on values computed from its parameters, it is run for real, which the report's notes
    say. What each number means is in `inspect_cost.values.conventions`.

    Args:
        model: a module, of which the forward is counted, or a bound method of one, such as
            ``model.generate``. It may be on any device, "meta" included, or `torch.compile`d.
        *args: the call's arguments: tensors on any device, nested or not, and anything else.
        op_costs: rules for operators that have none, or to be used instead; from names such as
            "mylib.scan" to functions of the operator's result and arguments that return an
            `OpCost`.
        module_costs: what some modules cost as a whole, instead of the sum of their operators;
            from a class, or from a module's path, to a function of the module, its inputs (a
            tuple) and its output that returns an `OpCost`, or None if it does not know.
        policy: "dense", "valid" (no taps on padding, no masked scores), or a `Policy`.
        backward: count a training step: the call in training mode, and the gradients of its
            outputs with respect to all parameters that require one.
        **kwargs: the call's keyword arguments.

    Returns:
        The report, with all operators that have no known cost in its ``uncounted``.

    Raises:
        UsageError: ``model`` is neither a module nor a method of one, there is no such policy, or
            there is nothing to compute a gradient of.
        CountError: the call itself fails, or it needs values that a model on "meta" lacks.
    """
    module, method = method_of(model)
    run = Run(module, method, args, kwargs)
    with UNTOUCHED:
        way = _way(op_costs or {}, module_costs or {}, policy, backward)
        report = eagerly(lambda: _counted(run, way))
    if backward:
        note = "A training step: the call in training mode, and the gradients of all parameters."
    elif module.training:
        note = "The model is in training mode; its inference (eval) was counted."
    else:
        return report
    return replace(report, notes=(*report.notes, note))


def count_disposable(
    method: Callable[..., Any], kwargs: Mapping[str, Any], **way: Any
) -> CostReport:
    """As `count`, of a model without values that was made for this alone: no stand-in is needed.

    The model must be in eval mode, and is of no use afterwards.
    """
    module, name = method_of(method)
    with UNTOUCHED:
        return Run(module, name, (), dict(kwargs)).count(lambda model: model, _way(**way))


def _way(
    op_costs: Mapping[str, Rule] = MappingProxyType({}),
    module_costs: Mapping[type[nn.Module] | str, ModuleRule] = MappingProxyType({}),
    policy: Policy | str = DENSE,
    backward: bool = False,
) -> Way:
    """Options of a count as the way to do it."""
    try:
        chosen = named_policy(policy)
    except ValueError as error:
        raise UsageError(str(error), "Give one of these, or an inspect_cost.Policy.") from None
    return Way({**select_rules(chosen), **op_costs}, module_costs, chosen, backward)


def _real_numbers_to_meta(tensor: Tensor) -> Tensor:
    return drop_values(tensor) if tensor.is_floating_point() or tensor.is_complex() else tensor


def method_of(model: nn.Module | Callable[..., Any]) -> tuple[nn.Module, str]:
    """The module to count, and which of its methods."""
    if isinstance(model, nn.Module):
        return unwrap_compiled(model), "forward"
    if isinstance(model, MethodType) and isinstance(model.__self__, nn.Module):
        return unwrap_compiled(model.__self__), model.__name__
    raise UsageError(
        f"{model!r} is neither a torch.nn.Module nor a bound method of one",
        "Wrap the computation in a module whose forward does it.",
    )


def _counted(run: Run, way: Way) -> CostReport:
    """Without values if that works, else with them if there are any."""
    try:
        return run.count(copy_without_values, way)
    except CountError as failure:
        if not run.has_values:
            raise
        reason = failure
    # Outside the except clause, so that an error of the real run stands for itself.
    report = run.count(copy_with_values, way)
    where = f" in {reason.module_path}" if reason.module_path else ""
    note = f"Run on real values, because shapes alone were not enough{where}: {reason}"
    return replace(report, notes=(note.partition("\n")[0],))
