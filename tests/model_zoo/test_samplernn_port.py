"""The port of SampleRNN against the outputs of its code, and against a literal restatement."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_zoo.published import PublishedWeightsError
from model_zoo.samplernn_layers import hold_kernels_ready
from model_zoo.samplernn_port import PortedSampleRNN, PortedSampleRNNConfig, get_published_name
from tests.model_zoo.fidelity import (
    Fixture,
    access_parts,
    count_macs,
    load_fixture,
    randomise,
    relative_error,
)

TINY = PortedSampleRNNConfig(frame_sizes=(2, 6), dim=6, rnn_layers=2, levels=16)
FAMILIES = [
    TINY,
    replace(TINY, frame_sizes=(3,), rnn_layers=1),
    replace(TINY, frame_sizes=(1, 2, 4), rnn_layers=3),
    replace(TINY, frame_sizes=(2, 4, 8, 16), rnn_layers=1),
    replace(TINY, weight_norm=False),
    replace(TINY, learned_h0=False),
    replace(TINY, levels=15),
]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def published() -> Fixture:
    fixture: Fixture = load_fixture("samplernn")["deepsound_16x4like"]
    return fixture


@pytest.fixture(scope="module")
def config(published: Fixture) -> PortedSampleRNNConfig:
    original = published["config"]
    in_samples = torch.tensor(original["frame_sizes"]).cumprod(0).tolist()
    return PortedSampleRNNConfig(
        frame_sizes=tuple(in_samples),
        dim=original["dim"],
        rnn_layers=original["n_rnn"],
        levels=original["q"],
    )


@pytest.fixture(scope="module")
def model(published: Fixture, config: PortedSampleRNNConfig) -> PortedSampleRNN:
    return PortedSampleRNN.from_published(published["state_dict"], config)


def test_finds_the_published_probabilities(published: Fixture, model: PortedSampleRNN) -> None:
    """The port's sequences lack the last level, which is only predicted: any will do."""
    logits = model.logits(F.pad(published["seq"], (0, 1)))
    assert relative_error(logits.log_softmax(-1), published["log_probs"]) < 2e-6


def test_generates_the_published_levels(published: Fixture, model: PortedSampleRNN) -> None:
    assert torch.equal(model.generate_levels(64, 2), published["greedy"])
    sampled = model.generate_levels(64, 2, uniforms=published["uniforms"])
    assert torch.equal(sampled, published["sampled"])


def test_a_folded_model_generates_the_published_levels(
    published: Fixture, model: PortedSampleRNN, config: PortedSampleRNNConfig
) -> None:
    lean = PortedSampleRNN.from_published(
        published["state_dict"], replace(config, weight_norm=False)
    )
    for folded in (lean, model.fold()):
        assert not [name for name in folded.state_dict() if name.endswith(("_v", "_g"))]
        assert torch.equal(folded.generate_levels(64, 2), published["greedy"])


# A literal restatement of the port's modules and its Generator, on tensors under their names.


def kernel(state: dict[str, Tensor], name: str) -> Tensor:
    if f"{name}.weight" in state:
        return state[f"{name}.weight"]
    v, g = state[f"{name}.weight_v"], state[f"{name}.weight_g"]
    return v * g / v.pow(2).sum((1, 2), keepdim=True).sqrt()


class FrameLevelRNN:
    def __init__(self, state: dict[str, Tensor], name: str, n_rnn: int, batch: int) -> None:
        self.state = {key.removeprefix(name): t for key, t in state.items() if name in key}
        dim = self.state["h0"].shape[1]
        self.rnn = nn.GRU(dim, dim, n_rnn, batch_first=True).double()
        own = {key[4:]: t for key, t in self.state.items() if key.startswith("rnn.")}
        self.rnn.load_state_dict(own)
        self.hidden = self.state["h0"].unsqueeze(1).expand(-1, batch, -1).contiguous()

    def __call__(self, samples: Tensor, conditioning: Tensor | None) -> Tensor:
        x = F.conv1d(
            samples.unsqueeze(2),
            kernel(self.state, "input_expand"),
            self.state["input_expand.bias"],
        ).permute(0, 2, 1)
        x = x if conditioning is None else x + conditioning.unsqueeze(1)
        output, self.hidden = self.rnn(x, self.hidden)
        upsampling = kernel(self.state, "upsampling.conv_t")
        output = F.conv_transpose1d(output.permute(0, 2, 1), upsampling, stride=upsampling.shape[2])
        return (output + self.state["upsampling.bias"]).permute(0, 2, 1)


def sample_level_mlp(state: dict[str, Tensor], previous: Tensor, conditioning: Tensor) -> Tensor:
    name = "sample_level_mlp."
    x = state[f"{name}embedding.weight"][previous].permute(0, 2, 1)
    x = F.relu(F.conv1d(x, kernel(state, f"{name}input")) + conditioning.unsqueeze(2))
    x = F.relu(F.conv1d(x, kernel(state, f"{name}hidden"), state[f"{name}hidden.bias"]))
    x = F.conv1d(x, kernel(state, f"{name}output"), state[f"{name}output.bias"])
    return F.log_softmax(x.squeeze(2), 1)


@torch.no_grad()
def literal_levels(
    state: dict[str, Tensor], config: PortedSampleRNNConfig, uniforms: Tensor
) -> tuple[Tensor, Tensor]:
    """Levels and log probabilities of the port's loop, the levels with the look-back."""
    batch, length = uniforms.shape
    sizes, q = config.frame_sizes, config.levels
    ratios = [size // below for size, below in zip(sizes, (1, *sizes), strict=False)]
    rnns = [
        FrameLevelRNN(state, f"frame_level_rnns.{i}.", config.rnn_layers, batch)
        for i in range(len(sizes))
    ]
    outputs: list[Tensor] = [torch.empty(0)] * len(sizes)
    x = torch.full((batch, sizes[-1] + length), q // 2)
    kept = []
    for i in range(sizes[-1], sizes[-1] + length):
        for tier in reversed(range(len(sizes))):
            if i % sizes[tier]:
                continue
            conditioning = None
            if tier + 1 < len(sizes):
                conditioning = outputs[tier + 1][:, (i // sizes[tier]) % ratios[tier + 1]]
            samples = 2 * (x[:, i - sizes[tier] : i].double() / (q / 2) - 1)
            outputs[tier] = rnns[tier](samples, conditioning)
        conditioning = outputs[0][:, i % sizes[0]]
        kept.append(sample_level_mlp(state, x[:, i - sizes[0] : i], conditioning))
        cumulative = kept[-1].exp().cumsum(1)
        for row in range(batch):
            below = [c.item() < uniforms[row, i - sizes[-1]].item() for c in cumulative[row]]
            x[row, i] = sum(below)
    return x, torch.stack(kept, 1)


@pytest.mark.parametrize("config", FAMILIES, ids=str)
def test_every_family_does_what_the_ports_code_says(config: PortedSampleRNNConfig) -> None:
    original = randomise(PortedSampleRNN(config))
    if not config.learned_h0:
        access_parts(original).tiers[0].rnn.h0.fill_(0.3)
    state = {get_published_name(name): t.detach() for name, t in original.state_dict().items()}
    model = PortedSampleRNN.from_published(state, config).double()
    uniforms = torch.rand(2, 27, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    exact = {name: tensor.double() for name, tensor in state.items()}
    levels, log_probabilities = literal_levels(exact, config, uniforms)
    assert levels.unique().numel() > 4
    generated = model.generate_levels(27, 2, uniforms=uniforms)
    assert torch.equal(generated, levels[:, model.lookback :])
    assert relative_error(model.logits(levels).log_softmax(-1), log_probabilities) < 1e-12


def test_accepts_the_names_that_training_saved(
    published: Fixture, config: PortedSampleRNNConfig
) -> None:
    saved = {f"model.{name}": tensor for name, tensor in published["state_dict"].items()}
    model = PortedSampleRNN.from_published(saved, config)
    assert torch.equal(model.generate_levels(64, 2), published["greedy"])


def test_holding_the_kernels_ready_changes_nothing(
    published: Fixture, model: PortedSampleRNN
) -> None:
    levels = F.pad(published["seq"], (0, 1))
    plain = model.logits(levels)
    with torch.no_grad(), hold_kernels_ready(model):
        assert relative_error(model.logits(levels), plain) < 2e-6


def test_no_samples_are_generated_but_not_fewer() -> None:
    model = PortedSampleRNN(TINY)
    assert model.generate_levels(0, 2).shape == (2, 0)
    with pytest.raises(ValueError, match="length must not be negative; got -1"):
        model.generate_levels(-1)


def test_generation_is_reproducible_and_batched() -> None:
    model = randomise(PortedSampleRNN(TINY))

    def draw(seed: int) -> Tensor:
        return model.generate(30, batch=3, generator=torch.Generator().manual_seed(seed))

    audio = draw(0)
    assert audio.shape == (3, 30)
    assert audio.min() >= -1
    assert audio.max() < 1
    assert torch.equal(audio, draw(0))
    assert not torch.equal(audio, draw(1))


def test_calling_the_model_generates() -> None:
    model = randomise(PortedSampleRNN(TINY))
    uniforms = torch.rand(3, 30)
    audio = model(uniforms)
    assert torch.equal(model.generate(30, 3, uniforms=uniforms), audio)
    for row in range(3):
        assert torch.equal(model(uniforms[row : row + 1])[0], audio[row])
    levels = model.generate_levels(30, 3, uniforms=uniforms)
    assert torch.equal(audio, levels / 8 - 1)


def test_quantises_as_the_port_prepares_its_data() -> None:
    model = PortedSampleRNN(replace(TINY, levels=256))
    levels = model.quantise(torch.tensor([[-0.5, 0.1, 0.498, 0.5], [3.0, 3.0, 3.0, 3.0]]))
    assert levels.tolist() == [[0, 153, 255, 255], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        ({}, 51_848_704),
        ({"weight_norm": False}, 51_842_304),
        ({"weight_norm": False, "learned_h0": False}, 51_838_208),
        ({"rnn_layers": 1}, 39_251_456),
        ({"rnn_layers": 1, "frame_sizes": (2, 8)}, 20_815_360),
    ],
    ids=str,
)
def test_full_size_has_the_published_parameters(changes: dict[str, Any], parameters: int) -> None:
    with torch.device("meta"):
        model = PortedSampleRNN(replace(PortedSampleRNNConfig(), **changes))
    assert sum(p.numel() for p in model.parameters()) == parameters
    if not changes:
        assert sum(p.numel() for p in model.fold().parameters()) == 51_842_304


def macs(model: PortedSampleRNN, length: int, batch: int = 1) -> int:
    uniforms = torch.rand(batch, length, device="meta")
    return count_macs(lambda: model.generate(length, batch, uniforms=uniforms))


def test_full_size_costs_the_published_macs() -> None:
    """Trainable parameters under no_grad: the counter fails on a view of one as an argument."""
    with torch.device("meta"):
        model = PortedSampleRNN()
    assert macs(model, 64) * 250 == 121_667_584_000


def test_macs_are_proportional_to_length_and_batch() -> None:
    with torch.device("meta"):
        model = PortedSampleRNN(TINY)
    big = 6 * 6 + 2 * 6 * 6**2 + 3 * 6**2
    small = 2 * 6 + 2 * 6 * 6**2 + 2 * 6**2
    per_sample = 2 * 16 * 6 + 6**2 + 6 * 16
    assert macs(model, 6) == big + 3 * small + 6 * per_sample
    assert macs(model, 30) == 5 * macs(model, 6)
    assert macs(model, 6, batch=3) == 3 * macs(model, 6)
    assert macs(model, 7) == macs(model, 6) + big + small + per_sample


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"frame_sizes": (16, 4)}, "ascend"),
        ({"frame_sizes": (4, 16, 24)}, "multiple"),
        ({"frame_sizes": ()}, "ascend"),
        ({"frame_sizes": (0, 4)}, "positive"),
        ({"dim": 0}, "positive"),
        ({"rnn_layers": 0}, "positive"),
        ({"levels": 1}, "at least 2"),
    ],
    ids=str,
)
def test_refuses_impossible_sizes(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(PortedSampleRNNConfig(), **changes)


def test_refuses_uniforms_of_another_shape() -> None:
    model = PortedSampleRNN(TINY)
    with pytest.raises(ValueError, match=r"\(2, 30\), not \(2, 31\)"):
        model.generate(30, 2, uniforms=torch.rand(2, 31))
    with pytest.raises(ValueError, match=r"\(1, 30\), not \(2, 30\)"):
        model.generate_levels(30, uniforms=torch.rand(2, 30))


def test_names_what_is_wrong_with_a_checkpoint(
    published: Fixture, config: PortedSampleRNNConfig
) -> None:
    good = published["state_dict"]
    name = "frame_level_rnns.1.rnn.weight_hh_l1"
    without = {key: value for key, value in good.items() if key != name}
    for state, complaint in [
        (without, f"lacks {name}"),
        (good | {"sample_level_mlp.skip": torch.zeros(1)}, "tensors: sample_level_mlp.skip"),
        (good | {name: torch.zeros(7)}, rf"{name} \(7,\) instead of \(72, 24\)"),
    ]:
        with pytest.raises(PublishedWeightsError, match=complaint):
            PortedSampleRNN.from_published(state, config)
