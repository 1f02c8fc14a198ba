"""Counting one call of a model, from shapes alone wherever that is possible."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch

from inspect_cost.calls.arguments import refuse_mistakes
from inspect_cost.calls.call import Call, tensors_in
from inspect_cost.counting.options import CountOptions, make_unused_error
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.choices import count_longest_course
from inspect_cost.counting.torch.failures import explain_obstacle, lacks_values
from inspect_cost.counting.torch.guard import WeightWrittenError
from inspect_cost.counting.torch.meta.refusals import RefusedCallError
from inspect_cost.counting.torch.recording import Recording
from inspect_cost.counting.torch.run import Run, Watcher
from inspect_cost.counting.torch.substitute import (
    copy_everything,
    copy_with_values,
    copy_without_values,
)
from inspect_cost.counting.torch.surroundings import (
    mark_counting,
    preserve_process_state,
    refuse_depth,
    run_eagerly,
)
from inspect_cost.values.errors import CountError
from inspect_cost.values.notes import Note

DEFAULTS = CountOptions()


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
        run = Run(given, options, applied, jagged, recording, watcher)
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
        report = Run(given, options, applied).count(lambda model, _copier: model)
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


def _count_in_any_way(run: Run) -> CostReport:
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


def _count_chosen(run: Run, failure: CountError) -> CostReport:
    """Count the longest course that choices can take, if it was only they that were not known."""
    if run.options.backward or not lacks_values(failure):
        raise failure
    return count_longest_course(
        lambda choices: replace(run, choices=choices).count(copy_without_values),
        instead_of=failure,
    )


def _notes(run: Run) -> Iterator[Note]:
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


def _allow_gradients(*, needed: bool) -> AbstractContextManager[object]:
    """Leave inference mode for a training step, whose copies would be good for inference alone."""
    return torch.inference_mode(mode=False) if needed else nullcontext()
