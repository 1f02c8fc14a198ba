"""Exported graphs against torch: the same outputs, and the same counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime  # type: ignore[import-untyped]  # it has no stubs
import pytest
import torch
from torch import Tensor, nn

import model_zoo
from inspect_cost import Call, MismatchError, count, count_onnx
from inspect_cost.cli import main
from inspect_cost.exporting import verify
from inspect_cost.exporting.onnx import export_call
from inspect_cost.exporting.writing import Traceable, name_inputs, quiet
from inspect_cost.subjects import preset as presets
from inspect_cost.subjects import resolve
from inspect_cost.values.errors import CountError, UsageError

# torch's exporter warns of its own deprecated calls
pytestmark = pytest.mark.filterwarnings("ignore")

#: Preset -> settings that make it small, and samples. All layers are of the published kinds.
SMALL: dict[str, tuple[dict[str, Any], int]] = {
    "flowavenet": (
        {"blocks": 1, "flows": 2, "blocks_per_split": 1, "channels": 8, "unused_residuals": False},
        512,
    ),
    "sing": ({"hidden_size": 8, "channels": 16, "frames": 17, "lstm_layers": 2}, 100),
    "wavegan": ({"dim": 2}, 100),
    "gansynth-lores": ({"base_filters": 512, "max_filters": 8}, 100),
    "samplernn": ({"frame_sizes": (2, 4), "dim": 8, "rnn_layers": 1}, 4),
    "samplernn-2tier": ({"frame_sizes": (4,), "dim": 8}, 5),
    "samplernn-3tier": ({"frame_sizes": (2, 4), "dim": 8}, 5),
    "wavegan-65536": ({"dim": 1}, 100),
    "gansynth": ({"base_filters": 512, "max_filters": 8}, 100),
}


#: Those that every run of the tests exports; unrolled steps and many layers take longer.
QUICK = ("flowavenet", "wavegan")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in SMALL]
)
def test_an_exported_preset_has_the_same_macs(tmp_path: Path, name: str) -> None:
    settings, samples = SMALL[name]
    preset = model_zoo.preset(name)
    subject = resolve(name, input_len=samples, settings=settings)
    done = subject.export(subject.phases[0], tmp_path / "m.onnx")
    assert done.difference < 1e-2
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    exported_count = count_onnx(tmp_path / "m.onnx", verify=True)
    assert "run-agrees" in {note.code for note in exported_count.notes}
    config = preset.configuration(**settings)
    model = preset.build(**settings)
    generate: Callable[..., Tensor] = model.generate  # type: ignore[assignment]  # of this module
    ours = count(generate, **preset.call(config, samples, "cpu", 0).kwargs)
    assert exported_count.complete
    assert exported_count.macs == ours.macs
    # What else differs is how the exporter spells operators, not what they compute.
    assert exported_count.flops == pytest.approx(ours.flops, rel=0.1)
    assert "model" in exported_count.by_module


def test_no_parameter_of_a_random_model_is_left_at_zero() -> None:
    """FloWaveNet's couplings start as identities: their layers would go uncompared."""
    preset = model_zoo.preset("flowavenet")
    model = preset.build(**SMALL["flowavenet"][0])
    assert any(not parameter.any() for parameter in model.parameters())
    presets._fill_zeros(model, 0)  # noqa: SLF001 - seen from outside only by its effect
    assert all(parameter.any() for parameter in model.parameters())


class Block(nn.Module):
    """Operators that torch and ONNX have alike."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 8, 3, padding=1)
        self.norm = nn.LayerNorm(8)
        self.lstm = nn.LSTM(8, 6, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(torch.relu(self.conv(x)).transpose(1, 2))
        return torch.softmax(self.linear(self.lstm(y)[0]), dim=-1)


class Recurrent(nn.Module):
    """Layers on a sequence of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(8, 16, 3, padding=1)
        self.gru = nn.GRU(16, 4, batch_first=True, bidirectional=True)
        self.up = nn.ConvTranspose1d(8, 2, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        states = self.gru(torch.relu(self.conv(x)).transpose(1, 2))[0]
        return torch.tanh(self.up(states.transpose(1, 2)))


def random_weights(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model.eval()


def test_a_module_has_the_same_flops_in_every_class(tmp_path: Path) -> None:
    model, x = random_weights(Block()), torch.randn(2, 4, 9)
    export_call(Call.of(model, x), tmp_path / "m.onnx")
    ours, theirs = count(model, x), count_onnx(tmp_path / "m.onnx")
    assert theirs.macs == ours.macs
    assert theirs.flops_by_class == ours.flops_by_class
    assert theirs.by_module["lstm"].macs == ours.by_module["lstm"].macs
    # ONNX keeps an LSTM's two biases in one tensor, and exporters the zero states beside it.
    assert theirs.params >= ours.params


def test_the_older_exporter_at_opset_11_has_the_same_counts(tmp_path: Path) -> None:
    model, x, path = random_weights(Recurrent()), torch.randn(1, 8, 63), tmp_path / "m.onnx"
    axes = {"x": {2: "L"}}
    torch.onnx.export(
        model, (x,), path, dynamo=False, opset_version=11, input_names=["x"], dynamic_axes=axes
    )
    ours, theirs = count(model, x), count_onnx(path, input_shapes={"L": 63})
    assert theirs.cost == ours.cost
    assert theirs.params == ours.params
    assert {name: theirs.by_module[name].macs for name in ("conv", "gru", "up")} == {
        name: ours.by_module[name].macs for name in ("conv", "gru", "up")
    }


@pytest.mark.parametrize("opset", [18, 23])
def test_a_transformer_has_the_same_macs_before_and_after_onnxruntime(
    tmp_path: Path, opset: int
) -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
    model, x = random_weights(layer), torch.randn(1, 7, 16)
    path = tmp_path / "m.onnx"
    with quiet():
        torch.onnx.export(model, (x,), path, dynamo=True, opset_version=opset, verbose=False)
    before = count_onnx(path)
    assert before.macs == count(model, x).macs
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    after = count_onnx(tmp_path / "optimised.onnx")
    assert any(name.startswith("com.microsoft") for name in after.by_operator)
    assert after.complete
    assert after.macs == before.macs


def test_a_quantised_model_has_the_macs_of_its_floats(tmp_path: Path) -> None:
    from onnxruntime.quantization import (  # type: ignore[import-untyped]  # noqa: PLC0415 - slow
        quantize_dynamic,
    )

    model = random_weights(nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)))
    x = torch.randn(3, 16)
    export_call(Call.of(model, x), tmp_path / "m.onnx")
    plain = count_onnx(tmp_path / "m.onnx")
    quantize_dynamic(tmp_path / "m.onnx", tmp_path / "q.onnx")
    quantised = count_onnx(tmp_path / "q.onnx")
    assert quantised.by_operator["onnx.MatMulInteger"].calls == 2
    assert quantised.macs == plain.macs == 3 * (16 * 32 + 32 * 8)
    assert quantised.params == plain.params
    assert quantised.param_bytes == 16 * 32 + 32 * 8 + 4 * 40


class Unexportable(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = torch.linalg.svdvals(x)
        return values


class Mixer(nn.Module):
    """Generates from nested inputs, beside arguments that are not tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.dropout = nn.Linear(3, 4), nn.Dropout(0.5)

    @torch.no_grad()
    def generate(
        self, x: Tensor, states: list[Tensor], *, gain: Tensor, steps: int
    ) -> list[Tensor]:
        y = self.dropout(self.linear(x))
        for _ in range(steps):
            y = y + states[0]
        return [y * gain, states[1] - 1]


def mixing(model: nn.Module) -> Call:
    states = [torch.randn(2, 4), torch.randn(5)]
    generate: Callable[..., Any] = model.generate  # type: ignore[assignment]  # of this module
    return Call.of(generate, torch.randn(2, 3), states, gain=torch.tensor(2.0), steps=2)


def test_a_method_with_nested_inputs_is_exported_and_left_as_it_was(tmp_path: Path) -> None:
    model = Mixer().train()
    call = mixing(model)
    done = export_call(call, tmp_path / "m.onnx", "a mix")
    assert done.difference < 1e-6
    assert (done.files, done.note) == ((tmp_path / "m.onnx",), "a mix")
    graph = onnx.load(tmp_path / "m.onnx").graph
    assert [entry.name for entry in graph.input] == ["x", "states_0", "states_1", "gain"]
    assert all(module.training for module in model.modules())
    assert "generate" not in vars(model)


def test_inputs_are_named_after_parameters() -> None:
    assert name_inputs(mixing(Mixer())) == ("x", "states_0", "states_1", "gain")
    assert name_inputs(Call.of(torch.nn.ReLU(), torch.ones(1))) == ("input",)
    assert name_inputs(Call.of(torch.add, torch.ones(1), torch.ones(1))) == ("input_0", "input_1")
    assert name_inputs(Call.of(Mixer().generate, states=[torch.ones(1)])) == ("states_0",)


def test_names_of_inputs_can_be_chosen(tmp_path: Path) -> None:
    export_call(Call.of(nn.ReLU(), torch.randn(3)), tmp_path / "m.onnx", input_names=["audio"])
    assert onnx.load(tmp_path / "m.onnx").graph.input[0].name == "audio"


def test_a_function_is_exported(tmp_path: Path) -> None:
    model = random_weights(nn.Linear(3, 2))
    done = export_call(Call.of(lambda x: model(x).relu(), torch.randn(4, 3)), tmp_path / "m.onnx")
    assert done.difference < 1e-6
    assert count_onnx(tmp_path / "m.onnx").macs == 4 * 3 * 2


def test_inputs_go_where_they_belong_whatever_their_order(tmp_path: Path) -> None:
    call = Call.of(nn.Bilinear(3, 3, 2), input2=torch.randn(4, 3), input1=torch.randn(4, 3))
    assert export_call(call, tmp_path / "m.onnx").difference < 1e-6


def test_a_model_without_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="meta"):
        export_call(Call.of(nn.Linear(3, 2).to("meta"), torch.ones(1, 3)), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CountError, match="svd"):
        export_call(Call.of(Unexportable(), torch.randn(3, 3)), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


Run = Callable[[Path, Traceable], list[Any]]


def scale(run: Run) -> Run:
    """Make onnxruntime's outputs a tenth larger."""
    return lambda path, traceable: [result * 1.1 for result in run(path, traceable)]


def test_a_graph_that_computes_otherwise_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verify, "run_by_onnxruntime", scale(verify.run_by_onnxruntime))
    with pytest.raises(MismatchError, match=r"differ by 1.0e-01"):
        export_call(Call.of(random_weights(nn.Linear(3, 2)), torch.ones(1, 3)), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
    words = ["export", "torch.nn:Identity", "--input", "2,3", "-o", str(tmp_path / "m.onnx")]
    assert main(words) == 1
    assert "it was not kept" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_it_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.onnx"
    words = ["export", "torch.nn:ReLU", "--input", "1,L", "--input-len", "5", "-o", str(path)]
    assert main(words) == 0
    assert "differ from torch's by 0.0e+00" in capsys.readouterr().err
    assert count_onnx(path).flops == 5
    assert onnx.load(path).graph.input[0].name == "input"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("export wavegan", "requires an argument"),
        ("export wavegn -o m.onnx", "did you mean wavegan?"),
        ("export wavegan --input 1,5 -o m.onnx", "makes its own inputs"),
        ("export torch.nn:ReLU --set a=1 -o m.onnx", "--set is for presets"),
        ("export torch.nn:ReLU -o m.onnx", "the forward failed"),
        ("export samplernn --input-len 16000 -o m.onnx", "goes sample by sample"),
        ("export wavegan -o no/such/m.onnx", "there is no folder"),
    ],
)
def test_mistakes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    assert complaint in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_length_that_would_be_unrolled_is_refused(tmp_path: Path) -> None:
    subject = resolve("samplernn", input_len=16_000)
    with pytest.raises(UsageError, match="16,000 copies") as refusal:
        subject.export(subject.phases[0], tmp_path / "m.onnx")
    assert refusal.value.field == "input_len"
    assert not list(tmp_path.iterdir())
