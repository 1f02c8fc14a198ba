"""From what a user names to a report: presets of the zoo, and models of their own."""

import inspect as signatures
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import torch
from torch import nn

import model_zoo
from inspect_cost.calls.call import Call
from inspect_cost.calls.inputs import InputSpec, arguments, batched
from inspect_cost.counting.count import count
from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.building import build_without_values
from inspect_cost.counting.torch.count import count_disposable
from inspect_cost.counting.torch.law_search import VERIFIED_AFTER, cost_law
from inspect_cost.reports.inspection import Audio, Report, Subject
from inspect_cost.subjects.loading import model_factory, shortened
from inspect_cost.values.errors import CountError, NoLawError, UsageError
from inspect_cost.values.notes import Note
from inspect_cost.values.provenance import describe_run

T = TypeVar("T")

#: A model that goes sample by sample has a known period, so its law is verified near by.
STEPWISE_VERIFICATION = (1, 3)


def inspected_preset(
    preset: model_zoo.Preset,
    samples: int | None = None,
    settings: Mapping[str, Any] | None = None,
    batch: int = 1,
    **options: Any,
) -> Report:
    """Count one generating call of a preset, for a second of audio unless told otherwise.

    Args:
        preset: which model.
        samples: how many to generate.
        settings: of its configuration, where not as published.
        batch: so many such generations in one call.
        **options: of `count`, such as ``policy``.

    Raises:
        UsageError: a setting does not exist, or its value is impossible.
    """
    wanted = samples or preset.sample_rate
    overrides = dict(settings or {})
    generating = _Generating.of(preset, overrides, batch)
    call = generating.call(wanted)
    if options.get("backward"):
        raise UsageError(
            f"{preset.name} generates, and no gradients flow through that",
            "Count a training step of a module of your own, whose forward makes the loss.",
        )
    if preset.period is None:
        call_once = Call.of(generating.method, **call.kwargs)
        report = count_disposable(call_once, CountOptions.of(**options))
    else:
        report = generating.law(**options).report(call.samples)
    subject = Subject(
        name=preset.name,
        title=preset.title,
        call=f"generate {wanted:,} samples{in_batch(batch)}",
        source=preset.paper,
        settings=overrides,
    )
    audio = Audio(preset.sample_rate, batch * wanted, batch * call.samples)
    return Report(subject, report, audio, describe_run())


def preset_law(
    preset: model_zoo.Preset, settings: Mapping[str, Any] | None = None, **options: Any
) -> CostLaw:
    """The cost of generation as a law of the samples generated.

    Raises:
        UsageError: as of `inspected_preset`.
        CountError: no law holds.
    """
    return _Generating.of(preset, dict(settings or {})).law(**options)


@dataclass(frozen=True)
class _Generating:
    """A preset's model without weights, about to generate."""

    preset: model_zoo.Preset
    config: Any
    method: Callable[..., Any]
    batch: int

    @classmethod
    def of(cls, preset: model_zoo.Preset, settings: dict[str, Any], batch: int = 1) -> Self:
        try:
            model = build_without_values(lambda: preset.build(**settings), wholly=True)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{preset.name}: {error}", "Mend the --set options.") from error
        generate: Callable[..., Any] = model.generate  # type: ignore[assignment]  # of this module
        return cls(preset, preset.configuration(**settings), generate, batch)

    def call(self, samples: int) -> model_zoo.GenerationCall:
        """One that generates so many samples, or the next number that it can, in a batch."""
        call = self.preset.call(self.config, samples, "meta", 0)
        return replace(call, kwargs=batched(dict(call.kwargs), self.batch))

    def law(self, **options: Any) -> CostLaw:
        """Along lengths that it can generate."""
        stepwise = self.preset.period
        return cost_law(
            self.method,
            lambda length: self.call(length).kwargs,
            period=stepwise(self.config) if stepwise else self.call(1).samples,
            verified_after=STEPWISE_VERIFICATION if stepwise else VERIFIED_AFTER,
            **options,
        )


def inspected_model(
    spec: str,
    inputs: Sequence[InputSpec] = (),
    length: int | None = None,
    batch: int = 1,
    **options: Any,
) -> Report:
    """Count one forward of a user's own model, ``module:Net`` or ``file.py:make_model``.

    Args:
        spec: where the model is.
        inputs: of its forward.
        length: what the L in their shapes stands for.
        batch: each input so many times along its first dimension.
        **options: of `count`, such as ``policy``.

    Raises:
        UsageError: the model cannot be made, or the inputs do not fit its forward.
        CountError: the forward fails.
    """

    def counted(model: nn.Module) -> CostReport:
        args, kwargs = arguments(inputs, length, batch)
        _check_arguments(spec, model, args, kwargs)
        return count(Call.of(model.eval(), *args, **kwargs), **options)

    report = _of_own_model(spec, inputs, counted)
    shapes = ", ".join(str(entry) for entry in inputs) or "no inputs"
    at_length = f", L = {length:,}" if length and _have_length(inputs) else ""
    subject = Subject(spec, report.model, f"forward of {shapes}{at_length}{in_batch(batch)}")
    return Report(subject, report, None, describe_run())


def model_law(
    spec: str,
    inputs: Sequence[InputSpec],
    length: int | None = None,
    *,
    period: int | None = None,
    **options: Any,
) -> CostLaw:
    """The cost of a user's own model as a law of the L in the shapes of its inputs.

    Args:
        spec: the model.
        inputs: of the forward, with L in a shape.
        length: that the law must hold for.
        period: along which it is sought; found if None.
        **options: of `count`.

    Raises:
        UsageError: as of `inspected_model`, or no shape has an L.
        CountError: the forward fails, or no law holds.
    """
    if not _have_length(inputs):
        raise UsageError(
            f"no input of {spec} has a length to find a law in",
            "Write L for it in a shape: --input 1,80,L.",
        )

    def lawful(model: nn.Module) -> CostLaw:
        _check_arguments(spec, model, *arguments(inputs, length or 1))

        def make_call(length: int) -> Call:
            args, kwargs = arguments(inputs, length)
            return Call.of(model, *args, **kwargs)

        return cost_law(
            model.eval(),
            make_call,
            period=period,
            at=length,
            **options,
        )

    return _of_own_model(spec, inputs, lawful)


def with_law(
    report: Report,
    model: str,
    inputs: Sequence[InputSpec] = (),
    length: int | None = None,
    **options: Any,
) -> Report:
    """The report with the law of its model's cost; where none holds, with a note that says so.

    Args:
        report: of a preset, or of a user's own model.
        model: what it was named.
        inputs: of a user's own model, with L in a shape.
        length: that the law must hold for.
        **options: of `count`.

    Raises:
        UsageError: as of `model_law`.
    """
    try:
        if ":" in model:
            law = model_law(model, inputs, length, **options)
        else:
            law = preset_law(model_zoo.preset(model), report.subject.settings, **options)
    except NoLawError as error:
        note = Note("no-law", f"No cost law: {error}. This length was counted in full.")
        counted = replace(report.count, notes=(*report.count.notes, note))
        return replace(report, count=counted)
    return replace(report, law=law)


def _have_length(inputs: Sequence[InputSpec]) -> bool:
    return any(None in entry.shape for entry in inputs)


def _of_own_model(spec: str, inputs: Sequence[InputSpec], found: Callable[[nn.Module], T]) -> T:
    """What is found of a user's model; an error of its forward names the inputs."""
    try:
        return _without_values_first(model_factory(spec), found)
    except NoLawError:
        raise
    except CountError as error:
        where = f" in {error.module_path}" if error.module_path else ""
        given = ", ".join(map(str, inputs)) or "none"
        raise CountError(
            f"the forward of {spec} failed{where}: {error}",
            f"The inputs were: {given}. Give others with --input [name=]SHAPE[:dtype].",
        ) from error


def in_batch(batch: int) -> str:
    """In words, a batch of more than one."""
    return f", {batch:,} in a batch" if batch > 1 else ""


def _without_values_first(make: Callable[[], nn.Module], counted: Callable[[nn.Module], T]) -> T:
    """Make the model without its weights if that works, else as the user would."""
    try:
        return counted(build_without_values(make))
    except UsageError as error:
        # The user's code is at fault, or cannot do without values: made for real, it tells which.
        if not isinstance(error.__cause__, Exception):
            raise
    except NoLawError:
        raise
    except CountError:
        pass
    return counted(make())


def _check_arguments(
    spec: str, model: nn.Module, args: Sequence[torch.Tensor], kwargs: Mapping[str, torch.Tensor]
) -> None:
    """Refuse inputs that the forward does not take, naming those that it wants."""
    try:
        parameters = signatures.signature(model.forward)
    except (TypeError, ValueError):
        return  # a forward without a signature: calling it will tell
    try:
        parameters.bind(*args, **kwargs)
    except TypeError as error:
        raise UsageError(
            f"the inputs do not fit the forward of {spec}: {shortened(error).partition(': ')[2]}",
            f"It takes {_described(parameters)}; give each with --input [name=]SHAPE[:dtype].",
        ) from None


def _described(parameters: signatures.Signature) -> str:
    """A forward's parameters as a user would read them: x, lengths (optional)."""
    names = [
        name if p.default is p.empty else f"{name} (optional)"
        for name, p in parameters.parameters.items()
        if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
    ]
    return ", ".join(names) or "no inputs"
