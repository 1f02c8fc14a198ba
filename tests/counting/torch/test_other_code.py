"""Models that are no plain modules, and errors and notes of one line in words of our own."""

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from inspect_cost import count, measure
from inspect_cost.calls.call import Call
from inspect_cost.cli.app import main
from inspect_cost.counting.torch.failures import OBSTACLES
from inspect_cost.values.errors import CountError, InspectCostError, UsageError
from inspect_cost.values.notes import codes

X = torch.zeros(2, 8)
MACS = 2 * 8 * 8


def plain() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval()


def exported() -> torch.export.ExportedProgram:
    return torch.export.export(plain(), (X,))


def traced() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(plain(), X)


def check_one_line(text: str) -> None:
    assert text
    assert "\n" not in text
    assert len(text) < 200
    assert "Sequential(" not in text


# --- compiled by torch ---

COMPILED: dict[str, Callable[[], Any]] = {
    "traced": traced,
    "traced inside": lambda: nn.Sequential(traced(), nn.ReLU()),
    "traced in a function": lambda: functools.partial(lambda net, x: net(x), traced()),
    "scripted": lambda: torch.jit.script(plain()),
    "frozen": lambda: torch.jit.freeze(torch.jit.script(plain())),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("make", COMPILED.values(), ids=COMPILED)
def test_compiled_modules_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(CountError, match="TorchScript") as raised:
        count(make(), X)
    assert "traced from" in raised.value.advice


# --- exported ---

EXPORTED: dict[str, Callable[[], Any]] = {
    "program": exported,
    "module": lambda: exported().module(),
    "method": lambda: exported().module().forward,
    "partial": lambda: functools.partial(exported()),
    "inside": lambda: nn.Sequential(exported().module()),
}


@pytest.mark.parametrize("make", EXPORTED.values(), ids=EXPORTED)
def test_exported_programs_are_counted(make: Callable[[], Any]) -> None:
    report = count(make(), X)
    assert report.macs == MACS
    assert report.params == 72
    assert report.complete
    assert report.unread == ()


def test_exported_programs_are_called() -> None:
    call = Call.of(exported(), X)
    with call.inference():
        assert call.run().shape == X.shape
    assert measure(exported(), X, measure_time_s=0.01).latency_s


SOURCE = """
import torch
from torch import nn
model = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval()
program = torch.export.export(model, (torch.zeros(2, 8),))
module = program.module()
make_program = lambda: torch.export.export(model, (torch.zeros(2, 8),))
make_module = lambda: make_program().module()
make_inside = lambda: nn.Sequential(make_program().module())
"""


@pytest.mark.parametrize(
    "name", ["program", "module", "make_program", "make_module", "make_inside"]
)
def test_the_command_line_counts_exported_programs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"exports_{name}.py"
    file.write_text(SOURCE)
    assert main([f"{file}:{name}", "--input", "2,8", "--no-measure", "--exact"]) == 0
    assert f"{MACS:,}" in capsys.readouterr().out


# --- lazy ---


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.LazyBatchNorm1d(affine=False),
        lambda: nn.Sequential(nn.Linear(8, 8), nn.LazyBatchNorm1d(affine=False)),
        lambda: nn.LazyInstanceNorm1d(affine=False, track_running_stats=True),
        lambda: nn.LazyBatchNorm1d(),
        lambda: nn.LazyLinear(3),
    ],
)
def test_lazy_modules_are_named(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(CountError, match="lazy") as raised:
        count(make(), X)
    assert "Run the model once" in raised.value.advice


# --- fake tensors ---


def test_fake_tensors_are_shapes() -> None:
    with FakeTensorMode() as mode:
        model, x = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)), torch.zeros(2, 8)
    real = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
    for net, inputs in ((model, x), (real, x), (model, X)):
        assert count(net, inputs).macs == count(real, X).macs
        assert count(net, inputs).flops == count(real, X).flops
    with mode, pytest.raises(CountError) as raised:
        count(model, x)
    check_one_line(str(raised.value))
    check_one_line(raised.value.advice)


# --- the inverse short-time Fourier transform ---


class Vocoder(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.proj, self.options = nn.Linear(9, 9), options

    def forward(self, x: Tensor) -> Tensor:
        options = {"window": torch.hann_window(16), **self.options}
        mapped = self.proj(x.abs().transpose(-1, -2)).transpose(-1, -2)
        out: Tensor = torch.istft(mapped * x, 16, **options)
        return out


ISTFT: list[dict[str, Any]] = [
    {},
    {"hop_length": 4},
    {"hop_length": 4, "length": 70},
    {"hop_length": 4, "length": 5},
    {"hop_length": 8, "window": None},
    {"hop_length": 4, "win_length": 12, "window": torch.ones(12)},
    {"hop_length": 4, "normalized": True, "window": torch.ones(16), "center": False},
]


@pytest.mark.parametrize("frames", [2, 9, 200])
@pytest.mark.parametrize("options", ISTFT, ids=lambda options: "-".join(options) or "plain")
@pytest.mark.filterwarnings("ignore:The length of signal is shorter")
@pytest.mark.filterwarnings("ignore:A window was not provided")
def test_istft_is_counted_from_shapes(options: dict[str, Any], frames: int) -> None:
    model = Vocoder(**options).eval()
    x = torch.randn(3, 9, frames, dtype=torch.complex64)
    report = count(model, x)
    assert codes(report.notes) == ()
    assert report.complete
    # The division by the windows' sum is one for each sample.
    with torch.inference_mode():
        samples = model(x).numel()
    assert report.by_operator["aten.istft"].bytes_moved >= 4 * samples
    assert count(model, x).peak_activation_bytes == report.peak_activation_bytes
    with torch.device("meta"):
        assert count(Vocoder(**options).eval(), x).flops == report.flops


def test_istft_refuses_what_torch_refuses() -> None:
    for options in ({"win_length": 20}, {"hop_length": 20}, {"window": torch.ones(5)}):
        model, x = Vocoder(**options), torch.randn(3, 9, 7, dtype=torch.complex64)
        with pytest.raises(RuntimeError):
            model(x)
        with pytest.raises(CountError):
            count(model, x)


# --- one line each ---


class Deciding(nn.Module):
    def __init__(self, read: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.proj, self.read = nn.Linear(8, 8), read

    def forward(self, x: Tensor) -> Tensor:
        self.read(self.proj(x))
        return x

    def generate(self, x: Tensor) -> Tensor:
        out: Tensor = self.forward(x)
        return out


class Talkative(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        message = f"no good: {self}\n{x}" * 20
        raise ValueError(message)


READS: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda y: y.sum().item(),
    "list": lambda y: y.tolist(),
    "numpy": lambda y: y.numpy(),
    "truth": lambda y: bool(y.sum() > 0),
    "equal": lambda y: torch.equal(y, y + 1),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_course_by_values_takes_one_line(read: Callable[[Tensor], Any]) -> None:
    notes = [note for note in count(Deciding(read), X).notes if note.code == "real-run"]
    assert len(notes) == 1
    check_one_line(notes[0].text)
    with torch.device("meta"):
        model = Deciding(read)
    with pytest.raises(CountError) as raised:
        count(model, X)
    check_one_line(str(raised.value))
    check_one_line(raised.value.advice)


def test_generation_without_weights_says_how() -> None:
    with torch.device("meta"):
        model = Deciding(lambda y: y.sum().item())
    with pytest.raises(CountError) as raised:
        count(model.generate, X)
    assert "eos_token_id=None" in raised.value.advice


REFUSED: dict[str, Callable[[], Any]] = {
    "its own words": lambda: count(nn.Sequential(nn.Linear(8, 8), Talkative()), X),
    "a list": lambda: count([plain()], X),  # type: ignore[arg-type]
    "shapes": lambda: count(plain(), torch.zeros(2, 9)),
    "a shape": lambda: count(plain(), (2, 8)),
    "a class": lambda: count(nn.Linear, X),
    "no arguments": lambda: count(functools.partial(plain())),
    "strided": lambda: count(plain(), torch.nested.nested_tensor([X, X[:1]])),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_errors_take_one_line_without_the_model(refused: Callable[[], Any]) -> None:
    with pytest.raises((CountError, UsageError)) as raised:
        refused()
    error: InspectCostError = raised.value
    text = str(error)
    assert "\n" not in text
    assert len(text) < 400
    assert "(0): " not in text


def test_a_partial_of_a_model_is_the_model() -> None:
    assert count(functools.partial(plain()), X).macs == MACS
    assert count(functools.partial(plain(), X)).macs == MACS


def test_known_obstacles_are_worded_in_one_line() -> None:
    for obstacle in OBSTACLES:
        check_one_line(obstacle.advice)
        assert "\n" not in obstacle.reason
