"""The presets: each published model under a short name, with its facts and how to call it.

This file imports no torch, so that listing the models is quick; each preset imports its model
when it is built.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class GenerationCall:
    """One call of ``model.generate``: its arguments, and how much audio it makes.

    Attributes:
        kwargs: keyword arguments.
        samples: samples that the call generates, per batch entry; at least those asked for.
    """

    kwargs: Mapping[str, Any]
    samples: int


@dataclass(frozen=True)
class Preset:
    """A published model, ready to build.

    Attributes:
        name: what the command line calls it.
        title: its name in print.
        paper: who published it, and where.
        sample_rate: in Hz.
        generates: what one call makes.
        granularity: generated lengths are multiples of this many samples.
        params: parameters that generation uses, as stored.
        reported_params: what publications print, with their names.
        deviations: where this differs from the publication, or why the figures differ.
        build: from settings of its configuration to the model, in eval mode.
        call: from a model, a number of samples and a device to a generating call; on the "meta"
            device it has no values, elsewhere they are random.
    """

    name: str
    title: str
    paper: str
    sample_rate: int
    generates: str
    granularity: int
    params: int
    reported_params: str
    deviations: str
    build: Callable[..., "nn.Module"]
    call: Callable[["nn.Module", int, str], GenerationCall]


class UnknownModelError(LookupError):
    """There is no preset of that name."""


def names() -> list[str]:
    """The names of all presets."""
    return list(PRESETS)


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        UnknownModelError: there is none; near matches are in the message.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = get_close_matches(name.lower(), PRESETS, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(PRESETS)}"
    raise UnknownModelError(f"no model is called {name!r}; {hint}")


def build(name: str, **overrides: Any) -> "nn.Module":
    """The model of a preset, freshly initialised, in eval mode.

    Args:
        name: the preset's.
        **overrides: settings of its configuration to differ from the published ones.

    Raises:
        UnknownModelError: there is no such preset.
        ValueError: a setting does not exist, or its value is impossible.
    """
    return preset(name).build(**overrides)


def configured(kind: type[Any], overrides: Mapping[str, Any], **published: Any) -> Any:
    """A configuration with the published settings, some of them overridden.

    Raises:
        ValueError: the configuration has no such setting.
    """
    known = [field.name for field in fields(kind)]
    for name in overrides:
        if name not in known:
            raise ValueError(f"there is no setting {name!r}; there are {', '.join(known)}")
    return kind(**{**published, **overrides})


def gaussian(shape: tuple[int, ...], device: str, seed: int = 0) -> "torch.Tensor":
    """Standard normal numbers, the same for the same seed; no values on the "meta" device."""
    import torch

    return _drawn(torch.randn, shape, device, seed)


def uniform(shape: tuple[int, ...], device: str, seed: int = 0) -> "torch.Tensor":
    """Numbers from 0 to 1, the same for the same seed; no values on the "meta" device."""
    import torch

    return _drawn(torch.rand, shape, device, seed)


def _drawn(
    draw: Callable[..., "torch.Tensor"], shape: tuple[int, ...], device: str, seed: int
) -> "torch.Tensor":
    import torch

    if device == "meta":
        return torch.empty(shape, device="meta")
    return draw(shape, generator=torch.Generator().manual_seed(seed)).to(device)


def multiples(samples: int, granularity: int) -> int:
    """How many pieces of ``granularity`` samples cover ``samples``."""
    return -(-samples // granularity)


# --- FloWaveNet ---


def _build_flowavenet(**overrides: Any) -> "nn.Module":
    from model_zoo.flowavenet import FloWaveNet, FloWaveNetConfig

    return FloWaveNet(configured(FloWaveNetConfig, overrides)).eval()


def _call_flowavenet(model: "nn.Module", samples: int, device: str) -> GenerationCall:
    from model_zoo.flowavenet import HOP, FloWaveNetConfig

    config = model.config
    if not isinstance(config, FloWaveNetConfig):
        raise TypeError(f"not a FloWaveNet: {type(model).__name__}")
    frames = multiples(samples, HOP)
    mel = uniform((1, config.mel_channels, frames), device)
    noise = gaussian((1, 1, frames * HOP), device, seed=1)
    return GenerationCall({"mel": mel, "noise": noise}, frames * HOP)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Preset(
                name="flowavenet",
                title="FloWaveNet",
                paper="Kim, Lee, Song, Kim & Yoon, ICML 2019, arXiv 1811.02155",
                sample_rate=22_050,
                generates="speech for a mel spectrogram, 256 samples a frame",
                granularity=256,
                params=182_644_788,
                reported_params="186M (Douwes, Esling & Briot 2021, Table 2)",
                deviations=(
                    "None in what is computed. The 186M of the 2021 paper match none of the "
                    "published settings: these give 182.6M, and 186.8M would be six blocks per "
                    "split."
                ),
                build=_build_flowavenet,
                call=_call_flowavenet,
            ),
        )
    }
)
