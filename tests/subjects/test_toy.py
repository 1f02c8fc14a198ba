"""A new kind of subject is one class and one line in `KINDS`: then every verb takes it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import pytest
import torch

from inspect_cost import subjects
from inspect_cost.calls.call import Call
from inspect_cost.cli import main
from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.count import count_call
from inspect_cost.counting.torch.law_search import cost_law
from inspect_cost.exporting.onnx import Exported, export_call
from inspect_cost.measuring.workload import Workload
from inspect_cost.subjects import KINDS, Conditions, Request, SubjectKind
from inspect_cost.values.identity import Identity, Output, Phase


@dataclass(frozen=True)
class Square:
    """``square:N``: the square of an N x N matrix, once for each token."""

    size: int

    @classmethod
    def of(cls, request: Request) -> Self:
        return cls(int(request.name.partition(":")[2]))

    @property
    def identity(self) -> Identity:
        return Identity(f"square:{self.size}", "Square")

    @property
    def phases(self) -> tuple[Phase, ...]:
        return (Phase(description="one square", output=Output(self.size, "token")),)

    def count(self, phase: Phase, options: CountOptions) -> CostReport:
        return count_call(self.peer_call(phase), options)

    def law(self, phase: Phase, options: CountOptions, period: int | None = None) -> CostLaw:
        del phase, options
        return cost_law(torch.matmul, lambda n: (torch.zeros(n, n),) * 2, period=period)

    def call(self, phase: Phase, conditions: Conditions) -> Call:
        return self.peer_call(phase).to(conditions.device)

    def workload(self, phase: Phase, conditions: Conditions) -> Workload:
        return Workload(make=partial(self.call, phase, conditions), output=phase.output)

    def peer_call(self, phase: Phase) -> Call:
        del phase
        return Call.of(torch.matmul, *[torch.zeros(self.size, self.size)] * 2)

    def export(
        self, phase: Phase, output: Path, *, weights: Path | None = None, seed: int = 0
    ) -> Exported:
        del weights, seed
        return export_call(self.peer_call(phase), output, "a square")


SQUARES = SubjectKind(
    title="squares",
    written="the square of a matrix, square:8",
    claims=lambda name: name.startswith("square:"),
    takes=frozenset(),
    make=Square.of,
)

Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setattr(subjects, "KINDS", (SQUARES, *KINDS))

    def run(*words: str) -> str:
        assert main(words) == 0
        return capsys.readouterr().out

    return run


def test_it_is_counted_and_its_costs_are_per_token(run: Run) -> None:
    table = run("square:8", "--no-measure")
    assert "64 MAC per token" in table
    data = json.loads(run("square:8", "--no-measure", "--format", "json"))
    assert data["count"]["macs"] == 8**3
    assert data["phases"][0]["output"] == {
        "amount": 8,
        "unit": "token",
        "rate": 1,
        "requested": None,
    }
    assert data["audio"] is None


def test_it_has_a_law(run: Run) -> None:
    data = json.loads(run("law", "square:8", "--format", "json"))
    assert data["laws"]["square:8"]["macs"] == ["0", "0", "0", "1"]


def test_it_is_ranked_beside_other_kinds(run: Run) -> None:
    words = "rank square:8 square:9 wavegan --cost macs,params --format json"
    data = json.loads(run(*words.split()))
    assert data["fronts"] == [["square:8"], ["square:9"], ["wavegan"]]


def test_it_is_measured(run: Run) -> None:
    words = "square:8 --measure-time 1s --no-memory --format json"
    data = json.loads(run(*words.split()))
    assert data["measurement"]["latency_s"]["value"] > 0


def test_it_is_cross_checked_and_exported(run: Run, tmp_path: Path) -> None:
    data = json.loads(run("crosscheck", "square:8", "--format", "json"))
    peers = {peer["name"]: peer["macs"] for peer in data["peers"]}
    assert peers["FlopCounterMode"] == 8**3
    run("export", "square:8", "-o", str(tmp_path / "square.onnx"))
    assert (tmp_path / "square.onnx").is_file()
