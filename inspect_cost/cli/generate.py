"""``inspect-cost generate``: audio from a model of the zoo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import Seed, parse_length_option, parse_setting
from inspect_cost.cli.terminal import OK, check_writable, log, progress_bar, write_bytes
from inspect_cost.values.errors import UsageError

if TYPE_CHECKING:
    from model_zoo import Preset
    from model_zoo.generation import GenerationError

MOST_SAMPLES = 2**31 // 2  # of 16 bits, in the 32-bit sizes of a WAV file


def generate(
    model: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    seconds: float | None = None,
    input_len: Annotated[str | None, Parameter(name="--input-len")] = None,
    seed: Annotated[int, Seed] = 0,
    weights: Path | None = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
) -> int:
    """Generate audio with a preset, as a WAV file.

    Parameters
    ----------
    model
        Preset of the zoo.
    output
        WAV file to write, 16-bit PCM.
    seconds
        Duration of the audio; one second unless given.
    input_len
        Duration of the audio in samples.
    seed
        Seed of the noise, and of the weights if none are given.
    weights
        Checkpoint: a .safetensors file, or one of torch.save that holds only tensors, named as in
        the published implementation. Random weights, which give noise, unless given.
    settings
        Setting that differs from the published one, NAME=VALUE; repeatable.
    """
    preset = find_preset(model)
    samples = count_samples(seconds, input_len, preset.sample_rate)
    overrides = dict(map(parse_setting, settings or []))
    check_writable(output)

    from model_zoo.generation import GenerationError, encode_wav, generate_audio

    with progress_bar(f"generating with {preset.title}") as progress:
        try:
            audio = generate_audio(
                preset, samples, seed=seed, weights=weights, settings=overrides, progress=progress
            )
        except GenerationError as error:
            raise UsageError(str(error), advise(error)) from error
    write_bytes(encode_wav(audio, preset.sample_rate), output)
    noise = "" if weights else " The weights are random, and so it is noise: see --weights."
    log(f"wrote {output}: {samples:,} samples at {preset.sample_rate:,} Hz.{noise}")
    return OK


def advise(error: "GenerationError") -> str:
    """Return advice on an error of the zoo."""
    from model_zoo import generation

    advice = {
        generation.UnreadableWeightsError: (
            "Give --weights a .safetensors file, or a state dict saved with torch.save that holds "
            "tensors only."
        ),
        generation.InsufficientMemoryError: (
            "Ask for less audio, or for smaller sizes with --set."
        ),
        generation.NonFiniteAudioError: "Check the weights.",
    }
    return advice.get(type(error), "Fix --set, --weights or --seed.")


def count_samples(seconds: float | None, input_len: str | None, sample_rate: int) -> int:
    """Return the number of samples to generate, from whichever of the two was given.

    Raises:
        UsageError: both were given, or it does not fit into a WAV file.
    """
    if seconds is not None and input_len is not None:
        raise UsageError("--seconds and --input-len say the same thing", "Give one of them.")
    if seconds is None:
        samples: float = parse_length_option("input_len", input_len) or sample_rate
    else:
        samples = seconds * sample_rate
    if not 0 < samples <= MOST_SAMPLES:
        raise UsageError(
            f"{samples / sample_rate:g} s is not a duration that fits into a WAV file",
            "Give more than 0 and less than half a day.",
        )
    return max(1, round(samples))


def find_preset(name: str) -> "Preset":
    """Return a preset of the zoo.

    Raises:
        UsageError: no preset has that name; only presets generate audio.
    """
    import model_zoo

    try:
        return model_zoo.preset(name)
    except model_zoo.UnknownModelError as error:
        raise UsageError(str(error.args[0]), "Only presets of the zoo generate audio.") from None
