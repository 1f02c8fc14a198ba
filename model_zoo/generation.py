"""Generate audio with a model of the zoo, from seeded noise to a WAV file."""

import wave
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model_zoo.published import load_published
from model_zoo.registry import Preset

#: Function that is called with the share of the whole that is done, from 0 to 1.
Progress = Callable[[float], None]

PCM_PEAK = 32_767

SEEDS = range(-(2**63), 2**64)  # what torch's generators take


class GenerationError(ValueError):
    """Audio cannot be generated with these settings, weights or seed."""


class UnreadableWeightsError(GenerationError):
    """A file is missing, cannot be loaded safely, or holds no tensors by name."""


class InsufficientMemoryError(GenerationError):
    """Generation needs more memory than the machine has."""


class NonFiniteAudioError(GenerationError):
    """The generated audio has values that are infinite or not a number."""


def generate_audio(
    preset: Preset,
    samples: int,
    *,
    seed: int = 0,
    weights: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress = lambda _share: None,
) -> Tensor:
    """Generate audio of a given length, the same for the same seed.

    Args:
        preset: the model.
        samples: length per channel; what the model generates beyond it is dropped.
        seed: seed of the noise, and of the weights if none are given.
        weights: a safetensors file, or one of torch that holds tensors only, under the names of
            the published implementation or of the zoo. None makes random weights, and noise.
        settings: settings of the model's configuration that replace the published ones.
        progress: function that is called with the share that is done.

    Returns:
        (channels, samples) audio in about [-1, 1].

    Raises:
        GenerationError: a setting or the seed is impossible, or the weights do not fit; more
            precisely an UnreadableWeightsError, InsufficientMemoryError or NonFiniteAudioError.
    """
    overrides = dict(settings or {})
    with _report_lack_of_memory(preset):
        try:
            config = preset.configuration(**overrides)
            model = build_with_weights(preset, weights, overrides, seed)
        except UnreadableWeightsError:
            raise
        except (ValueError, TypeError) as error:
            raise GenerationError(f"{preset.name}: {error}") from error
        if preset.period is not None:  # models that generate sample by sample report progress
            model.progress = progress  # type: ignore[assignment]  # a Module takes any attribute
        call = preset.call(config, samples, "cpu", seed)
        audio = _generate_in_clips(model, call.kwargs, progress)[:, :samples]
    if not audio.isfinite().all():
        raise NonFiniteAudioError(f"{preset.name} generated values that are not finite")
    return audio


@contextmanager
def _report_lack_of_memory(preset: Preset) -> Iterator[None]:
    """Turn torch's error for a lack of memory into one of the zoo's."""
    try:
        yield
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # torch has no class for it on the CPU
            raise
        raise InsufficientMemoryError(
            f"{preset.name} needs more memory than this machine has"
        ) from error


def _generate_in_clips(model: nn.Module, kwargs: Mapping[str, Any], progress: Progress) -> Tensor:
    """Generate all clips one after the other, and return them as (channels, T)."""
    pieces = []
    clips = list(_split_into_clips(kwargs))
    for i, clip in enumerate(clips):
        pieces.append(_put_channels_first(_generate(model, clip)))
        progress((i + 1) / len(clips))
    return torch.cat(pieces, dim=1)


def _generate(model: nn.Module, kwargs: Mapping[str, Any]) -> Tensor:
    generate: Callable[..., Tensor] = model.generate  # type: ignore[assignment]  # of this module
    return generate(**kwargs)


def _split_into_clips(kwargs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Split a call into calls for one clip each, for less memory than a batch and for progress."""
    batch = max(len(value) for value in kwargs.values() if isinstance(value, Tensor))
    for i in range(batch):
        yield {k: v[i : i + 1] if isinstance(v, Tensor) else v for k, v in kwargs.items()}


def _put_channels_first(audio: Tensor) -> Tensor:
    """Return one clip, (1, T) or (1, C, T), as (C, T)."""
    return audio[0] if audio.dim() == 3 else audio


def build_with_weights(
    preset: Preset, weights: Path | None, overrides: Mapping[str, Any], seed: int
) -> nn.Module:
    """Build a preset's model with the weights of a checkpoint, or with random ones.

    Raises:
        UnreadableWeightsError: the file cannot be read as weights.
        ValueError: the seed is out of range, a setting is impossible, or the weights do not fit.
    """
    if seed not in SEEDS:
        raise ValueError(f"seed must be from -2^63 to 2^64 - 1; got {seed}")
    if weights is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return preset.build(**overrides)
    state = load_weights(weights)
    own = preset.build(**overrides)
    if own.state_dict().keys() == state.keys():
        load_published(own, state, lambda name: name)
        return own
    return preset.from_published(state, **overrides)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Load the tensors of a safetensors file, or of one of torch's, without running code in it.

    Raises:
        UnreadableWeightsError: there is no such file, or it holds something other than tensors.
    """
    if not path.is_file():
        raise UnreadableWeightsError(f"there is no file {path}")
    try:
        state = _load(path)
    except Exception as error:
        reason = _explain_refusal(error)
        raise UnreadableWeightsError(f"{path} cannot be read as weights: {reason}") from error
    state = state.get("state_dict", state) if isinstance(state, Mapping) else state
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise UnreadableWeightsError(f"{path} does not hold tensors by name")
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UnreadableWeightsError(f"{path} does not hold any tensors")
    if all(name.startswith("module.") for name in tensors):  # saved from several GPUs
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors


def _load(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file  # noqa: PLC0415 - needed for such files only

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _explain_refusal(error: Exception) -> str:
    """Return one line on why a file was not loaded, without torch's advice to trust it."""
    if "weights_only" in str(error):
        return "it holds something other than tensors"
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"


def encode_wav(audio: Tensor, sample_rate: int) -> bytes:
    """Encode (channels, T) audio in [-1, 1] as a WAV file of 16-bit PCM; louder audio is clipped.

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
