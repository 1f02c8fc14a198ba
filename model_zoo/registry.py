"""The type of the zoo's presets. Nothing here imports torch before a model is built."""

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
        kwargs: keyword arguments of the call.
        samples: number of samples it generates, at least as many as asked for; clips of a model of
            fixed length are side by side in the batch.
    """

    kwargs: Mapping[str, Any]
    samples: int


#: Function from a configuration, a number of samples, a device and a seed to a generating call,
#: whose tensors have no values on the "meta" device and random ones elsewhere.
MakeCall = Callable[[Any, int, str, int], GenerationCall]


@dataclass(frozen=True)
class Preset:
    """A published model, ready to build.

    Attributes:
        name: short name that identifies it.
        title: name in print.
        paper: authors and place of publication.
        module: name of the module that defines it.
        model: name of its class there; the configuration's name ends in "Config".
        sample_rate: sample rate in Hz.
        generates: what one call generates, in words.
        params: number of stored parameters that generation uses.
        reported_params: number that publications report, with their names.
        deviations: how this differs from the publication, or why the numbers differ.
        call: function that makes the inputs of generation.
        settings: published settings that are not the configuration's defaults.
        period: for a model that generates sample by sample, function from its configuration to the
            number of samples after which it repeats its work, so that its cost follows a law.
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
        """Return the published settings, some of them overridden.

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
        """Build the model, freshly initialised, in eval mode; errors as in `configuration`."""
        config = self.configuration(**overrides)
        model: nn.Module = self._class(config)
        return model.eval()

    def from_published(self, state_dict: Mapping[str, "Tensor"], **overrides: Any) -> "nn.Module":
        """Build the model with the weights of a published checkpoint, in eval mode.

        Raises:
            ValueError: as in `configuration`; a `PublishedWeightsError` if the weights do not fit.
        """
        config = self.configuration(**overrides)
        model: nn.Module = self._class.from_published(state_dict, config)
        return model.eval()

    @property
    def _class(self) -> Any:
        return getattr(import_module(self.module), self.model)
