"""Loading checkpoints: what values may be, and what is said of those that cannot be used."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model_zoo import GANSynth, GANSynthConfig, PublishedWeightsError, WaveGAN, WaveGANConfig
from model_zoo.published import load_published
from tests.model_zoo.fidelity import load_fixture

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


def loaded(state: dict[str, Any]) -> nn.Linear:
    model = nn.Linear(3, 2)
    load_published(model, state, lambda name: name)
    return model


def read_only(tensor: Tensor) -> Any:
    array = tensor.numpy().copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "convert",
    [
        Tensor.double,
        Tensor.half,
        Tensor.bfloat16,
        Tensor.int,
        lambda tensor: tensor.double().numpy(),
        read_only,
        nn.Parameter,
    ],
)
def test_any_array_of_real_numbers_will_do(convert: Callable[[Tensor], Any]) -> None:
    given = {name: convert(tensor) for name, tensor in STATE.items()}
    own = loaded(given).state_dict()
    assert all(torch.equal(own[name], STATE[name]) for name in STATE)
    assert all(tensor.dtype == torch.float32 for tensor in own.values())


@pytest.mark.parametrize(
    "convert",
    [
        lambda tensor: tensor.to("meta"),
        lambda tensor: tensor.to(torch.complex64),
        Tensor.to_sparse,
    ],
    ids=["meta", "complex", "sparse"],
)
def test_what_holds_no_real_numbers_is_named(convert: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(PublishedWeightsError, match=r"without dense real numbers in them: bias$"):
        loaded(STATE | {"bias": convert(STATE["bias"])})


@pytest.mark.parametrize("value", [None, "ones", {"a": 1}])
def test_what_is_no_tensor_is_named(value: object) -> None:
    with pytest.raises(PublishedWeightsError, match=f"bias .* {type(value).__name__}"):
        loaded(STATE | {"bias": value})


def test_values_that_only_training_needs_may_be_anything() -> None:
    model = nn.Linear(3, 2)
    state = STATE | {"optimiser": object()}
    load_published(model, state, lambda name: name, training_only="optimiser".__eq__)  # type: ignore[arg-type]  # without tensors
    assert torch.equal(model.weight, STATE["weight"])


def test_tensorflows_arrays_are_laid_out_as_its_tensors_are() -> None:
    wavegan = load_fixture("wavegan")["s16384"]
    z, config = wavegan["z"], WaveGANConfig(dim=2)
    state = wavegan["state_dict_tf_names"]
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    audio = WaveGAN.from_published(arrays, config).generate(z)
    assert torch.equal(audio, WaveGAN.from_published(state, config).generate(z))

    gansynth = load_fixture("gansynth")["hi_small"]
    z, sizes = gansynth["z"], gansynth["config"]
    small = GANSynthConfig(
        blocks=sizes["nres"],
        base_filters=sizes["base"],
        max_filters=sizes["fmax"],
        latent_dim=sizes["lat"],
        pitches=sizes["pit"],
        samples=sizes["audio_len"],
    )
    state = gansynth["state_dict_tf_names"]
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    image = GANSynth.from_published(arrays, small).compute_spectrogram(z, gansynth["label"])
    assert torch.equal(
        image, GANSynth.from_published(state, small).compute_spectrogram(z, gansynth["label"])
    )


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (("0.bias",), r"lacks 0.weight, 1.bias, 1.weight$"),
        ((), r"lacks 0.bias, 0.weight, 1.bias and 1 more$"),
    ],
)
def test_the_first_few_of_many_are_named(given: tuple[str, ...], complaint: str) -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    state = {name: torch.zeros(1) for name in given}
    with pytest.raises(PublishedWeightsError, match=complaint):
        load_published(model, state, lambda name: name)
