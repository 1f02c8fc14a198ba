"""Counting one call of a model, from shapes alone wherever that is possible."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Protocol

import torch
from torch import nn

from inspect_cost.calls.arguments import refuse_mistakes
from inspect_cost.calls.call import (
    FORWARD,
    Call,
    cast_module,
    refuse_asynchronous,
    tensors_in,
)
from inspect_cost.calls.devices import find_dtype
from inspect_cost.counting.options import CountOptions, as_rule, make_unused_error
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.aten import Rule
from inspect_cost.counting.torch.aten.policies import select_rules
from inspect_cost.counting.torch.attribution import attribute_methods, make_off_thread_error
from inspect_cost.counting.torch.autocast import follow_autocast
from inspect_cost.counting.torch.backward import run_backward
from inspect_cost.counting.torch.copying import Copier
from inspect_cost.counting.torch.dataflow import DataFlow
from inspect_cost.counting.torch.failures import explain_error, explain_obstacle, misses_gradients
from inspect_cost.counting.torch.flex_attention import Masks, Surroundings, attend_flexibly
from inspect_cost.counting.torch.fused_attention import FusedAttention
from inspect_cost.counting.torch.gradients import GradientLedger
from inspect_cost.counting.torch.guard import Guard, WeightWrittenError
from inspect_cost.counting.torch.jagged import JaggedAttention
from inspect_cost.counting.torch.ledger import Ledger, Observer
from inspect_cost.counting.torch.leftovers import Leftovers
from inspect_cost.counting.torch.memories import count_reachable_bytes
from inspect_cost.counting.torch.meta.refusals import RefusedCallError
from inspect_cost.counting.torch.mode import CountingMode
from inspect_cost.counting.torch.module_costs import apply_module_costs
from inspect_cost.counting.torch.optimizer_step import NO_STEP, OptimizerStep
from inspect_cost.counting.torch.optimizers import make_optimizers
from inspect_cost.counting.torch.places import Places
from inspect_cost.counting.torch.recording import (
    GradientsWantedError,
    Recording,
    drop_real_numbers,
    record,
)
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
    mark_counting,
    preserve_process_state,
    refuse_depth,
    run_as_deep_as_usual,
    run_eagerly,
)
from inspect_cost.values.errors import CountError, InspectCostError
from inspect_cost.values.notes import Note

DEFAULTS = CountOptions()

INNER_GRADIENTS = Note(
    "inner-gradients", "The forward itself computes gradients; they are counted with it."
)


class Watcher(Observer, Protocol):
    """Whoever follows a count; it may be begun several times, of which the last holds."""

    def start(self, model: nn.Module, places: Places) -> None:
        """Begin with a stand-in of the model, whose modules have these places."""


def count_call(
    call: Call,
    options: CountOptions = DEFAULTS,
    used: set[str] | None = None,
    watcher: Watcher | None = None,
) -> CostReport:
    """Count one call; neither the model nor the process is changed.

    Args:
        call: of a module, a method of one, or a function.
        options: how to count it.
        used: where the names in ``op_costs`` that apply are added. Unless it is given, one that
            does not apply is an error.
        watcher: follows what is entered, and where.

    Raises:
        UsageError: the arguments are a usual mistake, a key of ``op_costs`` or ``module_costs``
            matches nothing, or there is nothing to compute a gradient of.
        CountError: the call fails, or it needs values that a model on "meta" lacks.
    """
    applied: set[str] = set() if used is None else used
    jagged = any(tensor.layout is torch.jagged for tensor in tensors_in((call.args, call.kwargs)))
    gradients = _allow_gradients(needed=options.backward)
    with preserve_process_state(), refuse_depth(), mark_counting(), gradients:
        given = call.as_module().with_inputs_cast(options.dtype)
        recording = Recording.EVERYTHING if options.backward else Recording.NOTHING
        run = _Run(given, options, applied, jagged, recording, watcher)
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
    with preserve_process_state(), refuse_depth(), mark_counting():
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
        recording: what autograd records.
        watcher: follows what is entered, and where; None if nobody does.
    """

    call: Call
    options: CountOptions
    applied: set[str]
    jagged: bool = False
    recording: Recording = Recording.NOTHING
    watcher: Watcher | None = None

    @property
    def records(self) -> bool:
        """Whether autograd records anything."""
        return self.recording is not Recording.NOTHING

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

    def count(self, make_stand_in: Callable[[nn.Module, Copier], nn.Module]) -> CostReport:
        """Run a stand-in of the model under the counting mode.

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
        ledger = self._make_ledger(places, model)
        modules = collect_storage(model, places)
        apply_module_costs(model, ledger, options.module_costs)
        attribute_methods(model, ledger)
        if self.watcher:
            self.watcher.start(model, places)
        args, kwargs = copier.copy_inputs(inputs)
        unknown = any(t.is_meta for t in (*model.parameters(), *tensors_in(inputs)))
        # Autograd wants a gradient on the device of its tensor: no number keeps its values.
        without_numbers = self.records and unknown
        if without_numbers:
            args, kwargs = drop_real_numbers(model, (args, kwargs))
        # A training step changes its parameters, so that nothing is the same in the next.
        stored = (*model.parameters(), *model.buffers())
        flow = DataFlow(() if options.backward else stored)
        masks = Masks(triangular=options.policy.attention == "triangular")
        make_mode = partial(
            CountingMode, ledger, self._rules(), self.home, guard=guard, stored=stored
        )
        mode = make_mode(
            flow,
            masks=masks,
            keeps_numbers=not without_numbers,
            own=(*stored, *copier.memo.values()),
            training=options.backward,
            recording=self.records,
        )
        flexible = attend_flexibly(Surroundings(self.home, masks, flow.mark_as_used))
        step = NO_STEP
        leftovers = Leftovers(original)
        try:
            with guard.insist(), flexible, _name_failing_module(ledger, self.call.method):
                out = self._run(model, args, kwargs, mode)
                if ledger.off_thread_module is not None:
                    raise make_off_thread_error(ledger.off_thread_module)
                if mode.met_gradients:
                    raise GradientsWantedError
                if options.optimizer is not None:
                    step = OptimizerStep(make_optimizers(options.optimizer, model, copier))
                    with record(self.recording):
                        step.run(ledger, flow, make_mode)
            found = flow.finish(out, (args, kwargs, step), model)
        except CountError as failure:
            other = self._find_other_way(mode, failure)
            if other is None:
                raise
            return other.count(make_stand_in)
        finally:
            leftovers.clear(flow.outside)
        return CostReport(
            model=self.call.title,
            modules=(*_with_title(modules, self.call.title), *step.rows),
            tallies=tuple(found.mark(ledger.collect_tallies())),
            unread=found.unread,
            peak_activation_bytes=found.peak_bytes,
            input_bytes=count_reachable_bytes(inputs),
            optimizer_state=step.state,
            policy=str(options.policy),
            aliases=places.aliases,
            notes=tuple(self._note_what_was_met(mode)),
        )

    def _note_what_was_met(self, mode: CountingMode) -> Iterator[Note]:
        """Yield what a reader should know of the course that the call took."""
        if self.records and not self.options.backward:
            yield INNER_GRADIENTS
        if mode.strangers:
            size = sum(parameter.numel() for parameter in mode.strangers.values())
            yield Note(
                "outside-weights",
                f"The call reads {size} parameters that the model does not hold, such as those of "
                "a global variable or a class; they are not among its parameters.",
                "warning",
            )

    def _find_other_way(self, mode: CountingMode, failure: CountError) -> "_Run | None":
        """Return another way to run a call that failed; None if nothing suggests one."""
        if mode.met_jagged and not self.jagged:
            return replace(self, jagged=True)
        more = self.recording.more
        wanted = more and (mode.met_gradients or misses_gradients(failure))
        return replace(self, recording=more) if more and wanted else None

    def _run(
        self,
        model: nn.Module,
        args: Any,
        kwargs: Any,
        mode: CountingMode,
    ) -> Any:
        """Make the call of the stand-in, under the mode."""
        method = self.call.method
        function = model if method == FORWARD else self.call.rebound(model).function
        watch = JaggedAttention() if self.jagged else nullcontext()
        casts = follow_autocast(self.home)
        triangular = self.options.policy.attention == "triangular"
        enter = mode.context.enter
        functions = FusedAttention(enter, training=self.records) if triangular else nullcontext()
        with run_as_deep_as_usual(), record(self.recording), functions, casts, mode, watch:
            out = function(*args, **kwargs)
            refuse_asynchronous(out)
            if isinstance(out, Iterator):
                out = list(out)  # a generator does its work when it is read
            if self.options.backward:
                run_backward(out)
        return out

    def _make_ledger(self, places: Places, model: nn.Module) -> Ledger:
        """Make the books; with gradients, these charge them to the modules of the forward."""
        if self.records:
            return GradientLedger(places, model, self.watcher)
        return Ledger(places, self.watcher)

    def _set_mode(self, model: nn.Module, guard: Guard) -> None:
        """Set the stand-in's mode, in which a model may do more: merge weights, fill tables."""
        ledger = Ledger(Places(model))
        mode = CountingMode(ledger, self._rules(), self.home, DataFlow(), guard, recording=True)
        with record(Recording.NOTHING), mode:
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
        if not run.call.has_values or isinstance(failure, RefusedCallError):
            raise
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


def _notes(run: _Run) -> Iterator[Note]:
    """Yield what a reader should know of the mode that was counted."""
    if run.options.backward:
        step = "" if run.options.optimizer is None else ", and one step of the optimizer"
        yield Note(
            "training-step",
            "A training step: the call in training mode, and the gradients of all parameters"
            f"{step}.",
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


def _allow_gradients(*, needed: bool) -> AbstractContextManager[object]:
    """Leave inference mode for a training step, whose copies would be good for inference alone."""
    return torch.inference_mode(mode=False) if needed else nullcontext()


def _with_title(modules: Any, title: str) -> Any:
    """Return the modules' list with the title of the call for the model's class."""
    (path, _kind, storage), *inner = modules
    return ((path, title, storage), *inner)
