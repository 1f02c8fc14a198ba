"""The authors' SampleRNN against the outputs of their code, and against a literal restatement."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from model_zoo.published import PublishedWeightsError
from model_zoo.samplernn import (
    TWO_TIER,
    SampleRNN,
    SampleRNNConfig,
    compress_mu_law,
    expand_mu_law,
    get_published_name,
)
from model_zoo.samplernn_common import RunningTier, RunningWindow, draw_level
from model_zoo.samplernn_layers import StreamedLayer, hold_kernels_ready, lay_out_for_streaming
from model_zoo.samplernn_training import AuxiliaryHead
from tests.model_zoo.fidelity import (
    Fixture,
    access_parts,
    count_macs,
    load_fixture,
    randomise,
    relative_error,
)

THREE_TIER = SampleRNNConfig()
TINY = SampleRNNConfig(frame_sizes=(2, 8), dim=6, levels=16, embedding_dim=5)
FAMILIES = [
    TINY,
    replace(TINY, frame_sizes=(4,), rnn_layers=3),
    replace(TINY, frame_sizes=(1, 3), rnn_layers=2),
    replace(TINY, frame_sizes=(4,), embedding_dim=0),
    replace(TINY, embedding_dim=0, weight_norm=False),
    replace(TINY, weight_norm=False, rnn_layers=2),
    replace(TINY, learned_h0=False),
    replace(TINY, cell="lstm"),
    replace(TINY, cell="lstm", frame_sizes=(4,), rnn_layers=2, weight_norm=False),
    replace(TINY, skip_connections=True, rnn_layers=2),
    replace(TINY, skip_connections=True, rnn_layers=3, cell="lstm"),
]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def published() -> Fixture:
    fixture: Fixture = load_fixture("samplernn")["theano_3tier"]
    return fixture


@pytest.fixture(scope="module")
def config(published: Fixture) -> SampleRNNConfig:
    original = published["config"]
    return SampleRNNConfig(
        frame_sizes=(original["frame_size"], original["big_frame_size"]),
        dim=original["dim"],
        rnn_layers=original["n_rnn"],
        levels=original["q"],
        embedding_dim=original["emb"],
    )


@pytest.fixture(scope="module")
def model(published: Fixture, config: SampleRNNConfig) -> SampleRNN:
    return SampleRNN.from_published(published["state_dict"], config)


def test_finds_the_published_logits(published: Fixture, model: SampleRNN) -> None:
    assert relative_error(model.logits(published["seq"]), published["logits"]) < 2e-6


def test_generates_the_published_levels(published: Fixture, model: SampleRNN) -> None:
    assert torch.equal(model.generate_levels(64, 2), published["greedy"])
    sampled = model.generate_levels(64, 2, uniforms=published["uniforms"])
    assert torch.equal(sampled, published["sampled"])


def test_ends_in_the_published_states(published: Fixture, model: SampleRNN) -> None:
    """The states after the last frame, which the authors carry on to the next sequence."""
    levels = published["seq"]
    top, low = model.top_down
    above, states = top(
        model.get_preceding(levels, 8, stride=8), None, top.rnn.make_initial_states(len(levels))
    )
    assert relative_error(states[0], published["new_big_h0"][:, 0]) < 2e-6
    frames = model.get_preceding(levels, 2, stride=2)
    _, states = low(frames, above, low.rnn.make_initial_states(len(levels)))
    assert relative_error(states[0], published["new_h0"][:, 0]) < 2e-6


def test_auxiliary_head_finds_the_published_logits(
    published: Fixture, model: SampleRNN, config: SampleRNNConfig
) -> None:
    head = AuxiliaryHead.from_published(published["state_dict"], config)
    logits = head.logits(model, published["seq"])
    assert relative_error(logits, published["independent_preds"]) < 2e-6


def test_a_folded_model_generates_the_published_levels(
    published: Fixture, model: SampleRNN, config: SampleRNNConfig
) -> None:
    lean = SampleRNN.from_published(published["state_dict"], replace(config, weight_norm=False))
    for folded in (lean, model.fold()):
        assert not [name for name in folded.state_dict() if "weight_" in name]
        assert torch.equal(folded.generate_levels(64, 2), published["greedy"])


# A literal restatement of the authors' functions on tensors under their names, in their words.


def linear(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    weight = state[f"{name}.W0"]
    if f"{name}.g0" in state:
        weight = weight * (state[f"{name}.g0"] / weight.pow(2).sum(0).sqrt())
    return x @ weight + state.get(f"{name}.b", 0.0)


def gru_step(state: dict[str, Tensor], name: str, x: Tensor, h: Tensor) -> Tensor:
    dim = h.shape[1]
    processed = linear(state, f"{name}.Input", x)
    recurrent = linear(state, f"{name}.Recurrent_Gates", h)
    update = torch.sigmoid(recurrent[:, :dim] + processed[:, :dim])
    reset = torch.sigmoid(recurrent[:, dim:] + processed[:, dim : 2 * dim])
    recurrent = linear(state, f"{name}.Recurrent_Candidate", reset * h)
    return update * torch.tanh(recurrent + processed[:, 2 * dim :]) + (1 - update) * h


def lstm_step(state: dict[str, Tensor], name: str, x: Tensor, h: Tensor) -> Tensor:
    s, c = h.chunk(2, 1)
    gates = linear(state, f"{name}.Input", x) + linear(state, f"{name}.Recurrent_Gates", s)
    i, f, o, g = (gates + state[f"{name}.b"]).chunk(4, 1)
    c = c * f.sigmoid() + g.tanh() * i.sigmoid()
    return torch.cat((c.tanh() * o.sigmoid(), c), 1)


def stacked(
    state: dict[str, Tensor], config: SampleRNNConfig, level: str, x: Tensor, h: Tensor
) -> tuple[Tensor, Tensor]:
    kind, dim = config.cell.upper(), config.dim
    step = gru_step if kind == "GRU" else lstm_step
    seen, after, skips = x, [], torch.zeros((), dtype=x.dtype)
    for n in range(1, config.rnn_layers + 1):
        extra = "+inpskip" if config.skip_connections and n > 1 else ""
        after.append(step(state, f"{level}.{kind}{n}{extra}.Step", seen, h[:, n - 1]))
        seen = after[-1][:, :dim]
        if config.skip_connections:
            prefix = f"{level}.GRU" if kind == "GRU" else f"{level}.LSTM{n}"
            skips = skips + linear(state, f"{prefix}.outskip{n}y", seen)
            seen = torch.cat((seen, x), 1)
    return (skips if config.skip_connections else seen), torch.stack(after, 1)


def literal_levels(
    state: dict[str, Tensor], config: SampleRNNConfig, uniforms: Tensor
) -> tuple[Tensor, Tensor]:
    """Levels as the authors' loop draws them, and the logits of all but the look-back."""
    batch, length = uniforms.shape
    small, big, q = config.frame_sizes[0], config.frame_sizes[-1], config.levels
    three = len(config.frame_sizes) == 2
    h0 = {name: state[f"{name}.h0"].expand(batch, -1, -1) for name in ("FrameLevel",)}
    if three:
        h0["BigFrameLevel"] = state["BigFrameLevel.h0"].expand(batch, -1, -1)
    x = torch.full((batch, length), q // 2)
    kept = []

    def frame(t: int, size: int) -> Tensor:
        return 2 * (x[:, t - size : t].double() / (q // 2) - 1)

    for t in range(big, length):
        if three and t % big == 0:
            out, h0["BigFrameLevel"] = stacked(
                state, config, "BigFrameLevel", frame(t, big), h0["BigFrameLevel"]
            )
            big_out = linear(state, "BigFrameLevel.Output", out).view(batch, big // small, -1)
        if t % small == 0:
            seen = frame(t, small)
            if three:
                seen = linear(state, "FrameLevel.InputExpand", seen)
                seen = seen + big_out[:, (t // small) % (big // small)]
            out, h0["FrameLevel"] = stacked(state, config, "FrameLevel", seen, h0["FrameLevel"])
            vectors = linear(state, "FrameLevel.Output", out).view(batch, small, -1)
        table = state.get("SampleLevel.Embedding", torch.eye(q, dtype=torch.float64))
        previous = table[x[:, t - small : t]].reshape(batch, -1)
        out = linear(state, "SampleLevel.L1_PrevSamples", previous) + vectors[:, t % small]
        for name in ("L2", "L3"):
            out = linear(state, f"SampleLevel.{name}", out).clamp(min=0)
        logits = linear(state, "SampleLevel.Output", out)
        kept.append(logits)
        for row in range(batch):
            total, probabilities = torch.tensor(0.0), logits[row].softmax(0)
            level = 0
            while level < q - 1 and total + probabilities[level] < uniforms[row, t]:
                total = total + probabilities[level]
                level += 1
            x[row, t] = level
    return x, torch.stack(kept, 1)


@pytest.mark.parametrize("config", FAMILIES, ids=str)
def test_every_family_does_what_the_authors_code_says(config: SampleRNNConfig) -> None:
    original = randomise(SampleRNN(config)).double()
    if not config.learned_h0:
        access_parts(original).tiers[0].rnn.h0.fill_(0.3)
    state = {
        get_published_name(name, config): t.detach() for name, t in original.state_dict().items()
    }
    model = SampleRNN.from_published(state, config).double()
    uniforms = torch.rand(2, 27, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    state = {name: tensor.float().double() for name, tensor in state.items()}
    levels, logits = literal_levels(state, config, uniforms)
    assert levels.unique().numel() > 4
    assert torch.equal(model.generate_levels(27, 2, uniforms=uniforms), levels)
    assert relative_error(model.logits(levels), logits) < 1e-12


@pytest.mark.parametrize("length", [1, 3, 4, 7, 8, 11])
def test_sums_built_ahead_are_those_of_whole_windows(length: int) -> None:
    model = randomise(SampleRNN(replace(TINY, frame_sizes=(4,)))).double()
    levels = torch.randint(16, (3, 4 + length))
    (tier,) = model.top_down
    running = [RunningTier(tier, None, batch=3) for _ in range(2)]
    ahead = RunningWindow(model.mlp, running[0])
    with torch.no_grad():
        for t in range(4, 4 + length):
            vector = running[1].get_vector_at(t, levels)[:, 0]
            window = model.mlp.embed(levels[:, t - 4 : t])
            expected = model.mlp.window(window.flatten(1)) + vector
            assert relative_error(ahead.get_sum_at(t, levels), expected) < 1e-14


def test_only_the_first_skip_connection_has_a_bias() -> None:
    config = replace(TINY, skip_connections=True, rnn_layers=3, cell="lstm")
    names = {get_published_name(name, config) for name in SampleRNN(config).state_dict()}
    biases = {name for name in names if "outskip" in name and name.endswith(".b")}
    assert biases == {f"{level}.LSTM1.outskip1y.b" for level in ("FrameLevel", "BigFrameLevel")}


def test_draws_as_often_as_the_probabilities_say() -> None:
    probabilities = torch.tensor([0.1, 0.0, 0.65, 0.25])
    uniforms = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    levels = draw_level(probabilities.log().expand(1000, 4), uniforms.unsqueeze(-1))
    assert torch.bincount(levels.flatten(), minlength=4).tolist() == [100, 0, 650, 250]


def test_a_draw_counts_the_cumulative_probabilities_strictly_below() -> None:
    quarters = torch.zeros(3, 4)
    levels = draw_level(quarters, torch.tensor([[0.25], [0.5], [0.51]]).double())
    assert levels.flatten().tolist() == [0, 1, 2]


def test_draws_no_level_beyond_the_last() -> None:
    assert draw_level(torch.zeros(1, 7), torch.ones(1, 1).double()).item() == 6


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)], ids=str)
def test_streaming_layout_changes_nothing_but_the_strides(shape: tuple[int, int]) -> None:
    kernel = torch.randn(shape)
    for given in (kernel, kernel.t().contiguous().t()):
        laid_out = lay_out_for_streaming(given)
        assert torch.equal(laid_out, kernel)
        assert laid_out.stride() == ((1, 5) if shape == (5, 3) else (shape[1], 1))


def test_kernels_are_laid_out_as_they_are_read() -> None:
    """The first layer tap by tap: its kernel is longer than wide as a whole, but not each tap's."""
    model = access_parts(SampleRNN(replace(TINY, frame_sizes=(4,))))
    with torch.no_grad(), hold_kernels_ready(model):
        strides = {
            layer: layer.get_kernels()[0].stride()
            for layer in (model.tiers[0].upsampling, model.mlp.window, model.mlp.hidden[0])
        }
    assert list(strides.values()) == [(1, 24), (1, 6), (6, 1)]


def test_kernels_are_held_only_while_generating() -> None:
    model = access_parts(randomise(SampleRNN(TINY)))
    levels = model.generate_levels(40)
    layers = [layer for layer in model.modules() if isinstance(layer, StreamedLayer)]
    with torch.no_grad(), hold_kernels_ready(model):
        before = [layer.get_kernels()[0].clone() for layer in layers]
        model.mlp.output.weight_g.mul_(2)
        assert all(map(torch.equal, before, [layer.get_kernels()[0] for layer in layers]))
    assert not torch.equal(model.mlp.output.get_kernels()[0], model.mlp.output.weight_v.t())
    assert torch.allclose(model.mlp.output.get_kernels()[0], 2 * before[-1])
    with pytest.raises(IndexError), hold_kernels_ready(model):
        raise IndexError
    model.mlp.output.bias.data[3] += 1e3
    assert not torch.equal(model.generate_levels(40), levels)


def test_generation_is_reproducible_and_batched() -> None:
    model = randomise(SampleRNN(TINY))

    def draw(seed: int) -> Tensor:
        return model.generate(30, batch=3, generator=torch.Generator().manual_seed(seed))

    audio = draw(0)
    assert audio.shape == (3, 30)
    assert audio.min() >= -1
    assert audio.max() <= 1
    assert torch.equal(audio, draw(0))
    assert not torch.equal(audio, draw(1))


def test_calling_the_model_generates() -> None:
    model = randomise(SampleRNN(TINY))
    uniforms = torch.rand(3, 30)
    audio = model(uniforms)
    assert torch.equal(model.generate(30, 3, uniforms=uniforms), audio)
    for row in range(3):
        assert torch.equal(model(uniforms[row : row + 1])[0], audio[row])
    with_lookback = torch.nn.functional.pad(uniforms, (8, 0))
    levels = model.generate_levels(38, 3, uniforms=with_lookback)
    assert torch.equal(model.convert_to_waveform(levels)[:, 8:], audio)


def test_audio_has_the_authors_scale() -> None:
    model = SampleRNN(replace(TINY, levels=256))
    audio = model.convert_to_waveform(torch.tensor([[10, 20, 60], [128, 128, 128]]))
    assert torch.allclose(audio[0], torch.tensor([-0.475, 0.95 * (0.2 - 0.5), 0.475]))
    assert torch.equal(audio[1], torch.full((3,), -0.475))


def test_quantises_over_the_whole_range() -> None:
    model = SampleRNN(replace(TINY, levels=256))
    levels = model.quantise(torch.tensor([[-0.5, 0.1, 0.25, 0.5]]))
    assert levels.tolist() == [[0, 153, 191, 255]]


def test_mu_law_is_undone_up_to_its_steps() -> None:
    """Spot values of the authors' linear2mu and mu2linear, and the way there and back."""
    assert compress_mu_law(torch.tensor([-1.0, 0.0, 1.0])).tolist() == [0, 127, 255]
    assert expand_mu_law(torch.tensor([0, 128, 255]))[:2].tolist() == [-1.0, 0.0]
    assert abs(expand_mu_law(torch.tensor(255)).item() - 0.9574371) < 1e-6
    model = SampleRNN(replace(TINY, levels=256, companding="mu-law"))
    audio = torch.linspace(-0.475, 0.475, 1001).unsqueeze(0)
    assert (model.convert_to_waveform(model.quantise(audio)) - audio).abs().max() < 0.025


@pytest.mark.parametrize(
    ("config", "parameters", "folded"),
    [
        (TWO_TIER, 39_243_264, 39_205_120),
        (THREE_TIER, 18_744_832, 18_722_048),
        (replace(TWO_TIER, rnn_layers=5), 51_846_656, None),
        (replace(TWO_TIER, rnn_layers=5, embedding_dim=0), 51_781_120, None),
    ],
    ids=["two-tier", "three-tier", "five layers", "five layers, one-hot"],
)
def test_full_size_has_the_published_parameters(
    config: SampleRNNConfig, parameters: int, folded: int | None
) -> None:
    with torch.device("meta"):
        model = SampleRNN(config)
    assert sum(p.numel() for p in model.parameters()) == parameters
    if folded is not None:
        assert sum(p.numel() for p in model.fold().parameters()) == folded


def test_the_head_makes_up_the_difference_to_the_published_parameters() -> None:
    with torch.device("meta"):
        parts = [SampleRNN(THREE_TIER), AuxiliaryHead(THREE_TIER)]
    assert sum(p.numel() for part in parts for p in part.parameters()) == 20_846_080


def macs(model: SampleRNN, length: int, batch: int = 1) -> int:
    uniforms = torch.rand(batch, length, device="meta")
    return count_macs(lambda: model.generate(length, batch, uniforms=uniforms))


@pytest.mark.parametrize(
    ("config", "per_second"), [(TWO_TIER, 137_412_608_000), (THREE_TIER, 127_991_808_000)]
)
def test_full_size_costs_the_published_macs(config: SampleRNNConfig, per_second: int) -> None:
    """Trainable parameters under no_grad: the counter fails on a view of one as an argument."""
    with torch.device("meta"):
        model = SampleRNN(config)
    assert macs(model, 64) * 250 == per_second


@pytest.mark.parametrize("embedding_dim", [5, 0])
def test_macs_are_proportional_to_length_and_batch(embedding_dim: int) -> None:
    with torch.device("meta"):
        model = SampleRNN(replace(TINY, embedding_dim=embedding_dim))
    width = embedding_dim or 16
    big = 3 * 8 * 6 + 3 * 6**2 + 4 * 6**2
    small = 2 * 6 + 6 * 6**2 + 2 * 6**2
    per_sample = 2 * width * 6 + 2 * 6**2 + 6 * 16
    assert macs(model, 8) == big + 4 * small + 8 * per_sample
    assert macs(model, 40) == 5 * macs(model, 8)
    assert macs(model, 8, batch=3) == 3 * macs(model, 8)
    assert macs(model, 9) == macs(model, 8) + big + small + per_sample


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"frame_sizes": (8, 2)}, "ascend"),
        ({"frame_sizes": (3, 8)}, "multiple"),
        ({"frame_sizes": (2, 2)}, "ascend"),
        ({"frame_sizes": ()}, "ascend"),
        ({"frame_sizes": (2, 4, 8)}, "one or two"),
        ({"dim": 0}, "positive"),
        ({"rnn_layers": 0}, "positive"),
        ({"levels": 1}, "at least 2"),
        ({"embedding_dim": -1}, "one-hot"),
        ({"skip_connections": True}, "two rnn_layers"),
        ({"companding": "mu-law", "levels": 128}, "256 levels"),
        ({"companding": "a-law"}, "a-law"),
        ({"cell": "rnn"}, "rnn"),
    ],
    ids=str,
)
def test_refuses_impossible_sizes(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(THREE_TIER, **changes)


def test_refuses_impossible_requests() -> None:
    model = SampleRNN(TINY)
    with pytest.raises(ValueError, match="look-back of 8 samples; got 8"):
        model.generate_levels(8)
    with pytest.raises(ValueError, match=r"\(2, 30\), not \(2, 31\)"):
        model.generate(30, 2, uniforms=torch.rand(2, 31))
    with pytest.raises(ValueError, match=r"\(1, 30\), not \(2, 30\)"):
        model.generate_levels(30, uniforms=torch.rand(2, 30))
    with pytest.raises(ValueError, match="look-back of 8; got 8"):
        model.logits(torch.zeros(1, 8, dtype=torch.long))
    with pytest.raises(ValueError, match="three-tier"):
        AuxiliaryHead(TWO_TIER)


def test_names_what_is_wrong_with_a_checkpoint(published: Fixture, config: SampleRNNConfig) -> None:
    good = published["state_dict"]
    name = "FrameLevel.GRU1.Step.Recurrent_Gates.g0"
    without = {key: value for key, value in good.items() if key != name}
    for state, complaint in [
        (without, f"lacks {name}"),
        (good | {"SampleLevel.L4.W0": torch.zeros(1)}, "unexpected tensors: SampleLevel.L4.W0"),
        (good | {name: torch.zeros(7)}, rf"{name} \(7,\) instead of \(64,\)"),
    ]:
        with pytest.raises(PublishedWeightsError, match=complaint):
            SampleRNN.from_published(state, config)
    head = "BigFrameLevel.IndependentPreds.b"
    without = {key: value for key, value in good.items() if key != head}
    SampleRNN.from_published(without, config)
    with pytest.raises(PublishedWeightsError, match=f"lacks {head}"):
        AuxiliaryHead.from_published(without, config)
