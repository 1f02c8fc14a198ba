"""``inspect-cost generate``: audio from a model of the zoo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import Whole, parse_length_option, parse_setting
from inspect_cost.cli.terminal import OK, check_writable, progress_bar, say, write_bytes
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
    seed: Annotated[int, Whole] = 0,
    weights: Path | None = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
) -> int:
    """Generate audio with a model of the zoo, into a WAV file.

    Parameters
    ----------
    model
        A preset's name.
    output
        The WAV file to write, 16-bit PCM.
    seconds
        How much audio; one second unless given.
    input_len
        The same in samples.
    seed
        Of the noise, and of the weights where none are given.
    weights
        A .safetensors file, or one of torch.save that holds tensors only, under the names of the
        published implementation; random weights, and so noise, unless given.
    settings
        NAME=VALUE: a setting to differ from the published one; repeat it for several.
    """
    preset = find_preset(model)
    samples = requested_samples(seconds, input_len, preset.sample_rate)
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
    say(f"wrote {output}: {samples:,} samples at {preset.sample_rate:,} Hz.{noise}")
    return OK


def advise(error: "GenerationError") -> str:
    """Return what to do about an error of the zoo."""
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


def requested_samples(seconds: float | None, input_len: str | None, sample_rate: int) -> int:
    """Samples to generate, from whichever of the two was given."""
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
        UsageError: there is none of that name; only presets generate audio.
    """
    import model_zoo

    try:
        return model_zoo.preset(name)
    except model_zoo.UnknownModelError as error:
        raise UsageError(str(error.args[0]), "Only presets of the zoo generate audio.") from None
