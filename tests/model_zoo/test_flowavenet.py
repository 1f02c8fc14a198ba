"""FloWaveNet against the outputs of the authors' code, and against its own definition."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from model_zoo.flowavenet import FloWaveNet, get_published_name, squeeze, unsqueeze
from model_zoo.flowavenet_net import FloWaveNetConfig, WaveNet, sum_skips, sum_skips_by_products
from model_zoo.published import PublishedWeightsError
from tests.model_zoo.fidelity import Fixture, access_parts, load_fixture, randomise, relative_error

TINY = FloWaveNetConfig(mel_channels=3, blocks=4, flows=2, blocks_per_split=2, channels=4)


@pytest.fixture(scope="module")
def published() -> Fixture:
    return load_fixture("flowavenet")


@pytest.fixture(scope="module")
def config(published: Fixture) -> FloWaveNetConfig:
    original = published["config"]
    return FloWaveNetConfig(
        mel_channels=original["cin_channel"],
        blocks=original["n_block"],
        flows=original["n_flow"],
        layers=original["n_layer"],
        blocks_per_split=original["block_per_split"],
        channels=published["width"],
        affine=original["affine"],
    )


@pytest.fixture(scope="module")
def model(published: Fixture, config: FloWaveNetConfig) -> FloWaveNet:
    return FloWaveNet.from_published(published["state_dict"], config)


def test_generates_the_published_audio(published: Fixture, model: FloWaveNet) -> None:
    audio = model.generate(published["mel"], noise=published["z"], temperature=1.0)
    assert relative_error(audio, published["audio"]) < 2e-5


def test_upsamples_as_published(published: Fixture, model: FloWaveNet) -> None:
    assert relative_error(model.condition(published["mel"]), published["upsampled"]) < 2e-5


def test_accepts_an_upsampled_mel(published: Fixture, model: FloWaveNet) -> None:
    audio = model.generate(published["upsampled"], noise=published["z"], temperature=1.0)
    assert relative_error(audio, published["audio"]) < 2e-5


def test_finds_the_published_likelihood(published: Fixture, model: FloWaveNet) -> None:
    likelihood = model.log_likelihood(published["x"], published["mel"])
    assert relative_error(likelihood.log_p, published["log_p"]) < 2e-5
    assert relative_error(likelihood.logdet, published["logdet"]) < 2e-5


def test_inner_pieces_agree_with_the_published_ones(published: Fixture, model: FloWaveNet) -> None:
    net, block = published["wavenet0"], published["block0"]
    coupling_net = access_parts(model).blocks[0].flows[0].coupling.net
    assert relative_error(coupling_net(net["x"], net["c"]), net["out"]) < 2e-5
    condition = squeeze(published["upsampled"])
    out, _, _ = model.blocks[0](squeeze(published["x"]), condition)
    assert relative_error(out, block["out"]) < 2e-5
    assert torch.equal(condition, block["c"])


@pytest.mark.parametrize(
    "changes",
    [
        {"weight_norm": False},
        {"unused_residuals": False},
        {"weight_norm": False, "unused_residuals": False},
    ],
    ids=str,
)
def test_leaner_forms_generate_the_same_audio(
    published: Fixture, config: FloWaveNetConfig, changes: dict[str, Any]
) -> None:
    lean = FloWaveNet.from_published(published["state_dict"], replace(config, **changes))
    audio = lean.generate(published["mel"], noise=published["z"], temperature=1.0)
    assert relative_error(audio, published["audio"]) < 2e-5
    assert len(lean.state_dict()) < len(published["state_dict"])


@pytest.mark.parametrize(
    "changes", [{}, {"weight_norm": False}, {"unused_residuals": False}], ids=str
)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("condition_channels", [5, 40])  # fewer and more than there are samples
def test_the_form_for_a_cpu_computes_the_same(
    changes: dict[str, Any], layers: int, condition_channels: int
) -> None:
    net = randomise(WaveNet(replace(TINY, **changes), 2, 4, condition_channels, layers)).double()
    h, condition = torch.randn(3, 4, 32).double(), torch.randn(3, condition_channels, 32).double()
    plain = sum_skips(net.layers, h, condition)
    with torch.no_grad():
        fast = sum_skips_by_products(net.layers, h, condition)
    assert relative_error(fast, plain) < 1e-12


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("blocks_per_split", [1, 2, 3, 8])
@pytest.mark.parametrize("layers", [1, 3])
def test_density_inverts_generation(affine: bool, blocks_per_split: int, layers: int) -> None:
    config = replace(TINY, affine=affine, blocks_per_split=blocks_per_split, layers=layers)
    model = access_parts(randomise(FloWaveNet(config)).double())
    mel = torch.rand(2, 3, 1, dtype=torch.float64)
    noise = torch.randn(2, 1, 256, dtype=torch.float64)
    audio = model.generate(mel, noise=noise, temperature=1.0)

    x, condition = audio, model.condition(mel)
    left_standardised = []
    for block, seen in zip(model.blocks, model.squeeze_conditions(condition), strict=True):
        y, _, _ = block(squeeze(x), seen)
        if block.prior is not None:
            full = squeeze(x)
            for flow, turn in zip(block.flows, block.alternate_conditions(seen), strict=True):
                full, _ = flow(full, turn)
            kept, leaving = full.chunk(2, dim=1)
            mean, log_deviation = block.prior.predict_moments(kept, seen)
            left_standardised.append((leaving - mean) / log_deviation.exp())
        x = y
    recovered = x
    for block in reversed(model.blocks):
        if block.prior is not None:
            recovered = torch.cat((recovered, left_standardised.pop()), dim=1)
        recovered = unsqueeze(recovered)
    assert relative_error(recovered, noise) < 1e-9


@pytest.mark.parametrize("affine", [True, False])
def test_log_determinant_is_the_jacobians(affine: bool) -> None:
    """Without splits the map audio -> noise is explicit, so its Jacobian can be formed."""
    config = replace(TINY, blocks=2, blocks_per_split=2, affine=affine)
    model = randomise(FloWaveNet(config)).double()
    condition = torch.rand(1, 3, 8, dtype=torch.float64)

    def noise_of(audio: torch.Tensor) -> torch.Tensor:
        x = audio.reshape(1, 1, 8)
        for block, seen in zip(model.blocks, model.squeeze_conditions(condition), strict=True):
            x, _, _ = block(squeeze(x), seen)
        return x.flatten()

    audio = torch.randn(8, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(noise_of, audio)
    expected = torch.linalg.slogdet(jacobian).logabsdet / 8
    logdet = model.log_likelihood(audio.reshape(1, 1, 8), condition).logdet
    assert relative_error(logdet, expected) < 1e-9


def test_squeeze_interleaves_phases_within_channels() -> None:
    x = torch.arange(8.0).reshape(1, 2, 4)
    expected = torch.tensor([[[0.0, 2.0], [1.0, 3.0], [4.0, 6.0], [5.0, 7.0]]])
    assert torch.equal(squeeze(x), expected)
    assert torch.equal(unsqueeze(squeeze(x)), x)


def test_generation_is_reproducible_and_batched() -> None:
    model = randomise(FloWaveNet(TINY))
    mel = torch.rand(3, 3, 2)

    def draw(seed: int) -> torch.Tensor:
        return model.generate(mel, generator=torch.Generator().manual_seed(seed))

    assert draw(0).shape == (3, 1, 512)
    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        ({}, 182_644_788),
        ({"weight_norm": False}, 182_469_170),
        ({"weight_norm": False, "unused_residuals": False}, 179_245_362),
        ({"blocks_per_split": 8}, 181_129_876),
        ({"blocks_per_split": 6}, 186_793_236),
        ({"blocks_per_split": 5}, 184_027_604),
        ({"blocks_per_split": 3}, 187_967_140),
        ({"blocks_per_split": 2}, 189_770_092),
        ({"layers": 3}, 270_626_868),
        ({"mel_channels": 82}, 185_810_996),
    ],
    ids=str,
)
def test_full_size_has_the_published_parameters(changes: dict[str, Any], parameters: int) -> None:
    with torch.device("meta"):
        model = FloWaveNet(FloWaveNetConfig(**changes))
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize(
    "sizes", [{"flows": 5}, {"flows": 0}, {"blocks": 9}, {"layers": 0}], ids=str
)
def test_refuses_impossible_sizes(sizes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"flows|sizes"):
        FloWaveNetConfig(**sizes)


def test_refuses_noise_of_another_length() -> None:
    with pytest.raises(ValueError, match="500 samples do not go with 2 mel frames"):
        FloWaveNet(TINY).generate(torch.rand(1, 3, 2), noise=torch.randn(1, 1, 500))


def test_refuses_lengths_that_its_blocks_cannot_halve() -> None:
    mel, noise = torch.rand(1, 3, 1000), torch.randn(1, 1, 1000)
    with pytest.raises(ValueError, match="4 blocks need a multiple of 16 samples; got 1000"):
        FloWaveNet(TINY).generate(mel, noise=noise)
    assert FloWaveNet(TINY).generate(mel[..., :992], noise=noise[..., :992]).shape == (1, 1, 992)


def test_names_what_is_wrong_with_a_checkpoint(
    published: Fixture, config: FloWaveNetConfig
) -> None:
    good = published["state_dict"]
    name = get_published_name("blocks.0.flows.0.coupling.net.front.bias")
    without = {key: value for key, value in good.items() if key != name}
    for state, complaint in [
        (without, f"lacks {name}"),
        (good | {"extra.weight": torch.zeros(1)}, "unexpected tensors: extra.weight"),
        (good | {name: torch.zeros(7)}, rf"{name} \(7,\) instead of \(16,\)"),
    ]:
        with pytest.raises(PublishedWeightsError, match=complaint):
            FloWaveNet.from_published(state, config)
