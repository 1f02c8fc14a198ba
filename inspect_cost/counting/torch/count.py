"""Counting one call of a model, from shapes alone wherever that is possible."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from inspect_cost.calls.arguments import refuse_mistakes
from inspect_cost.calls.call import FORWARD, Call, cast_module, tensors_in
from inspect_cost.calls.devices import find_dtype
from inspect_cost.calls.function import FunctionModule
from inspect_cost.counting.options import CountOptions, as_rule, make_unused_error
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.aten import Rule
from inspect_cost.counting.torch.aten.policies import select_rules
from inspect_cost.counting.torch.attribution import attribute_methods, make_off_thread_error
from inspect_cost.counting.torch.autocast import follow_autocast
from inspect_cost.counting.torch.backward import BackwardPass
from inspect_cost.counting.torch.choices import (
    Choices,
    KnownLiterals,
    count_longest_course,
    refuse_other_choices,
)
from inspect_cost.counting.torch.copying import Copier
from inspect_cost.counting.torch.dataflow import DataFlow
from inspect_cost.counting.torch.decisions import note_decisions
from inspect_cost.counting.torch.failures import explain_error, explain_obstacle, lacks_values
from inspect_cost.counting.torch.fused_attention import FusedAttention
from inspect_cost.counting.torch.guard import Guard, WeightWrittenError
from inspect_cost.counting.torch.jagged import JaggedAttention
from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.counting.torch.leftovers import Leftovers
from inspect_cost.counting.torch.memories import count_reachable_bytes
from inspect_cost.counting.torch.meta.refusals import RefusedCallError
from inspect_cost.counting.torch.mode import CountingMode
from inspect_cost.counting.torch.module_costs import apply_module_costs
from inspect_cost.counting.torch.placement import META, drop_values
from inspect_cost.counting.torch.places import Places
from inspect_cost.counting.torch.storage import collect_storage
from inspect_cost.counting.torch.substitute import (
    copy_everything,
    copy_with_values,
    copy_without_values,
    find_home,
    make_guard,
    set_mode,
)
from inspect_cost.counting.torch.surroundings import (
    preserve_process_state,
    refuse_depth,
    run_as_deep_as_usual,
    run_eagerly,
)
from inspect_cost.values.errors import CountError, InspectCostError
from inspect_cost.values.notes import Note

DEFAULTS = CountOptions()


def count_call(
    call: Call, options: CountOptions = DEFAULTS, used: set[str] | None = None
) -> CostReport:
    """Count one call; neither the model nor the process is changed.

    Args:
        call: of a module, a method of one, or a function.
        options: how to count it.
        used: where the names in ``op_costs`` that apply are added. Unless it is given, one that
            does not apply is an error.

    Raises:
        UsageError: the arguments are a usual mistake, a key of ``op_costs`` or ``module_costs``
            matches nothing, or there is nothing to compute a gradient of.
        CountError: the call fails, or it needs values that a model on "meta" lacks.
    """
    applied: set[str] = set() if used is None else used
    jagged = any(tensor.layout is torch.jagged for tensor in tensors_in((call.args, call.kwargs)))
    with preserve_process_state(), refuse_depth():
        given = call.as_module().with_inputs_cast(options.dtype)
        run = _Run(given, options, applied, jagged)
        try:
            report = run_eagerly(lambda: _count_in_any_way(run))
        except CountError as failure:
            refuse_mistakes(call, failure)
            raise
    if used is None:
        check_op_costs(options, applied, report)
    notes = tuple(_notes(run))
    return replace(report, notes=(*report.notes, *notes)) if notes else report


def count_disposable(call: Call, options: CountOptions = DEFAULTS) -> CostReport:
    """Count a call of a model without values that was made for this alone: nothing is copied.

    The model must be in eval mode, and is of no use afterwards.

    Raises:
        UsageError: as `count_call`.
        CountError: as `count_call`.
    """
    applied: set[str] = set()
    with preserve_process_state(), refuse_depth():
        given = call.with_inputs_cast(options.dtype)
        report = _Run(given, options, applied).count(lambda model, _copier: model)
    check_op_costs(options, applied, report)
    return report


def check_op_costs(options: CountOptions, applied: set[str], report: CostReport) -> None:
    """Refuse costs of operators that did not run.

    Args:
        options: with the costs.
        applied: names of the costs that were asked for.
        report: of the call, with the operators that ran.

    Raises:
        UsageError: one was not asked for.
    """
    for name in options.op_costs:
        if name not in applied:
            raise make_unused_error("op_costs", name, report.by_operator, "operators")


@dataclass(frozen=True)
class _Run:
    """One call to be counted, of a module or a method of one.

    Attributes:
        call: of the caller's model.
        options: how to count it.
        applied: where the names of the users' costs are added that were asked for.
        jagged: whether attention of jagged tensors is taken apart; watching for it takes time.
    """

    call: Call
    options: CountOptions
    applied: set[str]
    jagged: bool = False

    @property
    def module(self) -> nn.Module:
        """The caller's model."""
        if self.call.module is None:
            raise TypeError("a call of a plain function is counted as_module()")
        return self.call.module

    @cached_property
    def home(self) -> torch.device:
        """The device of the caller's values."""
        return find_home(self.module, (self.call.args, self.call.kwargs))

    def count(
        self,
        make_stand_in: Callable[[nn.Module, Copier], nn.Module],
        choices: Choices | None = None,
    ) -> CostReport:
        """Run a stand-in of the model under the counting mode, as `CountingMode` does with choices.

        Raises:
            CountError: the call raised; the cause is the original error.
        """
        options, inputs = self.options, (self.call.args, self.call.kwargs)
        original, copier = self.module, Copier()
        model = cast_module(make_stand_in(original, copier), find_dtype(options.dtype))
        guard = make_guard(original, model)
        with guard.insist():
            self._set_mode(model, guard)
        places = Places(model)
        ledger, modules = Ledger(places), collect_storage(model, places)
        apply_module_costs(model, ledger, options.module_costs)
        backward = BackwardPass(ledger) if options.backward else None
        attribute_methods(model, ledger, backward.attribute if backward else None)
        home, (args, kwargs) = self.home, copier.copy_inputs(inputs)
        if backward and any(parameter.is_meta for parameter in model.parameters()):
            # Autograd wants a gradient on the device of its tensor: nothing keeps its values.
            home, (args, kwargs) = META, _drop_real_numbers(model, (args, kwargs))
        # A training step changes its parameters, so that nothing is the same in the next.
        stored = (*model.parameters(), *model.buffers())
        weights = [p for p in model.parameters() if not p.is_meta]
        flow = DataFlow(() if backward else stored, weights)
        mode = CountingMode(ledger, self._rules(), home, flow, guard, stored, choices)
        leftovers = Leftovers(original)
        try:
            with guard.insist(), _name_failing_module(ledger, self.call.method):
                out = self._run(model, args, kwargs, mode, backward, choices)
                if ledger.off_thread_module is not None:
                    raise make_off_thread_error(ledger.off_thread_module)
            if choices is not None:
                refuse_other_choices(flow.decisions)
            found = flow.finish(out, (args, kwargs), model)
        except CountError:
            if choices is not None:
                choices.wanted = flow.decisions.find_choices_behind_failure()
            if self.jagged or not mode.met_jagged:
                raise
            return replace(self, jagged=True).count(make_stand_in)
        finally:
            leftovers.clear(flow.outside)
        return CostReport(
            model=self.call.title,
            modules=_with_title(modules, self.call.title),
            tallies=tuple(found.mark(ledger.collect_tallies())),
            notes=note_decisions(flow.decisions),
            unread=found.unread,
            peak_activation_bytes=found.peak_bytes,
            input_bytes=count_reachable_bytes(inputs),
            policy=str(options.policy),
            aliases=places.aliases,
        )

    def _run(
        self,
        model: nn.Module,
        args: Any,
        kwargs: Any,
        mode: CountingMode,
        backward: BackwardPass | None,
        choices: Choices | None,
    ) -> Any:
        """Make the call of the stand-in, under the mode."""
        method = self.call.method
        function = model if method == FORWARD else self.call.rebound(model).function
        training = self.options.backward
        watch = JaggedAttention() if self.jagged else nullcontext()
        casts = follow_autocast(self.home)
        literals = KnownLiterals(self.home) if choices else nullcontext()
        triangular = self.options.policy.attention == "triangular"
        functions = FusedAttention() if training and triangular else nullcontext()
        gradients = _gradients(enabled=training)
        with run_as_deep_as_usual(), gradients, functions, casts, mode, literals, watch:
            out = function(*args, **kwargs)
            if isinstance(out, Iterator):
                out = list(out)  # a generator does its work when it is read
            if backward:
                backward.run(out)
        return out

    def _set_mode(self, model: nn.Module, guard: Guard) -> None:
        """Set the stand-in's mode, in which a model may do more: merge weights, fill tables."""
        ledger = Ledger(Places(model))
        mode = CountingMode(ledger, self._rules(), self.home, DataFlow(), guard)
        with _gradients(enabled=False), mode:
            set_mode(model, training=self.options.backward)

    def _rules(self) -> Mapping[str, Rule]:
        """Return what operators cost, the user's costs before those of the tables."""
        own = {
            name: as_rule("op_costs", name, cost, self.applied)
            for name, cost in self.options.op_costs.items()
        }
        return {**select_rules(self.options.policy), **own}


def _count_in_any_way(run: _Run) -> CostReport:
    """Count without values if that works, otherwise with them if there are any."""
    try:
        return run.count(copy_without_values)
    except CountError as failure:
        if isinstance(failure, RefusedCallError):
            raise
        if not run.call.has_values:
            return _count_chosen(run, failure)
        reason = failure
    # Outside the except clause, so that an error of the real run stands for itself.
    try:
        report = run.count(copy_with_values)
    except WeightWrittenError:
        report = run.count(copy_everything)
    where = f" in {reason.module_path}" if reason.module_path else ""
    why = explain_obstacle(reason)
    text = f"Run on real values, because shapes alone were not enough{where}: {why}."
    return replace(report, notes=(Note("real-run", text), *report.notes))


def _count_chosen(run: _Run, failure: CountError) -> CostReport:
    """Count the longest course that choices can take, if it was only they that were not known."""
    if run.options.backward or not lacks_values(failure):
        raise failure
    return count_longest_course(
        lambda choices: run.count(copy_without_values, choices), instead_of=failure
    )


def _notes(run: _Run) -> Iterator[Note]:
    """Yield what a reader should know of the mode that was counted."""
    if run.options.backward:
        yield Note(
            "training-step",
            "A training step: the call in training mode, and the gradients of all parameters.",
        )
    elif run.module.training:
        yield Note("train-mode", "The model is in training mode; its inference (eval) was counted.")


@contextmanager
def _name_failing_module(ledger: Ledger, method: str) -> Iterator[None]:
    """Turn an error of the call into one that says where it happened."""
    try:
        yield
    except RefusedCallError as refusal:
        refusal.module_path = ledger.failed_in or ""
        raise
    except (InspectCostError, RecursionError):
        raise
    except Exception as error:
        if ledger.off_thread_module is not None:
            raise make_off_thread_error(ledger.off_thread_module) from error
        message, advice = explain_error(error, method)
        raise CountError(message, advice, module_path=ledger.failed_in or "") from error


@contextmanager
def _gradients(*, enabled: bool) -> Iterator[None]:
    """Run a training step with gradients, and inference without any trace of them.

    Not in inference mode, although it shows operators whole as well: tensors that a forward makes
    and keeps outside the model, in a cache, could not be used in the caller's next training step.
    """
    if enabled:
        with torch.inference_mode(mode=False), torch.enable_grad():
            yield
        return
    with torch.no_grad(), torch._C._AutoDispatchBelowAutograd():
        yield


def _drop_real_numbers(model: nn.Module, inputs: Any) -> Any:
    """Return inputs without the values of what gradients flow through."""
    if isinstance(model, FunctionModule):
        model.tensors = {path: _drop_number(tensor) for path, tensor in model.tensors.items()}
    return tree_map_only(Tensor, _drop_number, inputs)


def _drop_number(tensor: Tensor) -> Tensor:
    return drop_values(tensor) if tensor.is_floating_point() or tensor.is_complex() else tensor


def _with_title(modules: Any, title: str) -> Any:
    """Return the modules' list with the title of the call for the model's class."""
    (path, _kind, storage), *inner = modules
    return ((path, title, storage), *inner)
