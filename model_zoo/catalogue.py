"""The presets: each published model under a short name, with its facts and how to call it.

Listing them imports no torch: models are imported when they are built.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from model_zoo.registry import GenerationCall, Preset

if TYPE_CHECKING:
    from torch import Tensor, nn

DOUWES = "Douwes, Esling & Briot 2021, Table 2"
MOST_SYMBOLS = 2**20
NOTE_PITCH = 60  # middle C, as a MIDI number


class UnknownModelError(LookupError):
    """No preset has that name."""


def names() -> list[str]:
    """Return the names of all presets."""
    return list(PRESETS)


def preset(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        UnknownModelError: there is none; the message suggests similar names.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = get_close_matches(name.lower(), PRESETS, n=3, cutoff=0.65)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(PRESETS)}"
    raise UnknownModelError(f"no model is called {name!r}; {hint}")


def build(name: str, **overrides: Any) -> "nn.Module":
    """Build the model of a preset, freshly initialised, in eval mode.

    Args:
        name: name of the preset.
        **overrides: settings of its configuration that replace the published ones.

    Raises:
        UnknownModelError: there is no such preset.
        ValueError: a setting does not exist, or its value is impossible.
    """
    return preset(name).build(**overrides)


# --- inputs of generation ---


def draw_gaussian(shape: tuple[int, ...], device: str, seed: int) -> "Tensor":
    """Draw standard normal numbers from a seed; on the "meta" device they have no values."""
    import torch

    return _draw(torch.randn, shape, device, seed)


def draw_uniform(shape: tuple[int, ...], device: str, seed: int, **options: Any) -> "Tensor":
    """Draw numbers from 0 to 1 from a seed; on the "meta" device they have no values."""
    import torch

    return _draw(torch.rand, shape, device, seed, **options)


def _draw(
    draw: Callable[..., "Tensor"], shape: tuple[int, ...], device: str, seed: int, **options: Any
) -> "Tensor":
    import torch

    if device == "meta":
        return torch.empty(shape, device="meta", **options)
    # seed % 2**64: the largest seed plus one wraps around to 0
    generator = torch.Generator().manual_seed(seed % 2**64)
    return draw(shape, generator=generator, **options).to(device)


def repeat_symbol(value: int, shape: tuple[int, ...], device: str) -> "Tensor":
    """Return one symbol for every clip, as integers that have values unless they are very many."""
    import torch

    if device == "meta":
        device = "cpu" if shape[0] <= MOST_SYMBOLS else "meta"
    return torch.full(shape, value, device=device)


def count_clips(samples: int, length: int) -> int:
    """Return the number of clips of a fixed length that cover ``samples``."""
    return -(-samples // length)


def call_flowavenet(config: Any, samples: int, device: str, seed: int) -> GenerationCall:
    """Call for one utterance, from a random mel spectrogram in the published range."""
    from model_zoo.flowavenet_net import HOP

    frames = count_clips(samples, HOP)
    mel = draw_uniform((1, config.mel_channels, frames), device, seed)
    noise = draw_gaussian((1, 1, frames * HOP), device, seed + 1)
    return GenerationCall({"mel": mel, "noise": noise}, frames * HOP)


def call_sing(config: Any, samples: int, device: str, seed: int) -> GenerationCall:
    """Call for whole notes of the first instrument at middle C, loud. The seed has no effect."""
    del seed
    from model_zoo.sing import VELOCITY_ROWS

    length = config.count_samples(config.frames)
    count = count_clips(samples, length)
    note = {
        "instrument": repeat_symbol(0, (count, 1), device),
        "pitch": repeat_symbol(min(NOTE_PITCH, config.pitches - 1), (count, 1), device),
        "velocity": repeat_symbol(
            min(VELOCITY_ROWS[127], config.velocities - 1), (count, 1), device
        ),
    }
    return GenerationCall(note, count * length)


def call_wavegan(config: Any, samples: int, device: str, seed: int) -> GenerationCall:
    """Call for as many clips as cover the samples."""
    count = count_clips(samples, config.samples)
    z = draw_uniform((count, config.latent_dim), device, seed)
    return GenerationCall({"z": z if device == "meta" else 2 * z - 1}, count * config.samples)


def call_gansynth(config: Any, samples: int, device: str, seed: int) -> GenerationCall:
    """Call for as many notes at middle C as cover the samples, each of its own timbre."""
    from model_zoo.gansynth import LOWEST_PITCH

    count = count_clips(samples, config.samples)
    z = draw_gaussian((count, config.latent_dim), device, seed)
    pitch = repeat_symbol(min(NOTE_PITCH - LOWEST_PITCH, config.pitches - 1), (count,), device)
    return GenerationCall({"z": z, "pitch": pitch}, count * config.samples)


def get_top_frame(config: Any) -> int:
    """Return the samples in a frame of the top tier, after which all tiers repeat their work."""
    frame: int = config.frame_sizes[-1]
    return frame


def call_samplernn(config: Any, samples: int, device: str, seed: int) -> GenerationCall:
    """Call for audio that follows silence, in whole frames of the top tier."""
    import torch

    length = count_clips(samples, get_top_frame(config)) * get_top_frame(config)
    uniforms = draw_uniform((1, length), device, seed, dtype=torch.float64)
    return GenerationCall({"length": length, "uniforms": uniforms}, length)


_FLOWAVENET = Preset(
    name="flowavenet",
    title="FloWaveNet",
    paper="Kim, Lee, Song, Kim & Yoon, ICML 2019, arXiv 1811.02155",
    module="model_zoo.flowavenet",
    model="FloWaveNet",
    sample_rate=22_050,
    generates="speech for a mel spectrogram, 256 samples a frame",
    params=182_644_788,
    reported_params=f"186M ({DOUWES})",
    deviations=(
        "None in what is computed. The 186M of the 2021 paper match no published setting: those "
        "give 182.6M. They do include 49 residual convolutions (3.2M parameters) whose output "
        "nothing reads; --set unused_residuals=false leaves them out."
    ),
    call=call_flowavenet,
)

_SING = Preset(
    name="sing",
    title="SING",
    paper="Defossez, Zeghidour, Usunier, Bottou & Bach, NeurIPS 2018, arXiv 1810.09785",
    module="model_zoo.sing",
    model="SING",
    sample_rate=16_000,
    generates="whole notes of an instrument, pitch and velocity, 4 s each",
    params=63_747_921,
    reported_params=f"64M ({DOUWES})",
    deviations=(
        "None. The synthesis kernel is multiplied by its window at every call, as published: "
        "4,194,304 products that folding the window saves."
    ),
    call=call_sing,
)

_WAVEGAN = Preset(
    name="wavegan",
    title="WaveGAN",
    paper="Donahue, McAuley & Puckette, ICLR 2019, arXiv 1802.04208",
    module="model_zoo.wavegan",
    model="WaveGAN",
    sample_rate=16_000,
    generates="clips of 16,384 samples, about a second each",
    params=19_065_345,
    reported_params=f"89M ({DOUWES})",
    deviations=(
        "None. The 89M of the 2021 paper match no published setting; this generator and the "
        "discriminator of the 65,536-sample model add up to 88.94M."
    ),
    call=call_wavegan,
)

_WAVEGAN_65536 = Preset(
    name="wavegan-65536",
    title="WaveGAN, 65,536 samples",
    paper=_WAVEGAN.paper,
    module="model_zoo.wavegan",
    model="WaveGAN",
    sample_rate=16_000,
    generates="clips of 65,536 samples, about four seconds each",
    params=73_149_953,
    reported_params=f"89M ({DOUWES})",
    deviations=_WAVEGAN.deviations,
    call=call_wavegan,
    settings={"samples": 65_536},
)

_GANSYNTH = Preset(
    name="gansynth",
    title="GANSynth",
    paper="Engel, Agrawal, Chen, Gulrajani, Donahue & Roberts, ICLR 2019, arXiv 1902.08710",
    module="model_zoo.gansynth",
    model="GANSynth",
    sample_rate=16_000,
    generates="notes of a pitch, 4 s each",
    params=7_308_802,
    reported_params=f"15M ({DOUWES})",
    deviations=(
        "None in what is heard. The heads of coarser images, whose weight is 0 once training is "
        "over, are left out (7,311,246 with all). The 15M of the 2021 paper are close to the "
        "generator with its moving average (14,622,492)."
    ),
    call=call_gansynth,
)

_GANSYNTH_LORES = Preset(
    name="gansynth-lores",
    title="GANSynth, low frequency resolution",
    paper=_GANSYNTH.paper,
    module="model_zoo.gansynth",
    model="GANSynth",
    sample_rate=16_000,
    generates="notes of a pitch, 4 s each",
    params=7_308_802,
    reported_params=f"15M ({DOUWES})",
    deviations=_GANSYNTH.deviations,
    call=call_gansynth,
    settings={"start": (4, 8)},
)

_SAMPLERNN = Preset(
    name="samplernn",
    title="SampleRNN, PyTorch port",
    paper="Mehri et al., ICLR 2017, arXiv 1612.07837; port deepsound-project/samplernn-pytorch",
    module="model_zoo.samplernn_port",
    model="PortedSampleRNN",
    sample_rate=16_000,
    generates="audio sample by sample, after silence",
    params=51_848_704,
    reported_params=f"52M ({DOUWES})",
    deviations=(
        "None. These are the best settings of the port's README, the only published ones that "
        "round to 52M; the authors' own models are samplernn-2tier and samplernn-3tier."
    ),
    call=call_samplernn,
    period=get_top_frame,
)

_SAMPLERNN_2TIER = Preset(
    name="samplernn-2tier",
    title="SampleRNN, two tiers",
    paper="Mehri et al., ICLR 2017, arXiv 1612.07837",
    module="model_zoo.samplernn",
    model="SampleRNN",
    sample_rate=16_000,
    generates="audio sample by sample, after silence",
    params=39_243_264,
    reported_params=f"52M ({DOUWES}, of another setting)",
    deviations="None: the best two-tier settings of the authors' README.",
    call=call_samplernn,
    settings={"frame_sizes": (16,), "rnn_layers": 3},
    period=get_top_frame,
)

_SAMPLERNN_3TIER = Preset(
    name="samplernn-3tier",
    title="SampleRNN, three tiers",
    paper=_SAMPLERNN_2TIER.paper,
    module="model_zoo.samplernn",
    model="SampleRNN",
    sample_rate=16_000,
    generates="audio sample by sample, after silence",
    params=18_744_832,
    reported_params=f"52M ({DOUWES}, of another setting)",
    deviations=(
        "None: the best three-tier settings of the authors' README. The head that only helps "
        "training is a class of its own (20,846,080 parameters with it)."
    ),
    call=call_samplernn,
    period=get_top_frame,
)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            _FLOWAVENET,
            _SING,
            _WAVEGAN,
            _WAVEGAN_65536,
            _GANSYNTH,
            _GANSYNTH_LORES,
            _SAMPLERNN,
            _SAMPLERNN_2TIER,
            _SAMPLERNN_3TIER,
        )
    }
)
