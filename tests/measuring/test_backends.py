"""The same call by other means gives the same outputs, or says why it cannot."""

import time
from functools import partial
from pathlib import Path
from typing import NoReturn

import onnxruntime
import pytest
import torch
from torch import nn

from inspect_cost.calls.inputs import InputSpec
from inspect_cost.calls.target import Target, target
from inspect_cost.exporting.child import export
from inspect_cost.exporting.onnx import exported
from inspect_cost.measuring.backends import BACKENDS, Setup, max_relative_difference, outputs
from inspect_cost.measuring.session import Request, measured
from inspect_cost.subjects.onnx_workload import OnnxWorkload
from inspect_cost.subjects.workload import Conditions, PresetWorkload
from inspect_cost.values.errors import MeasurementError, UsageError


def itself(call: Target) -> Target:
    """Makes nothing anew."""
    return call


def setup(call: Target, budget_s: float = 1.0) -> Setup:
    """One thread."""
    return Setup(partial(itself, call), 1, budget_s)


class Net(nn.Module):
    """With a named input, a plain argument and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def generate(self, x: torch.Tensor, *, bias: torch.Tensor, times: int) -> list[torch.Tensor]:
        y = torch.tanh(self.linear(x)) + bias
        return [y * times, y.sum()]


@pytest.mark.parametrize("backend", ["eager", "compile", "onnxruntime"])
def test_outputs_are_equal(backend: str) -> None:
    model = Net().eval()
    kwargs = {"bias": torch.randn(8), "times": 3}
    call = target(model.generate, (torch.randn(2, 8),), kwargs)
    ready = BACKENDS[backend](call, setup(call))
    reference = outputs(call, 1)
    assert [t.shape for t in reference] == [(2, 8), ()]
    difference = max_relative_difference(reference, outputs(ready, 1))
    assert difference is not None
    assert difference < 1e-5


def test_differences_are_relative_to_the_largest_element() -> None:
    expected = [torch.tensor([1.0, -4.0]), torch.tensor([0.1])]
    given = [torch.tensor([1.2, -4.0]), torch.tensor([0.1])]
    assert max_relative_difference(expected, given) == pytest.approx(0.05)
    assert max_relative_difference(expected, given[:1]) is None
    assert max_relative_difference([torch.tensor([0.0])], [torch.tensor([0.5])]) == 0.5


def test_compile_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    call = target(nn.Linear(2, 2), (torch.ones(1, 2),), {})
    with pytest.raises(MeasurementError, match=r"needs a C\+\+ compiler, and none is here"):
        BACKENDS["compile"](call, setup(call))


class Deciding(nn.Module):
    """Its course depends on values, which no export follows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1 if x.sum().item() > 0 else x


def test_what_cannot_be_exported_says_so(tmp_path: Path) -> None:
    call = target(Deciding(), (torch.ones(2),), {})
    assert "torch.onnx.export cannot export it" in export(call, tmp_path / "model.onnx")


def test_an_export_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "inspect_cost.measuring.backends.ask_fresh_process", lambda *_: ({"error": "x"}, "")
    )
    call = target(Deciding(), (torch.ones(2),), {})
    with pytest.raises(MeasurementError, match="the export to ONNX failed: x"):
        BACKENDS["onnxruntime"](call, setup(call))


def slow() -> NoReturn:
    """Makes a call too late."""
    time.sleep(60)
    raise AssertionError


def test_an_export_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspect_cost.measuring.backends.LEAST_LIMIT_S", 0.5)
    call = target(nn.Linear(2, 2), (torch.ones(1, 2),), {})
    with pytest.raises(MeasurementError, match=r"the export to ONNX took longer than 0\.6 s"):
        BACKENDS["onnxruntime"](call, Setup(slow, 1, 0.6))


def test_an_export_may_take_a_minute_or_the_budget() -> None:
    assert Setup(slow, 1, 30.0).limit_s == 60
    assert Setup(slow, 1, 300.0).limit_s == 300


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small graph of one input, with torch's own exporter."""
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    exported(nn.Linear(8, 4).eval(), (torch.ones(2, 8),), {}, path)
    return path


QUICK = Request(budget_s=1.0, memory=False)


def test_an_onnx_file_is_measured_by_onnxruntime(file: Path) -> None:
    (result,) = measured(OnnxWorkload(str(file), threads=1), QUICK)
    assert (result.backend, result.device, result.calls > 1) == ("onnxruntime", "cpu", True)
    assert result.latency_s
    assert result.latency_s.value < 0.01


def test_an_onnx_file_has_memory_of_its_process_but_not_of_torch(file: Path) -> None:
    request = Request(budget_s=1.0)
    (result,) = measured(OnnxWorkload(str(file), threads=1), request)
    assert result.memory, result.notes
    assert result.memory.peak_rss_b.value > 1e6
    assert result.memory.allocator_peak_b is None


def test_an_onnx_files_inputs_are_as_counted(file: Path) -> None:
    call = OnnxWorkload(str(file), [InputSpec(None, (2, 8), "float32")], threads=1).target()
    (array,) = call.args[1].values()
    assert (array.shape, array.dtype) == ((2, 8), "float32")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {session.get_inputs()[0].name: array})
    assert outputs(call)[0].numpy() == pytest.approx(expected)


def test_what_an_onnx_file_cannot_do_says_so(file: Path) -> None:
    request = Request(budget_s=1.0, memory=False, backends=("eager", "compile"))
    ran, refused = measured(OnnxWorkload(str(file), threads=1), request)
    assert (ran.backend, refused.backend, refused.latency_s) == ("onnxruntime", "compile", None)
    assert "compile takes a PyTorch model, not an ONNX file" in refused.notes[0]
    wrong = OnnxWorkload(str(file), [InputSpec(None, (3, 8), "float32")])
    (result,) = measured(wrong, QUICK)
    assert "and 3 was given" in result.notes[0]
    for conditions in (Conditions(batch=2), Conditions(dtype="float16")):
        with pytest.raises(UsageError, match="is for PyTorch models"):
            OnnxWorkload(str(file), conditions=conditions)


@pytest.mark.slow
def test_a_preset_by_two_backends_has_equal_outputs() -> None:
    request = Request(budget_s=1.0, memory=False, backends=("eager", "onnxruntime"))
    eager, other = measured(PresetWorkload("wavegan", 1024), request)
    assert eager.backend == "eager"
    assert other.latency_s, other.notes
    assert other.max_relative_difference is not None
    assert other.max_relative_difference < 1e-4
