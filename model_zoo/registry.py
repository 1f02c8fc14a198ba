"""What a preset of the zoo is. Nothing here imports torch before a model is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from model_zoo.settings import refuse_mistyped

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class GenerationCall:
    """One call of ``model.generate``.

    Attributes:
        kwargs: its keyword arguments.
        samples: how many samples it generates, at least those asked for; clips of a model of fixed
            length lie side by side in the batch.
    """

    kwargs: Mapping[str, Any]
    samples: int


#: From a configuration, a number of samples, a device and a seed to a generating call. On the
#: "meta" device it has no values, elsewhere they are random.
MakeCall = Callable[[Any, int, str, int], GenerationCall]


@dataclass(frozen=True)
class Preset:
    """A published model, ready to build.

    Attributes:
        name: what the command line calls it.
        title: its name in print.
        paper: who published it, and where.
        module: the file that it is in.
        model: its class there; its configuration's is the same with "Config".
        sample_rate: in Hz.
        generates: what one call makes.
        params: parameters that generation uses, as stored.
        reported_params: what publications print, with their names.
        deviations: where this differs from the publication, or why the figures differ.
        call: makes the inputs of generation.
        settings: published settings that are not the configuration's defaults.
        period: for a model that makes one sample after another: from its configuration to the
            samples after which it does the same again. Its cost is then found as a law.
    """

    name: str
    title: str
    paper: str
    module: str
    model: str
    sample_rate: int
    generates: str
    params: int
    reported_params: str
    deviations: str
    call: MakeCall
    settings: Mapping[str, Any] = field(default_factory=dict)
    period: Callable[[Any], int] | None = None

    def configuration(self, **overrides: Any) -> Any:
        """The published settings, some of them overridden.

        Raises:
            ValueError: there is no such setting, or its value is impossible or of another type.
        """
        kind = getattr(import_module(self.module), f"{self.model}Config")
        known = [setting.name for setting in fields(kind)]
        for name in overrides:
            if name not in known:
                raise ValueError(f"there is no setting {name!r}; there are {', '.join(known)}")
        refuse_mistyped(kind, overrides)
        return kind(**{**self.settings, **overrides})

    def build(self, **overrides: Any) -> "nn.Module":
        """The model, freshly initialised, in eval mode; errors as `configuration`."""
        config = self.configuration(**overrides)
        model: nn.Module = self._class(config)
        return model.eval()

    def from_published(self, state_dict: Mapping[str, "Tensor"], **overrides: Any) -> "nn.Module":
        """The model with the weights of a published checkpoint, in eval mode.

        Raises:
            ValueError: as `configuration`; as `PublishedWeightsError`, the weights do not fit.
        """
        config = self.configuration(**overrides)
        model: nn.Module = self._class.from_published(state_dict, config)
        return model.eval()

    @property
    def _class(self) -> Any:
        return getattr(import_module(self.module), self.model)
