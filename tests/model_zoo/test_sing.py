"""SING against the outputs of the authors' code, and against a naive computation of its layers."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from model_zoo.published import PublishedWeightsError
from model_zoo.sing import SING, VELOCITY_ROWS, SINGConfig, convert_to_pcm16
from model_zoo.sing_training import Encoder
from tests.model_zoo.fidelity import Fixture, access_parts, load_fixture, relative_error

TINY = SINGConfig(
    instruments=4,
    pitches=5,
    velocities=3,
    instrument_dim=3,
    pitch_dim=2,
    velocity_dim=1,
    time_dim=2,
    hidden_size=4,
    lstm_layers=2,
    frame_dim=3,
    channels=5,
    stride=4,
    kernel_size=16,
    context=3,
    rewrite_layers=1,
    frames=12,
    crop=3,
)
NOTES = (torch.tensor([[3], [0]]), torch.tensor([[1], [4]]), torch.tensor([[2], [0]]))


@pytest.fixture(scope="module")
def published() -> Fixture:
    return load_fixture("sing")


@pytest.fixture(scope="module")
def config(published: Fixture) -> SINGConfig:
    original = published["config"]
    return SINGConfig(
        instruments=original["card"]["instrument"],
        pitches=original["card"]["pitch"],
        velocities=original["card"]["velocity"],
        instrument_dim=original["dims"]["instrument"],
        pitch_dim=original["dims"]["pitch"],
        velocity_dim=original["dims"]["velocity"],
        time_dim=original["time_dim"],
        hidden_size=original["hidden"],
        lstm_layers=original["layers"],
        frame_dim=original["dimension"],
        channels=original["channels"],
        stride=original["stride"],
        kernel_size=original["kernel"],
        context=original["context"],
        rewrite_layers=original["rewrite"],
        window=original["window"],
        window_squared=original["squared"],
        frames=published["embedding_length"],
        crop=original["unpad"],
    )


@pytest.fixture(scope="module")
def model(published: Fixture, config: SINGConfig) -> SING:
    return SING.from_published(published["state_dict"], config)


def test_generates_the_published_audio(published: Fixture, model: SING) -> None:
    audio = model.generate(**published["inputs"])
    assert relative_error(audio, published["wav_unpadded"]) < 2e-5


def test_generates_the_published_audio_before_the_crop(
    published: Fixture, config: SINGConfig
) -> None:
    whole = SING.from_published(published["state_dict"], replace(config, crop=0))
    assert relative_error(whole.generate(**published["inputs"]), published["wav"]) < 2e-5


def test_generates_the_published_wav_file(published: Fixture, model: SING) -> None:
    integers = convert_to_pcm16(model.generate(**published["inputs"]))
    assert integers.dtype == torch.int16
    # A float that rounding moved over an integer may change its last bit.
    assert (integers.int() - published["pcm16"].int()).abs().max() <= 1


def test_finds_the_published_frames_and_state(published: Fixture, model: SING) -> None:
    frames, hidden = model.sequence_generator(**published["inputs"])
    assert relative_error(frames, published["embeddings"]) < 2e-5
    for ours, theirs in zip(hidden, published["hidden"], strict=True):
        assert relative_error(ours, theirs) < 2e-5


def test_decodes_the_published_frames(published: Fixture, model: SING) -> None:
    assert relative_error(model.decoder(published["embeddings"]), published["wav"]) < 2e-5


def test_window_is_the_published_one(published: Fixture, config: SINGConfig) -> None:
    published_window = published["state_dict"]["decoder.layers.6.window"]
    window = config.make_window()
    assert window is not None
    assert torch.equal(window, published_window)


def test_generates_frames_in_chunks(published: Fixture, model: SING) -> None:
    first, hidden = model.sequence_generator(**published["inputs"], length=30)
    second, hidden = model.sequence_generator(**published["inputs"], start=30, hidden=hidden)
    assert first.shape[2] == 30
    assert relative_error(torch.cat((first, second), 2), published["embeddings"]) < 2e-5
    assert relative_error(hidden.c, published["hidden"][1]) < 2e-5


def test_fewer_frames_make_the_beginning_of_the_note(
    published: Fixture, model: SING, config: SINGConfig
) -> None:
    audio = model.generate(**published["inputs"], frames=50)
    assert audio.shape == (3, config.count_samples(50))
    beginning = published["wav_unpadded"][:, : config.count_samples(50)]
    assert relative_error(audio, beginning) < 2e-5


def test_folded_model_generates_the_same_audio(published: Fixture, model: SING) -> None:
    folded = model.fold()
    assert relative_error(folded.generate(**published["inputs"]), published["wav_unpadded"]) < 2e-5
    assert "decoder.synthesis.window" not in folded.state_dict()
    assert folded.fold() is folded


def test_a_note_does_not_depend_on_its_batch(published: Fixture, model: SING) -> None:
    together = model.generate(**published["inputs"])
    assert torch.equal(together, model.generate(**published["inputs"]))
    for i, audio in enumerate(together):
        alone = model.generate(
            **{name: ids[i : i + 1] for name, ids in published["inputs"].items()}
        )
        assert relative_error(alone[0], audio) < 1e-6


def hann(config: SINGConfig) -> Tensor:
    """The window from its textbook formula, (K,)."""
    if config.window is None:
        return torch.ones(config.kernel_size, dtype=torch.float64)
    n = torch.arange(config.kernel_size, dtype=torch.float64)
    window = 0.5 - 0.5 * torch.cos(2 * math.pi * n / config.kernel_size)
    return window**2 if config.window_squared else window


def random_checkpoint(config: SINGConfig) -> dict[str, Tensor]:
    """Random tensors under the names and in the shapes of the authors' checkpoints."""
    wide, hidden = config.channels, config.hidden_size
    sizes: dict[str, tuple[int, ...]] = {}
    sizes["sequence_generator.tables.0.weight"] = (config.instruments, config.instrument_dim)
    sizes["sequence_generator.tables.1.weight"] = (config.pitches, config.pitch_dim)
    sizes["sequence_generator.tables.2.weight"] = (config.velocities, config.velocity_dim)
    if config.time_dim:
        sizes["sequence_generator.time_table.weight"] = (config.frames, config.time_dim)
    inputs = config.instrument_dim + config.pitch_dim + config.velocity_dim + config.time_dim
    for i in range(config.lstm_layers):
        prefix = "sequence_generator.lstm."
        sizes[f"{prefix}weight_ih_l{i}"] = (4 * hidden, hidden if i else inputs)
        sizes[f"{prefix}weight_hh_l{i}"] = (4 * hidden, hidden)
        sizes[f"{prefix}bias_ih_l{i}"] = sizes[f"{prefix}bias_hh_l{i}"] = (4 * hidden,)
    sizes["sequence_generator.decoder.weight"] = (config.frame_dim, hidden)
    sizes["sequence_generator.decoder.bias"] = (config.frame_dim,)
    sizes["decoder.layers.0.weight"] = (wide, config.frame_dim, config.context)
    sizes["decoder.layers.0.bias"] = (wide,)
    for i in range(config.rewrite_layers):
        sizes[f"decoder.layers.{2 + 2 * i}.weight"] = (wide, wide, 1)
        sizes[f"decoder.layers.{2 + 2 * i}.bias"] = (wide,)
    last = f"decoder.layers.{2 + 2 * config.rewrite_layers}."
    inner = last if config.window is None else f"{last}conv_tr."
    sizes[f"{inner}weight"], sizes[f"{inner}bias"] = (wide, 1, config.kernel_size), (1,)
    generator = torch.Generator().manual_seed(0)
    state = {
        name: 0.7 * torch.randn(size, generator=generator, dtype=torch.float64)
        for name, size in sizes.items()
    }
    return state if config.window is None else state | {f"{last}window": hann(config)}


def naive_frames(state: dict[str, Tensor], config: SINGConfig, note: list[int]) -> list[Tensor]:
    """The LSTM's frames for one note, step by step from the equations."""
    state = {name.removeprefix("sequence_generator."): t for name, t in state.items()}
    symbols = torch.cat([state[f"tables.{i}.weight"][row] for i, row in enumerate(note)])
    h = [torch.zeros(config.hidden_size, dtype=torch.float64) for _ in range(config.lstm_layers)]
    c = [torch.zeros_like(each) for each in h]
    frames = []
    for step in range(config.frames):
        x = symbols
        if config.time_dim:
            x = torch.cat((symbols, state["time_table.weight"][step]))
        for i in range(config.lstm_layers):
            gates = state[f"lstm.weight_ih_l{i}"] @ x + state[f"lstm.bias_ih_l{i}"]
            gates = gates + state[f"lstm.weight_hh_l{i}"] @ h[i] + state[f"lstm.bias_hh_l{i}"]
            enter, forget, cell, out = gates.chunk(4)
            c[i] = forget.sigmoid() * c[i] + enter.sigmoid() * cell.tanh()
            x = h[i] = out.sigmoid() * c[i].tanh()
        frames.append(state["decoder.weight"] @ x + state["decoder.bias"])
    return frames


def naive_audio(state: dict[str, Tensor], config: SINGConfig, frames: list[Tensor]) -> Tensor:
    """The decoder's samples for one note, one frame's contribution after the other."""
    stride, kernel_size, rewrites = config.stride, config.kernel_size, config.rewrite_layers
    last = f"decoder.layers.{2 + 2 * rewrites}." + ("" if config.window is None else "conv_tr.")
    kernel = state[f"{last}weight"][:, 0] * hann(config)
    count = config.frames - config.context + 1
    audio = torch.zeros((count - 1) * stride + kernel_size, dtype=torch.float64)
    for n in range(count):
        x = state["decoder.layers.0.bias"]
        for tap in range(config.context):
            x = x + state["decoder.layers.0.weight"][:, :, tap] @ frames[n + tap]
        x = x.clamp(min=0)
        for i in range(rewrites):
            layer = f"decoder.layers.{2 + 2 * i}."
            x = (state[f"{layer}weight"][:, :, 0] @ x + state[f"{layer}bias"]).clamp(min=0)
        audio[n * stride : n * stride + kernel_size] += x @ kernel
    edge = kernel_size - stride + config.crop
    return audio[edge : len(audio) - edge] + state[f"{last}bias"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"time_dim": 0},
        {"window": None},
        {"window": None, "window_squared": False},
        {"window_squared": False},
        {"rewrite_layers": 0},
        {"rewrite_layers": 3},
        {"rewrite_layers": 0, "window": None},
        {"lstm_layers": 1},
        {"lstm_layers": 3, "time_dim": 5},
        {"context": 1},
        {"context": 4},
        {"crop": 0},
        {"kernel_size": 15},
        {"kernel_size": 4},
        {"channels": 1},
        {"frames": 30},
    ],
    ids=str,
)
def test_every_configuration_computes_what_its_layers_mean(changes: dict[str, Any]) -> None:
    config = replace(TINY, **changes)
    state = random_checkpoint(config)
    model = SING.from_published(state, config).double()
    audio = model.generate(*NOTES)
    for i in range(2):
        note = [int(ids[i]) for ids in NOTES]
        expected = naive_audio(state, config, naive_frames(state, config, note))
        assert audio[i].shape == expected.shape == (config.count_samples(config.frames),)
        assert relative_error(audio[i], expected) < 1e-5  # the checkpoint is loaded as float32
        assert relative_error(model.fold().generate(*NOTES)[i], expected) < 1e-5


def test_gradients_are_those_of_the_plain_layers() -> None:
    model = SING.from_published(random_checkpoint(TINY), TINY).double()
    frames = torch.randn(2, 3, 12, dtype=torch.float64)
    decoder = access_parts(model).decoder
    parameters = list(decoder.parameters())
    ours = torch.autograd.grad(decoder(frames).square().sum(), parameters)

    x = F.relu(F.conv1d(frames, decoder.context.weight, decoder.context.bias))
    x = F.relu(F.conv1d(x, decoder.rewrites[0].weight, decoder.rewrites[0].bias))
    kernel = decoder.synthesis.weight * decoder.synthesis.window
    plain = F.conv_transpose1d(x, kernel, decoder.synthesis.bias, stride=4, padding=12)
    theirs = torch.autograd.grad(plain.square().sum(), parameters)
    for our, their in zip(ours, theirs, strict=True):
        assert relative_error(our, their) < 1e-12


def test_lengths_are_the_published_ones() -> None:
    config = SINGConfig()
    assert config.count_samples(265) == 64_000
    assert replace(config, crop=0).count_samples(265) == 65_024
    assert config.count_frames(64_000) == 265
    assert config.count_frames(64_001) == 266
    for samples in range(1, 600):
        enough = config.count_samples(config.count_frames(samples))
        assert enough >= samples > enough - 256  # one frame fewer would be too few
    with pytest.raises(ValueError, match=r"14 frames .* 16"):
        config.count_samples(14)


def test_only_a_time_table_limits_the_length() -> None:
    timeless = SING(replace(TINY, time_dim=0))
    assert timeless.generate(*NOTES, frames=20).shape == (2, timeless.config.count_samples(20))
    with pytest.raises(ValueError, match="ends after 12 frames; 13 were asked for"):
        SING(TINY).generate(*NOTES, frames=13)
    with pytest.raises(ValueError, match=r"5 frames .* 7"):
        SING(TINY).generate(*NOTES, frames=5)


def test_pcm_clips_and_rounds_towards_zero() -> None:
    audio = torch.tensor([2.0, -2.0, 0.5, -0.99999])
    assert convert_to_pcm16(audio).tolist() == [32_767, -32_767, 16_383, -32_766]


def test_velocities_of_nsynth_fit_the_table() -> None:
    model = SING(replace(TINY, velocities=SINGConfig().velocities))
    assert max(VELOCITY_ROWS.values()) + 1 == model.sequence_generator.tables[2].num_embeddings


def random_encoder_checkpoint(config: SINGConfig) -> dict[str, Tensor]:
    """Random encoder tensors under the authors' names; the encoder's own window among them."""
    first = "encoder.layers.0." + ("" if config.window is None else "conv.")
    sizes = {
        f"{first}weight": (config.channels, 1, config.kernel_size),
        f"{first}bias": (config.channels,),
        "encoder.layers.2.weight": (config.channels, config.channels, 1),
        "encoder.layers.2.bias": (config.channels,),
        "encoder.layers.4.weight": (config.frame_dim, config.channels, 1),
        "encoder.layers.4.bias": (config.frame_dim,),
    }
    generator = torch.Generator().manual_seed(1)
    state = {
        name: torch.randn(size, generator=generator, dtype=torch.float64)
        for name, size in sizes.items()
    }
    return state if config.window is None else state | {"encoder.layers.0.window": hann(config)}


@pytest.mark.parametrize("changes", [{}, {"window": None}, {"window_squared": False}], ids=str)
def test_encoder_computes_what_its_layers_mean(changes: dict[str, Any]) -> None:
    config = replace(TINY, **changes)
    state = random_encoder_checkpoint(config)
    audio = torch.randn(2, 41, dtype=torch.float64)
    encoder = Encoder.from_published(state | random_checkpoint(config), config).double()
    first = "encoder.layers.0." + ("" if config.window is None else "conv.")
    frames = []
    for start in range(0, 41 - 16 + 1, 4):
        piece = audio[:, start : start + 16] * hann(config)
        x = F.relu(piece @ state[f"{first}weight"][:, 0].t() + state[f"{first}bias"])
        second, third = state["encoder.layers.2.weight"], state["encoder.layers.4.weight"]
        x = F.relu(x @ second[:, :, 0].t() + state["encoder.layers.2.bias"])
        frames.append(x @ third[:, :, 0].t() + state["encoder.layers.4.bias"])
    expected = torch.stack(frames, dim=2)
    assert relative_error(encoder(audio), expected) < 1e-5


def test_names_what_is_wrong_with_a_checkpoint(published: Fixture, config: SINGConfig) -> None:
    good = published["state_dict"]
    name = "decoder.layers.6.conv_tr.weight"
    without = {key: value for key, value in good.items() if key != name}
    for state, complaint in [
        (without, f"lacks {name}"),
        (good | {"extra.weight": torch.zeros(1)}, "unexpected tensors: extra.weight"),
        (good | {name: torch.zeros(7)}, rf"{name} \(7,\) instead of \(48, 1, 256\)"),
    ]:
        with pytest.raises(PublishedWeightsError, match=complaint):
            SING.from_published(state, config)
    with pytest.raises(PublishedWeightsError, match=r"lacks encoder\.layers\.0\.conv\.bias"):
        Encoder.from_published(good, config)


def test_leaves_the_encoder_of_a_checkpoint_out() -> None:
    state = random_checkpoint(TINY) | random_encoder_checkpoint(TINY)
    assert not any("encoder" in name for name in SING.from_published(state, TINY).state_dict())


@pytest.mark.parametrize(
    ("sizes", "complaint"),
    [
        ({"window": "hamming"}, "window must be"),
        ({"pitches": 0}, "pitches must be at least 1; got 0"),
        ({"time_dim": -1}, "time_dim must be at least 0; got -1"),
        ({"stride": 2048}, "kernel_size must be at least stride"),
        ({"frames": 14}, "14 frames .* 16"),
    ],
    ids=str,
)
def test_refuses_impossible_sizes(sizes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        SINGConfig(**sizes)


@pytest.mark.parametrize(
    "notes",
    [
        (NOTES[0], NOTES[1], NOTES[2][:1]),
        tuple(ids.squeeze(1) for ids in NOTES),
        tuple(ids[0, 0] for ids in NOTES),
    ],
    ids=["different batches", "one dimension", "numbers"],
)
def test_refuses_symbols_of_another_shape(notes: tuple[Tensor, Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match=r"must be \(B, 1\) each; got"):
        SING(TINY).generate(*notes)
