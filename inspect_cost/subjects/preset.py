"""Presets of the model zoo: generating audio with a published model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

import model_zoo
from inspect_cost.calls.call import Call
from inspect_cost.calls.inputs import repeat_batch
from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.law_search import VERIFIED_AFTER
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.building import build_wholly_without_values
from inspect_cost.counting.torch.count import count_disposable
from inspect_cost.counting.torch.law_search import cost_law
from inspect_cost.measuring.workload import Pilot, Workload
from inspect_cost.subjects.subject import Conditions, Request, describe_batch
from inspect_cost.values.errors import Unsupported, UsageError
from inspect_cost.values.identity import AUDIO, Identity, Output, Phase
from model_zoo.generation import build_with_weights

if TYPE_CHECKING:
    from inspect_cost.exporting.onnx import Exported

#: A model that goes sample by sample has a known period, so its law is verified near by.
STEPWISE_VERIFICATION = (1, 3)
#: More audio than this is tried in short first; so is all that goes sample by sample.
LONG_AUDIO_S = 10.0
PILOT_SAMPLES = 512
#: Exported, a model that goes sample by sample is unrolled: each sample's nodes are in the file.
MOST_UNROLLED = 256
#: Deviation of the random numbers in place of parameters that start at 0.
START_STD = 0.01


@dataclass(frozen=True)
class PresetSubject:
    """One generating call of a preset.

    Attributes:
        name: the preset's.
        samples: samples to generate, of each inference of a batch; None for a second of audio.
        settings: values of its configuration that differ from the published ones.
        batch: such generations in one call.
    """

    name: str
    samples: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 1

    @classmethod
    def of(cls, request: Request) -> Self:
        """Make the subject that a request names."""
        return cls(request.name, request.input_len, dict(request.settings), request.batch)

    @property
    def preset(self) -> model_zoo.Preset:
        """The preset itself."""
        return model_zoo.preset(self.name)

    @property
    def wanted(self) -> int:
        """Samples that were asked for, of each inference of a batch."""
        return self.samples or self.preset.sample_rate

    @property
    def identity(self) -> Identity:
        """The preset, by its name in print."""
        preset = self.preset
        return Identity(self.name, preset.title, preset.paper, dict(self.settings))

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """Its generating call, which makes the next number of samples that it can."""
        output = Output(
            amount=self.batch * self.generated,
            unit=AUDIO,
            rate=self.preset.sample_rate,
            requested=self.batch * self.wanted,
        )
        described = f"generate {self.wanted:,} samples{describe_batch(self.batch)}"
        return (Phase(description=described, output=output),)

    @cached_property
    def configuration(self) -> Any:
        """Its configuration.

        Raises:
            UsageError: a setting does not exist, or its value is impossible.
        """
        try:
            return self.preset.configuration(**self.settings)
        except (ValueError, TypeError) as error:
            raise _wrong_settings(self.name, error) from error

    @property
    def generated(self) -> int:
        """Samples that the call makes, of each inference of a batch."""
        return self._generation(self.wanted, "meta", 0).samples

    def count(self, phase: Phase, options: CountOptions) -> CostReport:
        """Count it without values; sample by sample, by its law.

        Raises:
            UsageError: a setting is impossible, or gradients are asked for.
        """
        del phase
        if options.backward:
            raise Unsupported(
                f"{self.name} generates, and no gradients flow through that",
                "Count a training step of a module of your own, whose forward makes the loss.",
                field="backward",
            )
        if self.preset.period is None:
            return count_disposable(self._call_without_values(), options)
        return self._law(options).report(self.generated)

    def law(self, phase: Phase, options: CountOptions, period: int | None = None) -> CostLaw:
        """Find its cost as a polynomial in the samples generated, along lengths that it can make.

        Raises:
            CountError: no law holds.
        """
        del phase, period  # its own period is known
        return self._law(options)

    def call(self, phase: Phase, conditions: Conditions) -> Call:
        """Make the generating call, with random weights and inputs."""
        del phase
        return self._call(self.wanted, conditions)

    def workload(self, phase: Phase, conditions: Conditions) -> Workload:
        """Describe the generating call for measuring; long ones are tried in short first."""
        return Workload(
            make=partial(self.call, phase, conditions),
            output=phase.output,
            batch=self.batch,
            device=conditions.device,
            stepwise=self.preset.period is not None,
            pilot=self._pilot(conditions),
        )

    def peer_call(self, phase: Phase) -> Call:
        """Make the generating call without values; with weights where a peer needs them."""
        remake = partial(self.call, phase, Conditions())
        return replace(self._call_without_values(), remake=remake)

    def export(
        self, phase: Phase, output: Path, *, weights: Path | None = None, seed: int = 0
    ) -> "Exported":
        """Write one generating call of one clip as an ONNX file.

        Raises:
            UsageError: a setting is impossible, the weights do not fit, or it would be unrolled
                into too many steps.
        """
        del phase
        # The exporter, and onnxruntime with it, is loaded only here.
        from inspect_cost.exporting.onnx import export_call  # noqa: PLC0415

        samples = self._samples_to_export()
        model = self._model_to_export(weights, seed)
        made = self._generation(samples, "cpu", seed)
        clips = max((len(v) for v in made.kwargs.values() if isinstance(v, Tensor)), default=1)
        note = f"{made.samples // clips:,} samples at {self.preset.sample_rate:,} Hz"
        generate: Any = model.generate
        kwargs = {name: _first_clip(value) for name, value in made.kwargs.items()}
        return export_call(Call.of(generate, **kwargs), output, note)

    def _samples_to_export(self) -> int:
        """Return a second, or one round of a model that goes sample by sample."""
        if self.preset.period is None:
            return self.wanted
        period = self.preset.period(self.configuration)
        samples = self.samples or period
        if samples > MOST_UNROLLED:
            raise UsageError(
                f"{self.name} goes sample by sample, and {samples:,} would be {samples:,} copies "
                "of it",
                f"Export at most {MOST_UNROLLED} samples: `input_len` {period}.",
                field="input_len",
            )
        return samples

    def _model_to_export(self, weights: Path | None, seed: int) -> nn.Module:
        try:
            model = build_with_weights(self.preset, weights, dict(self.settings), seed)
        except UsageError:
            raise
        except (ValueError, TypeError) as error:
            advice = "Fix `settings`, `weights` or `seed`."
            raise UsageError(f"{self.name}: {error}", advice) from error
        if weights is None:
            _fill_zeros(model, seed)
        return model

    def _pilot(self, conditions: Conditions) -> Pilot | None:
        stepwise = self.preset.period is not None
        seconds = self.batch * self.generated / self.preset.sample_rate
        if not stepwise and seconds <= LONG_AUDIO_S:
            return None
        samples = PILOT_SAMPLES if stepwise else self.preset.sample_rate
        generated = self._generation(samples, "meta", 0).samples
        ratio = self.generated / generated
        if ratio <= 1:
            return None
        return Pilot(
            make=partial(self._call, samples, conditions),
            ratio=ratio,
            description=f"a pilot of {generated:,} samples",
        )

    def _call(self, samples: int, conditions: Conditions) -> Call:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(conditions.seed)
            model = self.preset.build(**self.settings)
        generation = self._generation(samples, "cpu", conditions.seed)
        kwargs = repeat_batch(dict(generation.kwargs), self.batch)
        generate: Any = model.generate
        return Call.of(generate, **kwargs).to(conditions.device, conditions.dtype)

    def _generation(self, samples: int, device: str, seed: int) -> model_zoo.GenerationCall:
        return self.preset.call(self.configuration, samples, device, seed)

    def _kwargs(self, samples: int) -> dict[str, Any]:
        generation = self._generation(samples, "meta", 0)
        kwargs: dict[str, Any] = repeat_batch(dict(generation.kwargs), self.batch)
        return kwargs

    def _call_without_values(self) -> Call:
        return Call.of(self._generate_without_values(), **self._kwargs(self.wanted))

    def _generate_without_values(self) -> Callable[..., Any]:
        """Return the generating method of a model without weights."""
        try:
            model = build_wholly_without_values(lambda: self.preset.build(**self.settings))
        except UsageError:
            raise
        except (ValueError, TypeError) as error:
            raise _wrong_settings(self.name, error) from error
        generate: Callable[..., Any] = model.generate  # type: ignore[assignment]  # of this module
        return generate

    def _law(self, options: CountOptions) -> CostLaw:
        stepwise = self.preset.period
        shortest = self._generation(1, "meta", 0).samples
        return cost_law(
            self._generate_without_values(),
            self._kwargs,
            period=stepwise(self.configuration) if stepwise else shortest,
            verified_after=STEPWISE_VERIFICATION if stepwise else VERIFIED_AFTER,
            **vars(options),
        )


def _fill_zeros(model: nn.Module, seed: int) -> None:
    """Fill parameters that start at 0 with random numbers; their layers would go uncompared."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=START_STD, generator=generator)


def _first_clip(value: Any) -> Any:
    """Return the first clip of an argument: models of a fixed length make clips side by side."""
    return value[:1] if isinstance(value, Tensor) else value


def _wrong_settings(name: str, error: Exception) -> UsageError:
    return UsageError(f"{name}: {error}", "Fix the `settings`.", field="settings")
