"""Measuring workloads: predicted by pilots, by several backends, and ended early."""

import os
import pickle
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn

import pytest
import torch
from torch import nn

from inspect_cost.calls.call import Call
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.memory.child import REFERENCES
from inspect_cost.measuring.session import (
    MeasureRequest,
    format_duration,
    list_backends,
    measure_with_backends,
    predict_duration,
    throttle,
)
from inspect_cost.measuring.workload import Pilot, Workload
from inspect_cost.subjects import Conditions, resolve
from inspect_cost.values.identity import AUDIO, Output
from inspect_cost.values.notes import Note, codes

QUICK = MeasureRequest(budget_s=0.5, threads=1, memory=False)
MILLION = 1_000_000


def describe_preset(name: str, samples: int, batch: int = 1) -> Workload:
    """Describe the generating call of a preset."""
    subject = resolve(name, input_len=samples, batch=batch)
    return subject.workload(subject.phases[0], Conditions())


def note_codes(result: Measurement) -> list[str]:
    """Return the codes of a measurement's notes, in their order."""
    return list(codes(result.notes))


def code_of(note: Note | None) -> str:
    """Return the code of a note, "" of none."""
    return note.code if note else ""


class Stepwise(nn.Module):
    """Reports its steps to its attribute ``progress``, as models of the zoo do."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.progress: Callable[[float], None] | None = None

    def forward(self, x: torch.Tensor, steps: int = 4) -> torch.Tensor:
        for _ in range(steps):
            time.sleep(0.001)
            x = self.linear(x)
        return x


def make_call(model: nn.Module, steps: int) -> Call:
    """Return a call of so many steps."""
    return Call.of(model, torch.ones(1, 4), steps=steps)


def make_linear() -> Call:
    """Return a short call."""
    return Call.of(nn.Linear(4, 4), torch.ones(2, 4))


def make_sleep(seconds: float) -> Call:
    """Return a call that takes a known time and no CPU."""
    return Call.of(time.sleep, seconds)


def make_ones(elements: int) -> Call:
    """Return a call that makes a tensor."""
    return Call.of(torch.ones, elements)


def interrupt() -> NoReturn:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


def fail() -> NoReturn:
    """Fail to make a model."""
    raise ZeroDivisionError("no weights here.")


def test_a_workload_can_be_pickled() -> None:
    pilot = Pilot(partial(make_sleep, 0.001), 10.0, "a pilot")
    workload = Workload(make_linear, Output(4, "token"), pilot=pilot)
    copied = pickle.loads(pickle.dumps(workload))  # noqa: S301 - our own
    assert copied.output == workload.output
    assert copied.pilot.ratio == 10.0
    assert copied.make().run().shape == (2, 4)


def test_output_and_batch_reach_the_measurement() -> None:
    output = Output(2 * 11_025, AUDIO, 22_050)
    (result,) = measure_with_backends(Workload(make_linear, output, batch=2), QUICK)
    assert (result.audio_s, result.batch) == (1.0, 2)
    assert result.latency_s is not None
    assert result.throughput_per_s is not None
    assert result.throughput_per_s.value == pytest.approx(2 / result.latency_s.value)
    (result,) = measure_with_backends(Workload(make_linear, Output(5, "token")), QUICK)
    assert (result.audio_s, result.batch) == (None, 1)


def test_without_a_pilot_nothing_is_predicted() -> None:
    prediction = predict_duration(Workload(make_linear), QUICK)
    assert (prediction.call_s, prediction.refusal) == (None, None)
    as_long = Workload(make_linear, pilot=Pilot(fail, 1.0, "the same"))
    assert predict_duration(as_long, QUICK).call_s is None


@pytest.mark.parametrize(
    ("ratio", "budget_s", "code"),
    [(1e6, 0.5, "too-long"), (1e6, 1e9, ""), (10.0, 0.5, "")],
)
def test_a_call_is_made_unless_it_is_predicted_to_take_many_budgets(
    ratio: float, budget_s: float, code: str
) -> None:
    pilot = Pilot(partial(make_sleep, 0.01), ratio, "a pilot of 3 samples")
    workload = Workload(fail, stepwise=True, pilot=pilot)
    prediction = predict_duration(workload, MeasureRequest(budget_s=budget_s))
    assert prediction.call_s is not None
    assert prediction.call_s >= 0.01 * ratio
    assert code_of(prediction.refusal) == code
    if prediction.refusal:
        assert "a pilot of 3 samples" in prediction.refusal


def test_what_cannot_be_made_has_the_backend_that_would_have_run_it() -> None:
    (result,) = measure_with_backends(Workload(fail, native_backend="onnxruntime"), QUICK)
    assert result.backend == "onnxruntime"
    assert note_codes(result) == ["failed"]


def test_what_would_take_too_long_is_not_begun() -> None:
    pilot = Pilot(partial(make_sleep, 0.01), 1e9, "a pilot of 3 samples")
    (result,) = measure_with_backends(Workload(fail, stepwise=True, pilot=pilot), QUICK)
    assert note_codes(result) == ["too-long"]
    assert (result.latency_s, result.calls, result.partial) == (None, 0, False)


@pytest.mark.usefixtures("unhurried")
def test_what_would_not_fit_into_memory_is_not_begun() -> None:
    pilot = Pilot(partial(make_ones, 10 * MILLION), 1e7, "a pilot of 3 samples")
    request = MeasureRequest(budget_s=1e9, threads=1)
    (result,) = measure_with_backends(Workload(fail, pilot=pilot), request)
    known = os.access(REFERENCES, os.W_OK)  # not every kernel says what a call alone takes
    assert note_codes(result) == (["too-large"] if known else ["failed"])


def test_a_stepwise_model_that_takes_long_reports_its_own_steps() -> None:
    model = Stepwise()
    make = partial(make_call, model, 4)
    pilot = Pilot(partial(make_call, model, 1), 100.0, "a pilot")  # more than half of the budget
    (result,) = measure_with_backends(
        Workload(make, stepwise=True, pilot=pilot), MeasureRequest(0.1, None, 1, memory=False)
    )
    assert result.latency_s
    assert callable(model.progress)


def test_other_backends_would_unroll_a_stepwise_model() -> None:
    workload = Workload(partial(make_call, Stepwise(), 2), stepwise=True)
    request = MeasureRequest(0.5, None, 1, ("eager", "compile"), memory=False)
    eager, refused = measure_with_backends(workload, request)
    assert (eager.backend, refused.backend) == ("eager", "compile")
    assert eager.latency_s
    assert note_codes(refused) == ["failed"]
    assert "unroll" in refused.notes[0]


def test_eager_stands_for_the_native_backend() -> None:
    request = MeasureRequest(backends=("eager", "onnxruntime", "compile"))
    native = Workload(make_linear, native_backend="onnxruntime")
    assert list_backends(native, request) == ("onnxruntime", "compile")
    assert list_backends(Workload(make_linear), request) == ("eager", "onnxruntime", "compile")


@pytest.mark.usefixtures("unhurried")
def test_memory_and_outputs_of_another_backend() -> None:
    request = MeasureRequest(0.5, None, 1, ("eager", "onnxruntime"))
    eager, other = measure_with_backends(Workload(make_linear), request)
    assert eager.memory, eager.notes
    assert eager.max_relative_difference is None
    assert other.memory is None
    assert "memory-native-only" in note_codes(other)
    # Both were made anew with random weights, so the export's are others.
    assert other.max_relative_difference is not None


def test_what_fails_gives_a_measurement_that_says_why() -> None:
    (result,) = measure_with_backends(Workload(fail, device="cpu"), QUICK)
    assert note_codes(result) == ["failed"]
    assert result.notes[0] == "Not measured: ZeroDivisionError: no weights here."
    (result,) = measure_with_backends(Workload(interrupt), QUICK)
    assert note_codes(result) == ["interrupted"]
    assert result.partial


def test_what_a_preset_makes_in_short_first() -> None:
    stepwise = describe_preset("samplernn-3tier", 16_000, batch=2)
    assert stepwise.stepwise
    assert stepwise.pilot is not None
    assert stepwise.pilot.description == "a pilot of 512 samples"
    assert stepwise.pilot.ratio == 16_000 / 512
    assert (stepwise.audio_s, stepwise.batch) == (2.0, 2)
    assert describe_preset("wavegan", 16_000).pilot is None
    long = describe_preset("wavegan", 20 * 16_000)
    assert long.pilot is not None
    assert long.pilot.ratio > 10


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "0.012 s"), (119, "1.2e+02 s"), (7200, "2 hours"), (3.2e9, "100 years")],
)
def test_durations_are_in_the_unit_that_suits_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_progress_is_throttled() -> None:
    seen: list[float] = []
    moments = iter([10.0, 10.9, 11.0, 11.9, 12.5])
    report = throttle(seen.append, now=lambda: next(moments))
    for done in (0.1, 0.2, 0.3, 0.4):
        report(done)
    assert seen == [0.2, 0.4]
