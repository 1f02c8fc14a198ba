"""Generating audio with the zoo: lengths, seeds, checkpoints, and the errors of each."""

import wave
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch

import model_zoo
from model_zoo.generation import (
    GenerationError,
    InsufficientMemoryError,
    NonFiniteAudioError,
    UnreadableWeightsError,
    encode_wav,
    generate_audio,
    load_weights,
)

TINY = {"blocks": 1, "channels": 2, "flows": 2}


def test_a_long_generation_reports_its_progress() -> None:
    shares: list[float] = []
    settings = {"dim": 8, "embedding_dim": 4}
    preset = model_zoo.preset("samplernn-3tier")
    audio = generate_audio(preset, 100, settings=settings, progress=shares.append)
    assert audio.shape == (1, 100)
    assert len(shares) > 10
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.parametrize("seed", [-(2**63), -1, 0, 2**64 - 1])
def test_every_seed_of_torch_will_do(seed: int) -> None:
    preset = model_zoo.preset("flowavenet")
    assert generate_audio(preset, 10, seed=seed, settings=TINY).shape == (1, 10)


@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**64])
def test_other_seeds_are_refused(seed: int) -> None:
    with pytest.raises(GenerationError, match="seed"):
        generate_audio(model_zoo.preset("flowavenet"), 10, seed=seed, settings=TINY)


@pytest.mark.parametrize("settings", [{"blocks": 0}, {"blocks": "1"}, {"nonsense": 1}], ids=str)
def test_impossible_settings_name_the_preset(settings: dict[str, Any]) -> None:
    with pytest.raises(GenerationError, match=r"^flowavenet: "):
        generate_audio(model_zoo.preset("flowavenet"), 10, settings=settings)


@pytest.mark.parametrize(
    "content", [[torch.zeros(1)], {1: torch.zeros(1)}, {"state_dict": 3}, {"epoch": 3}], ids=str
)
def test_files_without_named_tensors_are_unreadable(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(UnreadableWeightsError, match=r"weights\.pt"):
        load_weights(tmp_path / "weights.pt")


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableWeightsError, match=r"none\.pt"):
        load_weights(tmp_path / "none.pt")


def test_prefixes_of_parallel_training_are_removed(tmp_path: Path) -> None:
    torch.save({"state_dict": {"module.a.weight": torch.ones(2)}}, tmp_path / "weights.pt")
    assert list(load_weights(tmp_path / "weights.pt")) == ["a.weight"]


def test_weights_that_are_not_finite_make_no_audio(tmp_path: Path) -> None:
    state = model_zoo.build("wavegan", dim=1).state_dict()
    torch.save({name: tensor * torch.nan for name, tensor in state.items()}, tmp_path / "nan.pt")
    with pytest.raises(NonFiniteAudioError):
        generate_audio(
            model_zoo.preset("wavegan"), 10, weights=tmp_path / "nan.pt", settings={"dim": 1}
        )


def test_too_much_audio_for_the_memory_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_memory(*_args: object, **_kwargs: object) -> None:
        torch.empty(2**60)

    monkeypatch.setattr("model_zoo.generation._generate", without_memory)
    with pytest.raises(InsufficientMemoryError, match="wavegan"):
        generate_audio(model_zoo.preset("wavegan"), 10, settings={"dim": 1})


def test_levels_are_rounded_towards_zero_and_clipped() -> None:
    audio = torch.tensor([[0.6, -0.6, 1.0, -1.0, 2.0, -2.0]]) / torch.tensor(
        [32_767.0] * 2 + [1] * 4
    )
    with wave.open(BytesIO(encode_wav(audio.repeat(2, 1), 8_000))) as file:
        params = file.getparams()
        levels = torch.frombuffer(bytearray(file.readframes(params.nframes)), dtype=torch.int16)
    assert (params.nchannels, params.framerate) == (2, 8_000)
    assert levels[::2].tolist() == [0, 0, 32_767, -32_767, 32_767, -32_767]
    assert levels[1::2].tolist() == levels[::2].tolist()
