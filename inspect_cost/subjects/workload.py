"""What is run when a model is measured: its call with real values, made anew wherever needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

import model_zoo
from inspect_cost.calls.call import Call
from inspect_cost.calls.inputs import InputSpec, arguments, batched
from inspect_cost.measuring.workload import Pilot, Workload
from inspect_cost.subjects.loading import model_factory
from inspect_cost.values.errors import UsageError
from inspect_cost.values.identity import AUDIO, Output

#: More audio than this is tried in short first; so is all that goes sample by sample.
LONG_AUDIO_S = 10.0
PILOT_SAMPLES = 512


@dataclass(frozen=True)
class Conditions:
    """Under which a call is made.

    Attributes:
        device: "cpu", "cuda:1".
        dtype: of parameters and float32 inputs, by name; None for the model's own.
        batch: inferences in one call.
        seed: of random weights and inputs.
    """

    device: str = "cpu"
    dtype: str | None = None
    batch: int = 1
    seed: int = 0


@dataclass(frozen=True)
class PresetWorkload:
    """Generating with a preset of the zoo, with random weights; it can be pickled.

    Attributes:
        name: the preset's.
        samples: to generate.
        settings: of its configuration, where not as published.
        conditions: under which.
    """

    name: str
    samples: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Conditions = Conditions()

    @property
    def preset(self) -> model_zoo.Preset:
        """The preset itself."""
        return model_zoo.preset(self.name)

    @property
    def stepwise(self) -> bool:
        """Whether one sample is made after another."""
        return self.preset.period is not None

    @property
    def generated(self) -> int:
        """Samples that the call makes, of each inference of its batch."""
        config = self.preset.configuration(**self.settings)
        return self.preset.call(config, self.samples, "meta", 0).samples

    def workload(self) -> Workload:
        """Return what is measured."""
        made = self.generated * self.conditions.batch
        return Workload(
            make=self.call,
            output=Output(made, AUDIO, self.preset.sample_rate),
            batch=self.conditions.batch,
            device=self.conditions.device,
            stepwise=self.stepwise,
            pilot=self._pilot(made / self.preset.sample_rate),
        )

    def _pilot(self, audio_s: float) -> Pilot | None:
        if not self.stepwise and audio_s <= LONG_AUDIO_S:
            return None
        samples = PILOT_SAMPLES if self.stepwise else self.preset.sample_rate
        short = replace(self, samples=samples)
        description = f"a pilot of {short.generated:,} samples"
        return Pilot(short.call, self.generated / short.generated, description)

    def call(self) -> Call:
        """Return the model with random weights, and its inputs."""
        at, preset = self.conditions, self.preset
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(at.seed)
            model = preset.build(**self.settings)
        made = preset.call(preset.configuration(**self.settings), self.samples, "cpu", at.seed)
        kwargs = batched(dict(made.kwargs), at.batch)
        generate: Any = model.generate
        return Call.of(generate, **kwargs).to(at.device, at.dtype)


@dataclass(frozen=True)
class OwnWorkload:
    """The forward of a user's own model; it can be pickled.

    Attributes:
        spec: where the model is: "file.py:make_model".
        inputs: of its forward.
        length: what the L in their shapes stands for.
        conditions: under which.
    """

    spec: str
    inputs: Sequence[InputSpec] = ()
    length: int | None = None
    conditions: Conditions = Conditions()

    def workload(self) -> Workload:
        """Return what is measured."""
        at = self.conditions
        return Workload(self.call, batch=at.batch, device=at.device)

    def call(self) -> Call:
        """Return the model as its factory makes it, and its inputs.

        Raises:
            UsageError: an input is too large to be given values, or the model has none.
        """
        at = self.conditions
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(at.seed)
            model = model_factory(self.spec)()
        args, kwargs = arguments(self.inputs, self.length, at.batch)
        if any(tensor.is_meta for tensor in (*args, *kwargs.values())):
            raise UsageError("an input is so large that it has a shape only", "Give a smaller one.")
        return Call.of(model, *args, **kwargs).to(at.device, at.dtype)
