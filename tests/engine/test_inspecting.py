"""Inspecting: names, subjects and calls give complete reports."""

import pytest
import torch
from torch import nn

import inspect_cost
from inspect_cost import Call, Inspection, UsageError
from inspect_cost.measuring.session import MeasureRequest
from inspect_cost.values.notes import codes


def test_a_name_gives_what_the_command_line_gives() -> None:
    report = inspect_cost.inspect("wavegan", measure=False)
    assert isinstance(report, Inspection)
    assert report.count.macs == 847_052_800
    assert report.standing is not None
    assert report.standing.model == "WaveGAN"
    assert report.facts()["macs_per_s"].value == 847_052_800 * 16_000 / 16_384
    assert report.facts()["macs_per_output"] == report.facts()["macs_per_s"]


def test_a_subject_is_inspected_as_its_name_is(net: str) -> None:
    subject = inspect_cost.resolve(net, inputs=["2,3"])
    by_subject = inspect_cost.inspect(subject, measure=False, law=False)
    by_name = inspect_cost.inspect(net, inputs=["2,3"], measure=False)
    assert by_subject.count == by_name.count
    assert by_subject.identity.title == "Net"


def test_an_onnx_file_by_its_name(product: str) -> None:
    report = inspect_cost.inspect(product, inputs=["x=2,3"], measure=False)
    assert report.count.macs == 30
    assert report.standing is None


def test_a_call_in_hand_is_counted_and_measured() -> None:
    model, x = nn.Linear(3, 5), torch.rand(2, 3)
    quick = MeasureRequest(budget_s=0.5, memory=False)
    report = inspect_cost.inspect(Call.of(model, x), measure=quick)
    assert report.count.macs == 30
    assert report.measurement is not None
    assert report.measurement.latency_s is not None
    assert report.output is None
    assert report.only.phase.description == "forward of (2, 3)"
    assert model.training  # as before


def test_a_law_is_found_where_there_is_one(net: str) -> None:
    report = inspect_cost.inspect(net, inputs=["L,3"], input_len=2, law=True, measure=False)
    assert report.law is not None
    assert report.law.report(1000).macs == 15_000


def test_where_no_law_holds_a_note_says_so() -> None:
    report = inspect_cost.inspect("wavegan", measure=False, policy="valid")
    assert "no-law" not in codes(report.count.notes)
    assert report.count.policy == "valid"


def test_nothing_is_measured_of_a_training_step(net: str) -> None:
    report = inspect_cost.inspect(net, inputs=["2,3"], backward=True)
    assert report.measurements == ()
    assert "training-step" in codes(report.count.notes)


@pytest.mark.parametrize(
    ("target", "given", "field"),
    [
        (nn.Linear(3, 5), {}, ""),
        (3, {}, ""),
        (Call.of(nn.Linear(3, 5), torch.rand(2, 3)), {"input_len": 3}, "input_len"),
        ("wavegan", {"inputs": ["1,3"]}, "inputs"),
        ("wavegan", {"policy": "sparse"}, "policy"),
    ],
)
def test_mistakes(target: object, given: dict[str, object], field: str) -> None:
    with pytest.raises(UsageError) as error:
        inspect_cost.inspect(target, measure=False, **given)  # type: ignore[arg-type]
    assert error.value.field == field
    assert error.value.advice
