"""`count`: the cost of one call of a model, from shapes alone wherever that is possible."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from inspect_cost.cost import CostReport
from inspect_cost.counting.aten import ATEN_RULES, Rule
from inspect_cost.counting.attribution import attribute_methods
from inspect_cost.counting.ledger import Ledger
from inspect_cost.counting.mode import CountingMode
from inspect_cost.counting.storage import stored
from inspect_cost.counting.substitute import (
    home_of,
    own_copy,
    uncompiled,
    with_values,
    without_values,
)
from inspect_cost.counting.surroundings import UNTOUCHED, eagerly
from inspect_cost.errors import CountError, UsageError


@dataclass(frozen=True)
class Run:
    """One call to be counted: a method of a model, and its arguments."""

    model: nn.Module
    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def count(
        self, stand_in: Callable[[nn.Module], nn.Module], rules: Mapping[str, Rule]
    ) -> CostReport:
        """Run a stand-in of the model under the counting mode.

        Raises:
            CountError: the call raised; the cause is the original error.
        """
        model, ledger = stand_in(self.model), Ledger()
        modules = stored(model)
        attribute_methods(model, ledger)
        call = model if self.method == "forward" else getattr(model, self.method)
        inputs = (self.args, self.kwargs)
        args, kwargs = own_copy(inputs)
        mode = CountingMode(ledger, rules, home_of(self.model, inputs))
        try:
            with torch.inference_mode(), mode:
                call(*args, **kwargs)
        except Exception as error:
            raise CountError(
                f"{type(error).__name__}: {error}", module_path=ledger.failed_in or ""
            ) from error
        return CostReport(type(self.model).__name__, modules, ledger.tallies())

    @property
    def has_values(self) -> bool:
        """Whether the model and its inputs hold real numbers, so that it could really be run."""
        tensors = (*self.model.parameters(), *tree_leaves((self.args, self.kwargs)))
        return not any(isinstance(t, Tensor) and t.is_meta for t in tensors)


def count(
    model: nn.Module | Callable[..., Any],
    /,
    *args: Any,
    op_costs: Mapping[str, Rule] | None = None,
    **kwargs: Any,
) -> CostReport:
    """Count what one call of a model costs: parameters, MACs, FLOPs and bytes, exactly.

    The call is followed operator by operator on tensors that have shapes and no values, as an
    inference (`eval`, no gradients). The model is not touched and not run; where its course
    depends on values computed from its parameters, it is run for real, which the report's notes
    say. What each number means is in `inspect_cost.conventions`.

    Args:
        model: a module, of which the forward is counted, or a bound method of one, such as
            ``model.generate``. It may be on any device, "meta" included, or `torch.compile`d.
        *args: the call's arguments: tensors on any device, nested or not, and anything else.
        op_costs: rules for operators that have none, or to be used instead; from names such as
            "mylib.scan" to functions of the operator's result and arguments that return an
            `OpCost`.
        **kwargs: the call's keyword arguments.

    Returns:
        The report, with all operators that have no known cost in its ``uncounted``.

    Raises:
        UsageError: ``model`` is neither a module nor a method of one.
        CountError: the call itself fails, or it needs values that a model on "meta" lacks.
    """
    module, method = _target(model)
    run = Run(module, method, args, kwargs)
    rules = ATEN_RULES if op_costs is None else {**ATEN_RULES, **op_costs}
    with UNTOUCHED:
        report = eagerly(lambda: _counted(run, rules))
    if not module.training:
        return report
    note = "The model is in training mode; its inference (eval) was counted."
    return replace(report, notes=(*report.notes, note))


def count_disposable(method: Callable[..., Any], kwargs: Mapping[str, Any]) -> CostReport:
    """As `count`, of a model without values that was made for this alone: no stand-in is needed.

    The model must be in eval mode, and is of no use afterwards.
    """
    module, name = _target(method)
    with UNTOUCHED:
        return Run(module, name, (), dict(kwargs)).count(lambda model: model, ATEN_RULES)


def _target(model: nn.Module | Callable[..., Any]) -> tuple[nn.Module, str]:
    """The module to count, and which of its methods."""
    if isinstance(model, nn.Module):
        return uncompiled(model), "forward"
    if isinstance(model, MethodType) and isinstance(model.__self__, nn.Module):
        return uncompiled(model.__self__), model.__name__
    raise UsageError(
        f"{model!r} is neither a torch.nn.Module nor a bound method of one",
        "Wrap the computation in a module whose forward does it.",
    )


def _counted(run: Run, rules: Mapping[str, Rule]) -> CostReport:
    """Without values if that works, else with them if there are any."""
    try:
        return run.count(without_values, rules)
    except CountError as failure:
        if not run.has_values:
            raise
        reason = failure
    # Outside the except clause, so that an error of the real run stands for itself.
    report = run.count(with_values, rules)
    where = f" in {reason.module_path}" if reason.module_path else ""
    note = f"Run on real values, because shapes alone were not enough{where}: {reason}"
    return replace(report, notes=(note.partition("\n")[0],))
