"""Inspections as files: what is written is read back, and old readers find what they knew."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Run
from torch import nn

import inspect_cost
from inspect_cost.counting.law import CostLaw
from inspect_cost.reports.data import load_inspections
from inspect_cost.reports.inspection import Inspection, PhaseResult
from inspect_cost.reports.results import Laws, TrainingCarbon
from inspect_cost.values.cost import FlopWeights
from inspect_cost.values.identity import Identity, Output, Phase
from inspect_cost.values.notes import Note
from inspect_cost.values.presentable import Presentable
from tests.reports import strategies
from tests.reports.examples import INSPECTION
from tests.reports.small import COUNT, OUTPUT, make_inspection

SAMPLES = Path(__file__).parent / "data" / "schema_1"
#: Random results are large: few of them do, and a failure is not made smaller, which takes minutes.
PATIENT = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Run.explicit, Run.generate],
)


def write_again(result: Presentable, folder: Path) -> tuple[Any, str, str]:
    """Save and load a result; return it with its JSON before and after."""
    path = folder / "result.json"
    result.save(path)
    loaded = inspect_cost.load(path, type(result))
    return loaded, json.dumps(result.to_dict()), json.dumps(loaded.to_dict())  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


@PATIENT
@given(inspection=strategies.inspections)
def test_inspections_are_read_back_as_they_were(inspection: Inspection, folder: Path) -> None:
    loaded, before, after = write_again(inspection, folder)
    assert loaded == inspection
    assert after == before  # which holds the codes of notes too


@pytest.mark.parametrize(
    "results",
    [
        strategies.counts,
        strategies.laws(),
        strategies.measurements,
        strategies.trainings,
        strategies.standings,
        strategies.crosschecks,
        strategies.laws().map(lambda law: Laws({"a": law})),
        strategies.trainings.map(lambda found: TrainingCarbon({"a": found, "b": None})),
    ],
    ids=["count", "law", "measurement", "training", "standing", "crosscheck", "laws", "trainings"],
)
def test_so_are_other_results(results: Any, folder: Path) -> None:
    @settings(PATIENT, max_examples=10)
    @given(result=results)
    def check(result: Presentable) -> None:
        loaded, before, after = write_again(result, folder)
        assert loaded == result
        assert after == before

    check()


class Net(nn.Module):
    """With weight norm, a layer in vain, a parameter that nothing reads, and an unknown cost."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(1, 4, 3, padding=1))
        self.idle, self.unread = nn.Linear(8, 8), nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        self.idle(x)
        return torch.linalg.svdvals(x)


def find_law() -> CostLaw:
    layer = nn.Conv1d(1, 4, 3, padding=1)
    return inspect_cost.cost_law(layer, lambda length: torch.zeros(1, 1, length))


def test_real_counts_and_laws(tmp_path: Path) -> None:
    count = inspect_cost.count(Net(), torch.zeros(2, 1, 8))
    assert count.waste
    assert count.foldable
    assert count.uncounted
    law = find_law()
    (phase,) = INSPECTION.phases
    whole = replace(INSPECTION, phases=(replace(phase, count=count, law=law),))
    loaded, before, after = write_again(whole, tmp_path)
    assert loaded == whole
    assert after == before
    assert loaded.count.waste == count.waste
    assert loaded.count.foldable == count.foldable
    assert loaded.law.report(1000).macs == law.report(1000).macs


def test_the_examples_tallies_are_written_once() -> None:
    law = find_law()
    assert "tallies" not in law.to_dict()["example"]


def find_missing(former: Any, written: Any, place: str = "") -> list[str]:
    """Return the places of what a report of schema 1 has, and another report lacks."""
    if isinstance(former, list) and former and written:
        return find_missing(former[0], written[0], f"{place}/0")
    if not isinstance(former, dict) or not isinstance(written, dict):
        return []
    lacking = [f"{place}/{key}" for key in former.keys() - written.keys()]
    shared = former.keys() & written.keys()
    return lacking + [
        found
        for key in shared
        for found in find_missing(former[key], written[key], f"{place}/{key}")
    ]


@pytest.mark.parametrize("name", ["energy.json", "preset.json", "own_model.json"])
def test_readers_of_schema_1_find_what_they_knew(name: str) -> None:
    former = json.loads((SAMPLES / name).read_text())
    (inspection,) = load_inspections(SAMPLES / name)
    written = inspection.to_dict()
    for changed in ("schema", "conventions"):
        del former[changed]
    for unknown in ("dtypes", "operators", "waste", "foldable"):  # schema 1 does not say enough
        del former["count"][unknown]
    assert not find_missing(former, written)
    for key in ("macs", "flops", "flops_by_class", "bytes_moved", "params_folded", "uncounted"):
        assert written["count"][key] == former["count"][key]
    assert written["audio"] == former["audio"]
    assert written["weighted_flops"] == former["weighted_flops"]


def test_what_it_takes_to_read_a_report_back_is_written_once() -> None:
    written = INSPECTION.to_dict()
    assert "tallies" in written["phases"][0]["count"]
    assert "tallies" not in written["count"]
    assert "latencies_s" in written["phases"][0]["measurement"]["backends"][0]["windows"][0]
    assert "latencies_s" not in written["measurement"]["windows"][0]


def test_several_phases_have_no_copy_at_the_top(tmp_path: Path) -> None:
    one = PhaseResult(Phase("prefill", "a prompt", Output(128, "token")), COUNT)
    two = PhaseResult(Phase("decode", "a token", Output(1, "token")), COUNT, weights=FlopWeights())
    both = Inspection(Identity("m", "M"), (one, two), {})
    written = both.to_dict()
    assert not {"count", "measurement", "audio", "model"} & written.keys()
    assert [phase["name"] for phase in written["phases"]] == ["prefill", "decode"]
    assert write_again(both, tmp_path)[0] == both


def test_conventions_are_a_reference() -> None:
    assert make_inspection().to_dict()["conventions"].keys() == {"version", "see"}


def test_notes_carry_a_code_and_a_severity() -> None:
    note = Note("real-run", "It was run.", "warning")
    written = make_inspection(count=replace(COUNT, notes=(note,))).to_dict()
    expected = {"code": "real-run", "text": "It was run.", "severity": "warning"}
    assert written["phases"][0]["count"]["notes"] == [expected]


def test_audio_is_there_only_if_the_output_is_audio() -> None:
    assert make_inspection(output=OUTPUT).to_dict()["audio"]["macs_per_second"] == 40
    assert make_inspection(output=Output(4, "image")).to_dict()["audio"] is None


def test_a_report_is_one_line_in_an_interpreter() -> None:
    assert repr(make_inspection("net.py:Net")).startswith("<Inspection net.py:Net")
    assert "\n" not in repr(INSPECTION)
    for measurement in INSPECTION.measurements:
        assert len(repr(measurement)) < 100
