"""Generating audio with a model of the zoo, from seeded noise to a WAV file."""

import wave
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import model_zoo
from inspect_cost.subjects.loading import shortened
from inspect_cost.values.errors import UsageError
from model_zoo.published import load_published

#: What is told of progress: how much of the whole is done, from 0 to 1.
Progress = Callable[[float], None]

PCM_PEAK = 32_767

SEEDS = range(-(2**63), 2**64)  # what torch's generators take


def generated(
    preset: model_zoo.Preset,
    samples: int,
    *,
    seed: int = 0,
    weights: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress = lambda _done: None,
) -> Tensor:
    """Generate so many samples, the same for the same seed.

    Args:
        preset: which model.
        samples: per channel; what the model makes beyond them is dropped.
        seed: of the noise, and of the weights where none are given.
        weights: a safetensors file, or one of torch that holds tensors only; under the names of
            the published implementation or of the zoo. None makes random weights, and noise.
        settings: of the model's configuration, where not as published.
        progress: is told the share that is done.

    Returns:
        (channels, samples) audio in about [-1, 1].

    Raises:
        UsageError: a setting or the seed is impossible, the weights cannot be read or do not fit,
            there is not enough memory, or what is generated is not all numbers.
    """
    overrides = dict(settings or {})
    with _memory_permitting(preset):
        try:
            config = preset.configuration(**overrides)
            model = built_with_weights(preset, weights, overrides, seed)
        except UsageError:
            raise
        except (ValueError, TypeError) as error:
            raise UsageError(f"{preset.name}: {error}", "Mend --set or --weights.") from error
        if preset.period is not None:  # the long ones: they go sample by sample, and tell how far
            model.progress = progress  # type: ignore[assignment]  # a Module takes any attribute
        call = preset.call(config, samples, "cpu", seed)
        audio = _in_clips(model, call.kwargs, progress)[:, :samples]
    if not audio.isfinite().all():
        raise UsageError(f"{preset.name} generated values that are no numbers", "Mend its weights.")
    return audio


@contextmanager
def _memory_permitting(preset: model_zoo.Preset) -> Iterator[None]:
    """Tell of a lack of memory as the mistake that it is, of asking for too much."""
    try:
        yield
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise UsageError(
            f"{preset.name} needs more memory than this machine has",
            "Ask for less audio, or for smaller sizes with --set.",
        ) from error


def _in_clips(model: nn.Module, kwargs: Mapping[str, Any], progress: Progress) -> Tensor:
    """The audio of all clips one after the other, (channels, T)."""
    pieces = []
    clips = list(_clip_by_clip(kwargs))
    for i, clip in enumerate(clips):
        pieces.append(_channels_first(_generate(model, clip)))
        progress((i + 1) / len(clips))
    return torch.cat(pieces, dim=1)


def _generate(model: nn.Module, kwargs: Mapping[str, Any]) -> Tensor:
    generate: Callable[..., Tensor] = model.generate  # type: ignore[assignment]  # of this module
    return generate(**kwargs)


def _clip_by_clip(kwargs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The calls that make one clip each: less memory than one batch, and progress to show."""
    batch = max(len(value) for value in kwargs.values() if isinstance(value, Tensor))
    for i in range(batch):
        yield {k: v[i : i + 1] if isinstance(v, Tensor) else v for k, v in kwargs.items()}


def _channels_first(audio: Tensor) -> Tensor:
    """One clip, (1, T) or (1, C, T), as (C, T)."""
    return audio[0] if audio.dim() == 3 else audio  # noqa: PLR2004 - dimensions


def built_with_weights(
    preset: model_zoo.Preset, weights: Path | None, overrides: Mapping[str, Any], seed: int
) -> nn.Module:
    """A preset's model with the weights of a checkpoint, or with random ones.

    Raises:
        UsageError, ValueError, TypeError: as `generated`.
    """
    if seed not in SEEDS:
        raise UsageError(f"{seed} is no seed for torch", "Give one from -2^63 to 2^64 - 1.")
    if weights is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return preset.build(**overrides)
    state = read_weights(weights)
    own = preset.build(**overrides)
    if own.state_dict().keys() == state.keys():
        load_published(own, state, lambda name: name)
        return own
    return preset.from_published(state, **overrides)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of torch's; nothing in it is run.

    Raises:
        UsageError: there is no such file, or it holds other things than tensors.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "Give a path to a checkpoint.")
    try:
        state = _loaded(path)
    except Exception as error:
        unsafe = "weights_only" in str(error)  # and torch's text advises to load it all the same
        reason = "it holds something else than tensors" if unsafe else shortened(error)
        raise UsageError(
            f"{path} cannot be read as weights: {reason}",
            "Give a .safetensors file, or one saved with torch.save that holds tensors only.",
        ) from error
    state = state.get("state_dict", state) if isinstance(state, Mapping) else state
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise UsageError(f"{path} holds no names of tensors", "Give a checkpoint's state dict.")
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UsageError(f"{path} holds no tensors", "Give a checkpoint's state dict.")
    if all(name.startswith("module.") for name in tensors):  # saved from several GPUs
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors


def _loaded(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file  # noqa: PLC0415 - only where it is asked for

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def wav_bytes(audio: Tensor, sample_rate: int) -> bytes:
    """(channels, T) audio in [-1, 1] as a WAV file of 16-bit PCM; what is louder is clipped.

    Levels are rounded towards zero, as the authors of SING and WaveGAN do.
    """
    levels = (audio.clamp(-1, 1) * PCM_PEAK).to(torch.int16)
    sink = BytesIO()
    with wave.open(sink, "wb") as file:
        file.setnchannels(audio.shape[0])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(levels.t().contiguous().numpy().astype("<i2").tobytes())
    return sink.getvalue()
