"""The same call by other means gives the same outputs, or says why it cannot."""

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import onnxruntime  # type: ignore[import-untyped]  # it has no stubs
import pytest
import torch
from torch import nn

from inspect_cost.calls.call import Call
from inspect_cost.exporting.onnx import export_call
from inspect_cost.measuring.backends import BACKENDS, load_backend
from inspect_cost.measuring.backends.outputs import (
    compare_outputs,
    compute_outputs,
    max_relative_difference,
)
from inspect_cost.measuring.backends.setup import Setup, SetupTimeoutError
from inspect_cost.measuring.backends.speedup import compute_speedup
from inspect_cost.measuring.fresh_process import NoAnswerError, ask_fresh_process
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.session import MeasureRequest, measure_with_backends
from inspect_cost.measuring.workload import Workload
from inspect_cost.subjects import Conditions, resolve
from inspect_cost.values.errors import MeasurementError, Unsupported, UsageError
from inspect_cost.values.notes import codes
from inspect_cost.values.quantity import Quantity
from tests.extras import needs_compiler


def itself(call: Call) -> Call:
    """Return a call as it is."""
    return call


def set_up(call: Call, budget_s: float = 900.0) -> Setup:
    """Return the setup of a call on one thread, with the time that a busy machine takes."""
    return Setup(partial(itself, call), 1, budget_s)


def note_codes(result: Measurement) -> list[str]:
    """Return the codes of a measurement's notes, in their order."""
    return list(codes(result.notes))


class Net(nn.Module):
    """With a named input, a plain argument and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def generate(self, x: torch.Tensor, *, bias: torch.Tensor, times: int) -> list[torch.Tensor]:
        y = torch.tanh(self.linear(x)) + bias
        return [y * times, y.sum()]


@pytest.mark.parametrize("backend", tuple(BACKENDS))
def test_outputs_are_equal(backend: str) -> None:
    if backend == "compile":
        needs_compiler()
    model = Net().eval()
    call = Call.of(model.generate, torch.randn(2, 8), bias=torch.randn(8), times=3)
    ready = load_backend(backend)(call, set_up(call))
    reference = compute_outputs(call, 1)
    assert [t.shape for t in reference] == [(2, 8), ()]
    difference = max_relative_difference(reference, compute_outputs(ready, 1))
    assert difference is not None
    assert difference < 1e-5


def test_the_table_of_backends_needs_no_torch() -> None:
    script = "import sys, inspect_cost.measuring.backends; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0  # noqa: S603


def test_differences_are_relative_to_the_largest_element() -> None:
    expected = [torch.tensor([1.0, -4.0]), torch.tensor([0.1])]
    given = [torch.tensor([1.2, -4.0]), torch.tensor([0.1])]
    assert max_relative_difference(expected, given) == pytest.approx(0.05)
    assert max_relative_difference(expected, given[:1]) is None
    assert max_relative_difference([torch.tensor([0.0])], [torch.tensor([0.5])]) == 0.5


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("expected", "given", "relative", "pattern"),
    [
        ([1.0, 2.0], [NAN, 2.0], 0.0, "nan in 1 elements more"),
        ([NAN, 2.0], [1.0, 2.0], 0.0, "nan in 0 elements more and 1 fewer"),
        ([-INF, 1.0, 2.0], [-INF, 50.0, -7.0], 24.5, ""),
        ([INF, 1.0, 2.0], [-INF, 1.0, 2.0], 0.0, "-inf in 1 elements more"),
        ([NAN, INF, -INF], [NAN, INF, -INF], 0.0, ""),
        ([NAN, 4.0], [NAN, 3.0], 0.25, ""),
        ([1e308, -1e308], [-1e308, 1e308], 2.0, ""),
        ([0.0, 0.0], [0.0, 3.0], 3.0, ""),
        ([], [], 0.0, ""),
    ],
)
def test_values_that_are_not_finite_are_compared_by_their_places(
    expected: list[float], given: list[float], relative: float, pattern: str
) -> None:
    reference, other = ([torch.tensor(v, dtype=torch.float64)] for v in (expected, given))
    found = compare_outputs(reference, other)
    assert found.relative == pytest.approx(relative)
    assert pattern in found.remark
    assert bool(found.remark) is bool(pattern)
    assert max_relative_difference(reference, other) == (INF if pattern else found.relative)


def test_complex_outputs_differ_in_their_imaginary_parts_too() -> None:
    found = compare_outputs([torch.tensor([1 + 2j])], [torch.tensor([1 - 2j])])
    assert found.relative == pytest.approx(2.0)


def latency(value: float, low: float, high: float) -> Measurement:
    return Measurement(latency_s=Quantity(value, "s", "measured", "clock", (low, high)))


def test_a_speedup_has_the_interval_of_both_latencies() -> None:
    found = compute_speedup(latency(4.0, 2.0, 8.0), latency(1.0, 0.5, 2.0))
    assert found
    assert found.value == 4
    factor = math.exp(math.log(2) * 2**0.5)
    assert found.ci95 == pytest.approx((4 / factor, 4 * factor))
    without = replace(latency(4.0, 2.0, 8.0), latency_s=Quantity(4.0, "s", "measured", "clock"))
    alone = compute_speedup(without, latency(1.0, 0.5, 2.0))
    assert alone
    assert alone.ci95 is None
    assert compute_speedup(Measurement(), without) is None


class Masked(nn.Module):
    """Has masked logits."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.masked_fill(x < 0, -INF)


def make_masked() -> Call:
    """A call of it."""
    return Call.of(Masked(), torch.tensor([-1.0, 2.0, 3.0]))


@pytest.mark.usefixtures("unhurried")
def test_backends_side_by_side_have_setup_times_and_a_speedup() -> None:
    request = MeasureRequest(0.5, None, 1, ("eager", "onnxruntime"), memory=False)
    eager, other = measure_with_backends(Workload(make_masked), request)
    assert (eager.setup_s, eager.speedup) == (None, None)
    assert other.setup_s, other.notes
    assert other.setup_s.value > 0
    assert other.speedup
    assert eager.latency_s
    assert other.latency_s
    assert other.speedup.value == pytest.approx(eager.latency_s.value / other.latency_s.value)
    assert other.max_relative_difference == 0
    assert "outputs-differ" not in codes(other.notes)
    assert Measurement.from_dict(json.loads(other.to_json())).speedup == other.speedup


def test_compile_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    call = Call.of(nn.Linear(2, 2), torch.ones(1, 2))
    with pytest.raises(MeasurementError, match=r"needs a C\+\+ compiler, and none is here"):
        load_backend("compile")(call, set_up(call))


def test_a_function_is_compiled_with_the_modules_that_it_refers_to() -> None:
    needs_compiler()
    model = nn.Linear(4, 4).eval()
    call = Call.of(lambda x: model(x).relu(), torch.randn(2, 4)).as_module()
    ready = load_backend("compile")(call, set_up(call))
    assert max_relative_difference(compute_outputs(call), compute_outputs(ready)) == pytest.approx(
        0, abs=1e-5
    )


class Deciding(nn.Module):
    """Its course depends on values, which no export follows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1 if x.sum().item() > 0 else x


def test_what_cannot_be_exported_says_so() -> None:
    call = Call.of(Deciding(), torch.ones(2))
    with pytest.raises(MeasurementError, match=r"torch\.onnx\.export cannot export it") as error:
        load_backend("onnxruntime")(call, set_up(call))
    assert not isinstance(error.value, SetupTimeoutError)


def wait() -> NoReturn:
    """Make a call too late."""
    time.sleep(60)
    raise AssertionError


def test_an_export_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspect_cost.measuring.backends.setup.LEAST_LIMIT_S", 0.5)
    call = Call.of(nn.Linear(2, 2), torch.ones(1, 2))
    with pytest.raises(SetupTimeoutError, match=r"0\.6 s.*`measure_time_s`"):
        load_backend("onnxruntime")(call, Setup(wait, 1, 0.6))


def test_an_export_may_take_a_minute_or_the_budget() -> None:
    assert Setup(wait, 1, 30.0).limit_s == 60
    assert Setup(wait, 1, 300.0).limit_s == 300


def fail() -> NoReturn:
    """Raise an error of the user's own."""
    raise ZeroDivisionError("on purpose")


def test_a_fresh_process_says_why_it_gave_no_answer() -> None:
    with pytest.raises(NoAnswerError, match="ZeroDivisionError: on purpose") as error:
        ask_fresh_process("measuring.memory.child", (fail, 1), 900)
    assert not error.value.timed_out
    with pytest.raises(NoAnswerError) as error:
        ask_fresh_process("measuring.memory.child", (wait, 1), 0.2)
    assert error.value.timed_out
    with pytest.raises(NoAnswerError, match="cannot be copied") as error:
        ask_fresh_process("measuring.memory.child", lambda: 1, 900)
    assert not error.value.timed_out


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a small graph of one input."""
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    export_call(Call.of(nn.Linear(8, 4), torch.ones(2, 8)), path)
    return path


def describe_run(name: str | Path, input_len: int | None = None, *shapes: str) -> Workload:
    """Describe the call of a subject on one thread."""
    subject = resolve(str(name), input_len=input_len, inputs=shapes)
    return subject.workload(subject.phases[0], Conditions(threads=1))


QUICK = MeasureRequest(budget_s=1.0, memory=False)


def test_an_onnx_file_is_measured_by_onnxruntime(file: Path) -> None:
    (result,) = measure_with_backends(describe_run(file), QUICK)
    assert (result.backend, result.device, result.calls > 1) == ("onnxruntime", "cpu", True)
    assert result.latency_s


@pytest.mark.usefixtures("unhurried")
def test_an_onnx_file_has_memory_of_its_process_but_not_of_torch(file: Path) -> None:
    request = MeasureRequest(budget_s=1.0)
    (result,) = measure_with_backends(describe_run(file), request)
    assert result.memory, result.notes
    assert result.memory.peak_rss_b
    assert result.memory.peak_rss_b.value > 1e6
    assert result.memory.allocator_peak_b is None


def test_an_onnx_files_inputs_are_as_counted(file: Path) -> None:
    call = describe_run(file, None, "2,8").make()
    (array,) = call.args[1].values()
    assert (array.shape, array.dtype) == ((2, 8), "float32")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {session.get_inputs()[0].name: array})
    assert compute_outputs(call)[0].numpy() == pytest.approx(expected)


def test_what_an_onnx_file_cannot_do_says_so(file: Path) -> None:
    request = MeasureRequest(budget_s=1.0, memory=False, backends=("eager", "compile"))
    ran, refused = measure_with_backends(describe_run(file), request)
    assert (ran.backend, refused.backend, refused.latency_s) == ("onnxruntime", "compile", None)
    assert note_codes(refused) == ["failed"]
    assert "compile takes a PyTorch model" in refused.notes[0]
    with pytest.raises(UsageError, match="3 was given"):
        describe_run(file, None, "3,8")


def test_conditions_that_an_onnx_file_fixes_are_refused(file: Path) -> None:
    with pytest.raises(Unsupported) as refusal:
        resolve(str(file), batch=2)
    assert refusal.value.field == "batch"
    subject = resolve(str(file))
    with pytest.raises(Unsupported) as refusal:
        subject.workload(subject.phases[0], Conditions(dtype="float16"))
    assert refusal.value.field == "dtype"


@pytest.mark.slow
@pytest.mark.usefixtures("unhurried")
def test_a_preset_by_two_backends_has_equal_outputs() -> None:
    request = MeasureRequest(budget_s=1.0, memory=False, backends=("eager", "onnxruntime"))
    eager, other = measure_with_backends(describe_run("wavegan", 1024), request)
    assert eager.backend == "eager"
    assert other.latency_s, other.notes
    assert other.max_relative_difference is not None
    assert other.max_relative_difference < 1e-4
