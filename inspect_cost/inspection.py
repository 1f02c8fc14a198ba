"""From what a user names to a report: presets of the zoo, and models of their own."""

import inspect as signatures
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

import model_zoo
from inspect_cost.cost import CostReport
from inspect_cost.counting.building import built_without_values
from inspect_cost.counting.count import count, count_disposable
from inspect_cost.counting.laws import cost_law
from inspect_cost.errors import CountError, UsageError
from inspect_cost.inputs import InputSpec, arguments, batched
from inspect_cost.loading import model_factory, shortened
from inspect_cost.report import Audio, Report, Subject, provenance

#: A model that goes sample by sample has a known period, so its law is verified near by.
STEPWISE_VERIFICATION = (1, 3)


def inspected_preset(
    preset: model_zoo.Preset,
    samples: int | None = None,
    settings: Mapping[str, Any] | None = None,
    batch: int = 1,
) -> Report:
    """Count one generating call of a preset, for a second of audio unless told otherwise.

    Args:
        preset: which model.
        samples: how many to generate.
        settings: of its configuration, where not as published.
        batch: so many such generations in one call.

    Raises:
        UsageError: a setting does not exist, or its value is impossible.
    """
    wanted = samples or preset.sample_rate
    overrides = dict(settings or {})
    try:
        model = built_without_values(lambda: preset.build(**overrides), wholly=True)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{preset.name}: {error}", "Mend the --set options.") from error
    config = preset.configuration(**overrides)
    call = preset.call(config, wanted, "meta", 0)
    generate: Callable[..., Any] = model.generate  # type: ignore[assignment]  # of this module
    if preset.period is None:
        report = count_disposable(generate, batched(dict(call.kwargs), batch))
    else:
        law = cost_law(
            generate,
            lambda length: batched(dict(preset.call(config, length, "meta", 0).kwargs), batch),
            period=preset.period(config),
            verified_after=STEPWISE_VERIFICATION,
        )
        report = law.report(call.samples)
    subject = Subject(
        name=preset.name,
        title=preset.title,
        call=f"generate {wanted:,} samples{in_batch(batch)}",
        source=preset.paper,
        settings=overrides,
    )
    audio = Audio(preset.sample_rate, batch * wanted, batch * call.samples)
    return Report(subject, report, audio, provenance())


def inspected_model(
    spec: str, inputs: Sequence[InputSpec] = (), length: int | None = None, batch: int = 1
) -> Report:
    """Count one forward of a user's own model, ``module:Net`` or ``file.py:make_model``.

    Args:
        spec: where the model is.
        inputs: of its forward.
        length: what the L in their shapes stands for.
        batch: each input so many times along its first dimension.

    Raises:
        UsageError: the model cannot be made, or the inputs do not fit its forward.
        CountError: the forward fails.
    """
    make = model_factory(spec)
    args, kwargs = arguments(inputs, length, batch)

    def counted(model: nn.Module) -> CostReport:
        _check_arguments(spec, model, args, kwargs)
        return count(model.eval(), *args, **kwargs)

    try:
        report = _without_values_first(make, counted)
    except CountError as error:
        where = f" in {error.module_path}" if error.module_path else ""
        given = ", ".join(map(str, inputs)) or "none"
        raise CountError(
            f"the forward of {spec} failed{where}: {error}",
            f"The inputs were: {given}. Give others with --input [name=]SHAPE[:dtype].",
        ) from error
    shapes = ", ".join(str(entry) for entry in inputs) or "no inputs"
    at_length = f", L = {length:,}" if length and any(None in e.shape for e in inputs) else ""
    subject = Subject(spec, report.model, f"forward of {shapes}{at_length}{in_batch(batch)}")
    return Report(subject, report, None, provenance())


def in_batch(batch: int) -> str:
    """In words, a batch of more than one."""
    return f", {batch:,} in a batch" if batch > 1 else ""


def _without_values_first(
    make: Callable[[], nn.Module], counted: Callable[[nn.Module], CostReport]
) -> CostReport:
    """Make the model without its weights if that works, else as the user would."""
    try:
        return counted(built_without_values(make))
    except UsageError as error:
        # The user's code is at fault, or cannot do without values: made for real, it tells which.
        if not isinstance(error.__cause__, Exception):
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
