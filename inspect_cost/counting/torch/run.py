"""One run of a stand-in under the counting mode, and the report of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from inspect_cost.calls.call import FORWARD, Call, cast_module, refuse_asynchronous, tensors_in
from inspect_cost.calls.devices import find_dtype
from inspect_cost.counting.options import CountOptions, as_rule
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import Storage
from inspect_cost.counting.torch.aten import Rule
from inspect_cost.counting.torch.aten.policies import select_rules
from inspect_cost.counting.torch.attribution import attribute_methods, make_off_thread_error
from inspect_cost.counting.torch.autocast import follow_autocast
from inspect_cost.counting.torch.backward import run_backward
from inspect_cost.counting.torch.choices import Choices, KnownLiterals, refuse_other_choices
from inspect_cost.counting.torch.copying import Copier
from inspect_cost.counting.torch.dataflow import DataFlow, Findings
from inspect_cost.counting.torch.decisions import note_decisions
from inspect_cost.counting.torch.failures import explain_error, misses_gradients
from inspect_cost.counting.torch.flex_attention import Masks, Surroundings, attend_flexibly
from inspect_cost.counting.torch.fused_attention import FusedAttention
from inspect_cost.counting.torch.gradients import GradientLedger
from inspect_cost.counting.torch.guard import Guard
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
from inspect_cost.counting.torch.substitute import find_home, make_guard, set_mode
from inspect_cost.counting.torch.surroundings import run_as_deep_as_usual
from inspect_cost.values.errors import CountError, InspectCostError
from inspect_cost.values.notes import Note

MakeStandIn = Callable[[nn.Module, Copier], nn.Module]

INNER_GRADIENTS = Note(
    "inner-gradients", "The forward itself computes gradients; they are counted with it."
)


class Watcher(Observer, Protocol):
    """Whoever follows a count; it may be begun several times, of which the last holds."""

    def start(self, model: nn.Module, places: Places) -> None:
        """Begin with a stand-in of the model, whose modules have these places."""


@dataclass(frozen=True)
class Stage:
    """What a run needs besides its modes.

    Attributes:
        model: the stand-in.
        args: copies of the call's positional arguments.
        kwargs: copies of its keyword arguments.
        copier: what made the copies.
        guard: of the tensors of the caller's model.
        places: of the modules.
        ledger: where costs are entered.
        modules: path, class and storage of each module.
        stored: the stand-in's parameters and buffers.
        flow: the follower of the data.
        masks: what masks of flex attention keep.
        keeps_numbers: whether numbers that are made on the way have values.
    """

    model: nn.Module
    args: Any
    kwargs: Any
    copier: Copier
    guard: Guard
    places: Places
    ledger: Ledger
    modules: tuple[tuple[str, str, Storage], ...]
    stored: tuple[Tensor, ...]
    flow: DataFlow
    masks: Masks
    keeps_numbers: bool


@dataclass(frozen=True)
class Run:
    """One call to be counted, of a module or a method of one.

    Attributes:
        call: of the caller's model.
        options: how to count it.
        applied: where the names of the users' costs are added that were asked for.
        jagged: whether attention of jagged tensors is taken apart; watching for it takes time.
        recording: what autograd records.
        watcher: follows what is entered, and where; None if nobody does.
        choices: what is chosen by unknown numbers; None leaves it unknown.
    """

    call: Call
    options: CountOptions
    applied: set[str]
    jagged: bool = False
    recording: Recording = Recording.NOTHING
    watcher: Watcher | None = None
    choices: Choices | None = None

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

    def count(self, make_stand_in: MakeStandIn) -> CostReport:
        """Run a stand-in of the model under the counting mode.

        Raises:
            CountError: the call raised; the cause is the original error.
        """
        stage = self._set_stage(make_stand_in)
        mode, flow, step = self._make_mode(stage), stage.flow, NO_STEP
        leftovers = Leftovers(self.module)
        try:
            with stage.guard.insist(), _name_failing_module(stage.ledger, self.call.method):
                out = self._run(stage, mode)
                _check_course(stage, mode)
                if self.options.optimizer is not None:
                    step = self._make_step(stage)
            if self.choices is not None:
                refuse_other_choices(flow.decisions)
            found = flow.finish(out, (stage.args, stage.kwargs, step), stage.model)
        except CountError as failure:
            if self.choices is not None:
                self.choices.wanted = flow.decisions.find_choices_behind_failure()
            other = self._find_other_way(mode, failure)
            if other is None:
                raise
            return other.count(make_stand_in)
        finally:
            leftovers.clear(flow.outside)
        return self._report(stage, mode, step, found)

    def _set_stage(self, make_stand_in: MakeStandIn) -> Stage:
        """Copy the model and its inputs, and open the books."""
        options, copier = self.options, Copier()
        made = make_stand_in(self.module, copier)
        model = cast_module(made, find_dtype(options.dtype))
        guard = make_guard(self.module, model)
        with guard.insist():
            self._set_mode(model, guard)
        places = Places(model)
        ledger = self._make_ledger(places, model)
        modules = collect_storage(model, places)
        apply_module_costs(model, ledger, options.module_costs)
        attribute_methods(model, ledger)
        if self.watcher:
            self.watcher.start(model, places)
        inputs = copier.copy_inputs((self.call.args, self.call.kwargs))
        parameters = tuple(model.parameters())
        # Autograd wants a gradient on the device of its tensor: no number keeps its values.
        unknown = any(tensor.is_meta for tensor in (*parameters, *tensors_in(inputs)))
        args, kwargs = drop_real_numbers(model, inputs) if self.records and unknown else inputs
        stored = (*parameters, *model.buffers())
        return Stage(
            model=model,
            args=args,
            kwargs=kwargs,
            copier=copier,
            guard=guard,
            places=places,
            ledger=ledger,
            modules=modules,
            stored=stored,
            # A training step changes its parameters, so that nothing is the same in the next.
            flow=DataFlow(
                () if options.backward else stored, [p for p in parameters if not p.is_meta]
            ),
            masks=Masks(triangular=options.policy.attention == "triangular"),
            keeps_numbers=not (self.records and unknown),
        )

    def _make_mode(self, stage: Stage) -> CountingMode:
        """Make the mode that counts the call."""
        return CountingMode(
            stage.ledger,
            self.rules,
            self.home,
            stage.flow,
            stage.guard,
            stage.stored,
            masks=stage.masks,
            keeps_numbers=stage.keeps_numbers,
            own=(*stage.stored, *stage.copier.memo.values()),
            training=self.options.backward,
            recording=self.records,
            choices=self.choices,
        )

    def _run(self, stage: Stage, mode: CountingMode) -> Any:
        """Make the call of the stand-in, under the mode."""
        method, model, home = self.call.method, stage.model, self.home
        function = model if method == FORWARD else self.call.rebound(model).function
        triangular = self.options.policy.attention == "triangular"
        enter = mode.context.enter
        flexible = attend_flexibly(Surroundings(home, stage.masks, stage.flow.mark_as_used))
        fused = FusedAttention(enter, training=self.records) if triangular else nullcontext()
        literals = KnownLiterals(home) if self.choices else nullcontext()
        jagged = JaggedAttention() if self.jagged else nullcontext()
        recorded = record(self.recording)
        with (
            flexible,
            run_as_deep_as_usual(),
            recorded,
            fused,
            follow_autocast(home),
            mode,
            literals,
            jagged,
        ):
            out = function(*stage.args, **stage.kwargs)
            refuse_asynchronous(out)
            if isinstance(out, Iterator):
                out = list(out)  # a generator does its work when it is read
            if self.options.backward:
                run_backward(out)
        return out

    def _make_step(self, stage: Stage) -> OptimizerStep:
        """Make the step of the optimizers with the gradients that the call has left."""
        given = self.options.optimizer
        step = OptimizerStep(make_optimizers(given, stage.model, stage.copier))
        make_mode = partial(
            CountingMode,
            stage.ledger,
            self.rules,
            self.home,
            guard=stage.guard,
            stored=stage.stored,
        )
        with record(self.recording):
            step.run(stage.ledger, stage.flow, make_mode)
        return step

    def _report(
        self, stage: Stage, mode: CountingMode, step: OptimizerStep, found: Findings
    ) -> CostReport:
        (_, _, whole), *inner = stage.modules
        return CostReport(
            model=self.call.title,
            modules=(("", self.call.title, whole), *inner, *step.rows),
            tallies=tuple(found.mark(stage.ledger.collect_tallies())),
            unread=found.unread,
            peak_activation_bytes=found.peak_bytes,
            input_bytes=count_reachable_bytes((self.call.args, self.call.kwargs)),
            optimizer_state=step.state,
            policy=str(self.options.policy),
            aliases=stage.places.aliases,
            notes=(*note_decisions(stage.flow.decisions), *self._note_what_was_met(mode)),
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

    def _find_other_way(self, mode: CountingMode, failure: CountError) -> "Run | None":
        """Return another way to run a call that failed; None if nothing suggests one."""
        if mode.met_jagged and not self.jagged:
            return replace(self, jagged=True)
        more = self.recording.more
        wanted = more and (mode.met_gradients or misses_gradients(failure))
        return replace(self, recording=more) if more and wanted else None

    def _make_ledger(self, places: Places, model: nn.Module) -> Ledger:
        """Make the books; with gradients, these charge them to the modules of the forward."""
        if self.records:
            return GradientLedger(places, model, self.watcher)
        return Ledger(places, self.watcher)

    def _set_mode(self, model: nn.Module, guard: Guard) -> None:
        """Set the stand-in's mode, in which a model may do more: merge weights, fill tables."""
        ledger = Ledger(Places(model))
        mode = CountingMode(ledger, self.rules, self.home, DataFlow(), guard, recording=True)
        with record(Recording.NOTHING), mode:
            set_mode(model, training=self.options.backward)

    @cached_property
    def rules(self) -> Mapping[str, Rule]:
        """What operators cost, the user's costs before those of the tables."""
        own = {
            name: as_rule("op_costs", name, cost, self.applied)
            for name, cost in self.options.op_costs.items()
        }
        return {**select_rules(self.options.policy), **own}


def _check_course(stage: Stage, mode: CountingMode) -> None:
    """Refuse a call of which not all was seen, though it came to its end."""
    if stage.ledger.off_thread_module is not None:
        raise make_off_thread_error(stage.ledger.off_thread_module)
    if mode.met_gradients:
        raise GradientsWantedError


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
