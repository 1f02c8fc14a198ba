"""Building the models of a table and counting them, with what the published counter would say."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from inspect_cost import Call, CostReport, build
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.torch.count import count_call
from inspect_cost.values.errors import one_line
from inspect_cost.values.notes import codes
from published.row import Counted

WITHOUT_VALUES = "without values"


def _explain_nothing(_model: nn.Module, _report: CostReport) -> Mapping[str, int]:
    return {}


@dataclass(frozen=True)
class Subject:
    """How one model of a table is built, called and compared.

    Attributes:
        build: makes the model.
        arguments: makes the arguments of its call.
        costs: costs of operators to count with.
        explain: returns, of the model and its report, why the published total is another -> its
            number minus ours.
        forms: what may have been done to the model before it was counted -> how to do it.
    """

    build: Callable[[], nn.Module]
    arguments: Callable[[], tuple[Any, ...]]
    costs: Mapping[str, Any] = field(default_factory=dict)
    explain: Callable[[nn.Module, CostReport], Mapping[str, int]] = _explain_nothing
    forms: Mapping[str, Callable[[nn.Module], nn.Module]] = field(default_factory=dict)


def count_subject(subject: Subject, form: str = "") -> Counted:
    """Build and count one model; a failure is part of the result."""
    start = time.perf_counter()

    def make() -> nn.Module:
        model = subject.build().eval()
        return subject.forms[form](model) if form else model

    try:
        built, model, report = _count_in_any_way(make, subject)
        differences = subject.explain(model, report)
    except Exception as error:  # noqa: BLE001 - a sweep goes on, whatever a model raises
        return Counted(form=form, error=one_line(error), seconds=_since(start))
    return Counted(
        params=report.params,
        macs=report.macs,
        differences=differences,
        form=form,
        built=built,
        ran_on="real values" if "real-run" in codes(report.notes) else "shapes",
        uncounted=tuple(report.uncounted),
        seconds=_since(start),
    )


def _count_in_any_way(
    make: Callable[[], nn.Module], subject: Subject
) -> tuple[str, nn.Module, CostReport]:
    """Build and count without values where that works, and say why where it does not."""
    try:
        model = build(make)
        return WITHOUT_VALUES, model, _count(model, subject)
    except Exception as error:  # noqa: BLE001 - factories compute with values in many ways
        reason = one_line(error)
    model = make()
    return f"with weights: {reason}", model, _count(model, subject)


def _count(model: nn.Module, subject: Subject) -> CostReport:
    options = CountOptions.of(op_costs=subject.costs)
    return count_call(Call.of(model, *subject.arguments()), options, used=set())


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 3)
