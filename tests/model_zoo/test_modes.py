"""The models under what PyTorch wraps around models: autocast, compilers and exporters."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import model_zoo
from tests.model_zoo.fidelity import access_parts, randomise, relative_error

SMALL = {
    "flowavenet": {"mel_channels": 3, "blocks": 1, "flows": 2, "layers": 1, "channels": 8},
    "sing": {"hidden_size": 4, "lstm_layers": 1, "channels": 8, "frames": 20},
    "wavegan": {"dim": 1},
    "gansynth": {"blocks": 2, "base_filters": 64, "latent_dim": 5, "samples": 100},
}


def small(name: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A model with random weights, and the arguments of its forward."""
    torch.manual_seed(0)
    preset, settings = model_zoo.preset(name), SMALL[name]
    model = preset.build(**settings)
    samples = 80_000 if name == "wavegan" else 32  # five clips, beyond its form for few steps
    kwargs = preset.call(preset.configuration(**settings), samples, "cpu", 0).kwargs
    return randomise(model) if name == "flowavenet" else model, tuple(kwargs.values())


def compiled(model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    torch.compiler.reset()
    audio: Tensor = torch.compile(model, backend="aot_eager")(*inputs)
    return audio


def exported(model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    audio: Tensor = torch.export.export(model, inputs, strict=True).module()(*inputs)
    return audio


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("wrapped", [compiled, exported])
def test_compilers_compute_the_same(
    name: str, wrapped: Callable[[nn.Module, tuple[Tensor, ...]], Tensor]
) -> None:
    model, inputs = small(name)
    with torch.no_grad():
        assert relative_error(wrapped(model, inputs), model(*inputs)) < 2e-5


@pytest.mark.parametrize("name", ["flowavenet", "wavegan", "gansynth"])
def test_autocast_loses_precision_only(name: str) -> None:
    model, inputs = small(name)
    with torch.no_grad():
        plain = model(*inputs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(*inputs)
    assert relative_error(rounded.float(), plain) < 0.2


def test_sing_decodes_what_autocast_hands_it() -> None:
    """The whole model does not: torch has no LSTM in bfloat16 on every CPU."""
    model = access_parts(small("sing")[0])
    frames = torch.randn(1, 128, 30)
    with torch.no_grad():
        plain = model.decoder(frames)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model.decoder(frames.bfloat16())
    assert relative_error(rounded.float(), plain) < 0.1


@pytest.mark.parametrize("name", SMALL)
def test_double_precision_differs_by_rounding(name: str) -> None:
    model, inputs = small(name)
    with torch.no_grad():
        single = model(*inputs)
        finer = tuple(x.double() if x.is_floating_point() else x for x in inputs)
        assert relative_error(single, model.double()(*finer).float()) < 5e-3
