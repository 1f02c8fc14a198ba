"""What is run when a model is measured: its call with real values, made anew wherever needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch

import model_zoo
from inspect_cost.calls.inputs import InputSpec, arguments, batched
from inspect_cost.calls.target import Target, target
from inspect_cost.subjects.loading import model_factory
from inspect_cost.values.errors import UsageError
from inspect_cost.values.identity import AUDIO, Output


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


class Workload(Protocol):
    """What can be measured; it can be pickled."""

    @property
    def conditions(self) -> Conditions:
        """Under which."""

    @property
    def stepwise(self) -> bool:
        """Whether one sample is made after another."""

    @property
    def output(self) -> Output | None:
        """What the call yields, all of a batch together; None if nobody said."""

    @property
    def given_to(self) -> str:
        """The backend that runs the target as it is."""

    def target(self) -> Target:
        """The call itself."""


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
    given_to: str = "eager"

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

    @property
    def output(self) -> Output:
        """The audio that the call makes, all of a batch together."""
        amount = self.generated * self.conditions.batch
        return Output(amount, AUDIO, self.preset.sample_rate)

    @property
    def audio_s(self) -> float:
        """Seconds of that audio."""
        return self.output.units

    def shortened(self, samples: int) -> "PresetWorkload":
        """The same with fewer samples."""
        return replace(self, samples=samples)

    def target(self) -> Target:
        """The model with random weights, and its inputs."""
        at, preset = self.conditions, self.preset
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(at.seed)
            model = preset.build(**self.settings)
        call = preset.call(preset.configuration(**self.settings), self.samples, "cpu", at.seed)
        kwargs = batched(dict(call.kwargs), at.batch)
        generate: Any = model.generate
        return target(generate, (), kwargs, at.device, at.dtype)


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
    stepwise: bool = False
    output: Output | None = None
    given_to: str = "eager"

    def target(self) -> Target:
        """The model as its factory makes it, and its inputs.

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
        return target(model, tuple(args), kwargs, at.device, at.dtype)
