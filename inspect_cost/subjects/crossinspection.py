"""From what a user names to a cross-check: presets of the zoo, and models of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

import model_zoo
from inspect_cost.calls.call import Call
from inspect_cost.calls.inputs import InputSpec
from inspect_cost.counting.torch.building import build_without_values
from inspect_cost.crosschecking.results import CrossCheck
from inspect_cost.crosschecking.run import TIMEOUT_S, crosscheck_call
from inspect_cost.reports.inspection import Report
from inspect_cost.subjects.inspection import inspected_model, inspected_preset
from inspect_cost.subjects.loading import model_factory
from inspect_cost.values.errors import UsageError
from inspect_cost.values.progress import Progress, ignore_progress


def crosschecked_preset(
    preset: model_zoo.Preset,
    samples: int | None = None,
    settings: Mapping[str, Any] | None = None,
    timeout_s: float = TIMEOUT_S,
    progress: Progress = ignore_progress,
) -> CrossCheck:
    """Cross-check one generating call of a preset, for a second of audio unless told otherwise.

    Raises:
        UsageError: a setting does not exist, or its value is impossible.
    """
    report = inspected_preset(preset, samples, settings)
    overrides = dict(settings or {})
    config = preset.configuration(**overrides)

    def call(model: nn.Module, device: str, remade: Callable[[], Call] | None) -> Call:
        generation = preset.call(config, samples or preset.sample_rate, device, 0)
        generate: Any = model.eval().generate
        return replace(Call.of(generate, **generation.kwargs), remake=remade)

    def with_weights() -> Call:
        return call(preset.build(**overrides), "cpu", None)

    bare = build_without_values(lambda: preset.build(**overrides), wholly=True)
    return _checked(report, call(bare, "meta", with_weights), timeout_s, progress)


def crosschecked_model(
    spec: str,
    inputs: Sequence[InputSpec] = (),
    length: int | None = None,
    timeout_s: float = TIMEOUT_S,
    progress: Progress = ignore_progress,
) -> CrossCheck:
    """Cross-check one forward of a user's own model, ``module:Net`` or ``file.py:make_model``.

    Raises:
        UsageError: the model cannot be made, or the inputs do not fit its forward.
        CountError: the forward fails.
    """
    report = inspected_model(spec, inputs, length)
    make = model_factory(spec)
    args = tuple(entry.tensor(length) for entry in inputs if entry.name is None)
    kwargs = {entry.name: entry.tensor(length) for entry in inputs if entry.name is not None}

    def with_weights() -> Call:
        return Call.of(make(), *args, **kwargs)

    call = replace(Call.of(_bare(make), *args, **kwargs), remake=with_weights)
    return _checked(report, call, timeout_s, progress)


def _bare(make: Callable[[], nn.Module]) -> nn.Module:
    """The model without weights if it can be made so."""
    try:
        return build_without_values(make)
    except UsageError:
        return make()


def _checked(report: Report, call: Call, timeout_s: float, progress: Progress) -> CrossCheck:
    title = f"{report.subject.title}  {report.subject.call}"
    peers = crosscheck_call(report.count, call, timeout_s, progress)
    return CrossCheck(report.count, peers, title, report.provenance)
