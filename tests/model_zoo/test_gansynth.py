"""GANSynth against the outputs of the authors' code, its tables, and its own definition."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from inspect_cost import count
from model_zoo.gansynth import (
    EqualisedConv2d,
    GANSynth,
    GANSynthConfig,
    denormalise,
    get_published_name,
)
from model_zoo.published import PublishedWeightsError
from model_zoo.spectral import accumulate_phase, compute_mel_to_linear_matrix
from tests.model_zoo.fidelity import (
    Fixture,
    access_parts,
    count_macs,
    load_fixture,
    randomise,
    relative_error,
)

TINY = GANSynthConfig(
    start=(2, 4), blocks=3, base_filters=24, max_filters=5, latent_dim=3, pitches=4, samples=80
)
LOW_RESOLUTION: dict[str, Any] = {"start": (4, 8)}
IMAGE, WAVEFORM = 2e-5, 2e-5  # tolerances; the waveform's leaves 7 times what is reached


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def published() -> Fixture:
    fixture: Fixture = load_fixture("gansynth")["hi_small"]
    return fixture


@pytest.fixture(scope="module")
def config(published: Fixture) -> GANSynthConfig:
    original = published["config"]
    return GANSynthConfig(
        start=tuple(original["start"]),
        blocks=original["nres"],
        base_filters=original["base"],
        max_filters=original["fmax"],
        latent_dim=original["lat"],
        pitches=original["pit"],
        samples=original["audio_len"],
        progress=published["progress"],
    )


@pytest.fixture(scope="module")
def model(published: Fixture, config: GANSynthConfig) -> GANSynth:
    return GANSynth.from_published(published["state_dict_tf_names"], config)


def channels_last(image: Tensor) -> Tensor:
    """(B, 2, T, F) -> (B, T, F, 2), as the fixture has it."""
    return image.permute(0, 2, 3, 1)


def on_meta(config: GANSynthConfig) -> GANSynth:
    with torch.device("meta"):
        return GANSynth(config)


def macs_of_a_note(model: GANSynth) -> int:
    """MACs of one note, z without values and the pitch with one."""
    z = torch.empty(1, model.config.latent_dim, device="meta")
    return count_macs(lambda: model.generate(z, torch.tensor([2])))


# --- against the authors' code ---------------------------------------------------------------


def test_paints_the_published_image(published: Fixture, model: GANSynth) -> None:
    image = model.compute_spectrogram(published["z"], published["label"])
    assert relative_error(channels_last(image), published["img"]) < IMAGE


def test_generates_the_published_waveform(published: Fixture, model: GANSynth) -> None:
    audio = model.generate(published["z"], published["label"])
    assert relative_error(audio, published["wave"].squeeze(2)) < WAVEFORM
    assert torch.equal(model(published["z"], published["label"]), audio)


def test_inverts_the_published_image_step_by_step(published: Fixture, model: GANSynth) -> None:
    log_power, frequency = denormalise(published["img"].permute(0, 3, 1, 2))
    mel = torch.stack((log_power, frequency), dim=3)
    assert relative_error(mel, published["den"]) < 2e-7

    linear = model.inversion.convert_to_linear(*published["den"].unbind(3))
    assert relative_error(torch.stack(linear, dim=3), published["specgram"]) < 2e-6

    log_magnitude, frequency = published["specgram"].unbind(3)
    spectrum = torch.polar(log_magnitude.exp(), accumulate_phase(frequency))
    audio = model.inversion.inverse_stft(spectrum)
    assert relative_error(audio, published["wave"].squeeze(2)) < 2e-6


def test_has_the_published_mel_matrix(published: Fixture, model: GANSynth) -> None:
    expected = published["mel_to_linear"]
    assert relative_error(compute_mel_to_linear_matrix(64), expected) < 1e-12
    assert relative_error(model.inversion.mel_to_linear, expected) < 1e-7


@pytest.mark.parametrize(
    "changes",
    [
        {"equalised": False},
        {"dense_start": True},
        {"all_heads": True},
        {"equalised": False, "dense_start": True, "all_heads": True},
    ],
    ids=str,
)
def test_other_forms_generate_the_same(
    published: Fixture, config: GANSynthConfig, changes: dict[str, Any]
) -> None:
    state = published["state_dict_tf_names"]
    other = GANSynth.from_published(state, replace(config, **changes))
    image = other.compute_spectrogram(published["z"], published["label"])
    assert relative_error(channels_last(image), published["img"]) < IMAGE
    audio = other.generate(published["z"], published["label"])
    assert relative_error(audio, published["wave"].squeeze(2)) < WAVEFORM


# --- the tables at full size -----------------------------------------------------------------


@pytest.mark.parametrize("resolution", [{}, LOW_RESOLUTION], ids=["high", "low"])
@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        ({}, 7_308_802),
        ({"all_heads": True}, 7_311_246),
        ({"equalised": False}, 7_308_802),
        ({"all_heads": True, "base_filters": 512, "max_filters": 128}, 1_889_646),
    ],
    ids=str,
)
def test_has_the_published_parameters(
    resolution: dict[str, Any], changes: dict[str, Any], parameters: int
) -> None:
    model = on_meta(GANSynthConfig(**resolution, **changes))
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert sum(t.numel() for t in model.state_dict().values()) == parameters


@pytest.mark.parametrize(
    ("block", "counts"),
    [
        (1, (2_597_120, 590_080, 514)),
        (2, (590_080, 590_080, 514)),
        (5, (295_040, 147_584, 258)),
        (6, (73_792, 36_928, 130)),
        (7, (18_464, 9_248, 66)),
    ],
)
def test_each_block_has_the_published_parameters(block: int, counts: tuple[int, ...]) -> None:
    layers = access_parts(on_meta(GANSynthConfig(all_heads=True))).blocks[block - 1]
    found = [
        sum(p.numel() for p in layer.parameters())
        for layer in (layers.conv0, layers.conv1, layers.to_rgb)
    ]
    assert tuple(found) == counts


@pytest.mark.parametrize(
    ("changes", "image", "inversion"),
    [
        ({}, 14_152_892_416, 268_435_456),
        (LOW_RESOLUTION, 14_152_892_416, 134_217_728),
        ({"all_heads": True}, 14_160_576_512, 268_435_456),
        ({"dense_start": True}, 14_072_389_632, 268_435_456),
        ({"equalised": False}, 14_152_892_416, 268_435_456),
    ],
    ids=str,
)
def test_a_note_costs_the_published_macs(
    changes: dict[str, Any], image: int, inversion: int
) -> None:
    """The counter sees convolutions and matrix products; the FFT has neither."""
    assert macs_of_a_note(on_meta(GANSynthConfig(**changes))) == image + inversion


@pytest.mark.parametrize("resolution", [{}, {"start": (4, 8)}])
def test_an_image_is_counted_as_published_with_its_outputs_scaled(
    resolution: dict[str, Any],
) -> None:
    model = on_meta(GANSynthConfig(**resolution))
    z, pitch = torch.empty(1, 256, device="meta"), torch.zeros(1, dtype=torch.long)
    image = count(model.compute_spectrogram, z, pitch)
    pixels = 1 + 2 * sum(32 * 4**block for block in range(7))  # of the input and the convolutions
    # The pixel norm takes the root of a sum of squares and squares it again.
    assert image.flops - 2 * image.macs == 97_922_617 + 2 * pixels


def test_a_note_lasts_four_seconds() -> None:
    for config in (GANSynthConfig(), GANSynthConfig(**LOW_RESOLUTION)):
        model = on_meta(config)
        audio = model.generate(None, torch.zeros(3, dtype=torch.long, device="meta"))
        assert audio.shape == (3, 64_000)
        assert audio.is_meta


# --- against naive definitions ---------------------------------------------------------------


def naive_conv(
    x: Tensor, conv: EqualisedConv2d, gain_squared: float, pad: tuple[int, int]
) -> Tensor:
    """Equalised convolution of (B, H, W, C), tap by tap, the output scaled as published."""
    kernel = conv.weight.double().permute(2, 3, 1, 0)  # H, W, in, out
    taps_h, taps_w, inputs, _ = kernel.shape
    x = F.pad(x, (0, 0, pad[1], pad[1], pad[0], pad[0]))
    height, width = x.shape[1] - taps_h + 1, x.shape[2] - taps_w + 1
    out = sum(
        x[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(taps_h)
        for j in range(taps_w)
    )
    scale = math.sqrt(gain_squared / (taps_h * taps_w * inputs))
    assert conv.bias is not None
    return out * scale + conv.bias.double()


def naive_norm(x: Tensor) -> Tensor:
    return x / torch.sqrt((x**2).mean(3, keepdim=True) + 1e-8)


def naive_layer(x: Tensor, conv: EqualisedConv2d, pad: tuple[int, int]) -> Tensor:
    y = naive_conv(x, conv, 2, pad)
    return naive_norm(torch.where(y > 0, y, 0.2 * y))


def repeated(x: Tensor, scale: int) -> Tensor:
    return x.repeat_interleave(scale, dim=1).repeat_interleave(scale, dim=2)


def naive_image(model: GANSynth, z: Tensor, pitch: Tensor) -> Tensor:
    """The image (B, T, F, 2) of a model with all heads, the way the papers draw it, in float64."""
    config = model.config
    labels = torch.eye(config.pitches, dtype=torch.float64)[pitch]
    x = naive_norm(torch.cat((z.double(), labels), dim=1).reshape(len(z), 1, 1, -1))
    progress = config.blocks - 1 if config.progress is None else config.progress
    total = torch.zeros(len(z), *config.image_size, 2, dtype=torch.float64)
    for b, block in enumerate(access_parts(model).blocks, start=1):
        x = x if b == 1 else repeated(x, 2)
        reach = (config.start[0] - 1, config.start[1] - 1) if b == 1 else (1, 1)
        x = naive_layer(naive_layer(x, block.conv0, reach), block.conv1, (1, 1))
        rgb = torch.tanh(naive_conv(x, block.to_rgb, 1, (0, 0)))
        alpha = max(0.0, min(progress - (b - 2), b - progress))
        total = total + alpha * repeated(rgb, 2 ** (config.blocks - b))
    return total


@pytest.mark.parametrize("changes", [{}, {"dense_start": True}], ids=str)
@pytest.mark.parametrize("progress", [None, 0, 0.3, 1.0, 1.75, 2])
@pytest.mark.parametrize("start", [(2, 4), (4, 2), (1, 2), (3, 5)])
def test_paints_what_the_papers_define(
    start: tuple[int, int], progress: float | None, changes: dict[str, Any]
) -> None:
    config = replace(TINY, start=start, samples=4, progress=progress, **changes)
    whole = randomise(GANSynth(replace(config, all_heads=True)))
    model = GANSynth(config)
    kept = {name: whole.state_dict()[name] for name in model.state_dict()}
    model.load_state_dict(kept)
    z, pitch = torch.randn(2, 3), torch.tensor([3, 0])
    expected = naive_image(whole, z, pitch)
    for built in (model, whole, model.fold()):
        assert relative_error(channels_last(built.compute_spectrogram(z, pitch)), expected) < IMAGE


def test_training_can_reach_z() -> None:
    """The activations work in place, which must not spoil what the gradient needs."""
    model = randomise(GANSynth(replace(TINY, progress=1.5, all_heads=True)))
    z, pitch = torch.randn(2, 3, requires_grad=True), torch.tensor([3, 0])
    channel = model.compute_spectrogram(z, pitch)[:, 0].sum()
    expected = naive_image(model, z, pitch)[..., 0].sum()
    assert relative_error(*(torch.autograd.grad(y, z)[0] for y in (channel, expected))) < 1e-4


@pytest.mark.parametrize(
    ("progress", "blocks", "heads"),
    [(None, 3, [3]), (2, 3, [3]), (1.5, 3, [2, 3]), (1, 2, [2]), (0.1, 2, [1, 2]), (0, 1, [1])],
)
def test_holds_only_what_the_progress_shows(
    progress: float | None, blocks: int, heads: list[int]
) -> None:
    model = GANSynth(replace(TINY, progress=progress))
    assert len(model.blocks) == blocks
    shown = [i for i, block in enumerate(model.blocks, start=1) if block.to_rgb is not None]
    assert shown == model.config.heads == heads
    weights = [model.config.fade(block) for block in range(1, 4)]
    assert sum(weights) == pytest.approx(1)


# --- behaviour -------------------------------------------------------------------------------


def test_generation_is_reproducible() -> None:
    model = randomise(GANSynth(TINY))
    pitch = torch.tensor([0, 3, 3])

    def draw(seed: int) -> Tensor:
        return model.generate(None, pitch, generator=torch.Generator().manual_seed(seed))

    assert draw(0).shape == (3, 80)
    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    z = model.draw_latents(3, torch.Generator().manual_seed(0))
    assert torch.equal(model.generate(z, pitch), draw(0))


def test_notes_of_a_batch_do_not_mix(published: Fixture, model: GANSynth) -> None:
    z, pitch = published["z"], published["label"]
    both = model.generate(z, pitch)
    for i in range(2):
        alone = model.generate(z[i : i + 1], pitch[i : i + 1])
        assert relative_error(both[i : i + 1], alone) < 1e-5


def test_pitch_matters_and_must_exist(published: Fixture, model: GANSynth) -> None:
    z = published["z"]
    low, high = torch.zeros(2, dtype=torch.int32), torch.full((2,), 4)
    assert (
        relative_error(model.compute_spectrogram(z, low), model.compute_spectrogram(z, high)) > 1e-3
    )
    with pytest.raises(RuntimeError, match="smaller than num_classes"):
        model.generate(z, high + 1)


def test_folding_leaves_stock_convolutions_and_the_original() -> None:
    model = GANSynth(TINY)
    plain = {type(m) for m in model.fold().modules() if isinstance(m, torch.nn.Conv2d)}
    assert plain == {torch.nn.Conv2d}
    assert model.fold().config == replace(TINY, equalised=False)
    assert any(isinstance(m, EqualisedConv2d) for m in model.modules())
    built = GANSynth(replace(TINY, equalised=False))
    assert {name: t.shape for name, t in built.state_dict().items()} == {
        name: t.shape for name, t in model.state_dict().items()
    }


def test_initialisation_keeps_the_variance() -> None:
    conv = EqualisedConv2d(256, 64, (3, 3), (1, 1), gain=1)
    y = conv(torch.randn(1, 256, 16, 16))[:, :, 1:-1, 1:-1]
    assert y.std().item() == pytest.approx(1, rel=0.1)


# --- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"blocks": 0}, "sizes must be positive"),
        ({"start": (0, 4)}, "sizes must be positive"),
        ({"base_filters": 7}, "filters in every block"),
        ({"progress": 2.5}, "progress must be from 0 to 2"),
        ({"progress": -1}, "progress must be from 0 to 2"),
        ({"start": (2, 3), "blocks": 1}, "even number of bins; got 3"),
        ({"samples": 89}, "8 frames by 16 bins lasts at most 88 samples; got 89"),
    ],
    ids=str,
)
def test_refuses_impossible_sizes(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        GANSynthConfig(**(vars(TINY) | changes))


def test_names_what_is_wrong_with_a_checkpoint(published: Fixture, config: GANSynthConfig) -> None:
    good = published["state_dict_tf_names"]
    bias, kernel = (get_published_name(f"blocks.1.conv0.{kind}") for kind in ("bias", "weight"))
    assert kernel.endswith("progressive_gan_block_2/conv0/conv2d/kernel:0")
    without = {key: value for key, value in good.items() if key != bias}
    ninth = bias.replace("block_2", "block_9")
    for state, complaint in [
        (without, f"lacks {bias}"),
        (good | {ninth: torch.zeros(16)}, f"unexpected tensors: {ninth}"),
        (good | {bias: torch.zeros(7)}, rf"{bias} \(7,\) instead of \(16,\)"),
        (good | {kernel: torch.zeros(3, 3, 16, 7)}, rf"{kernel} \(7, 16, 3, 3\) instead of"),
        (good | {kernel: torch.zeros(3)}, rf"{kernel} \(3,\) instead of \(16, 16, 3, 3\)"),
    ]:
        with pytest.raises(PublishedWeightsError, match=complaint):
            GANSynth.from_published(state, config)


def test_what_the_progress_hides_may_be_absent(published: Fixture, config: GANSynthConfig) -> None:
    state = published["state_dict_tf_names"]
    early = {key: value for key, value in state.items() if "block_3" not in key}
    fading = replace(config, progress=0.5)
    z, label = published["z"], published["label"]
    images = [
        GANSynth.from_published(s, fading).compute_spectrogram(z, label) for s in (state, early)
    ]
    assert torch.equal(*images)
    with pytest.raises(PublishedWeightsError, match="lacks"):
        GANSynth.from_published(early, config)
