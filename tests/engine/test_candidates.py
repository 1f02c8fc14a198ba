"""Models to rank, by the names and files that a user gives."""

import json
from pathlib import Path

import pytest

from inspect_cost.calls.inputs import parse_input
from inspect_cost.engine.candidates import gather_candidates
from inspect_cost.ranking.candidates import Candidate
from inspect_cost.subjects import Request
from inspect_cost.values.errors import UsageError
from tests.reports.small import make_inspection, write_inspection


def gather(
    *sources: Path | str, asked: tuple[str, ...] = ("params",), request: Request | None = None
) -> list[Candidate]:
    return gather_candidates([str(path) for path in sources], request or Request(""), asked)


def test_reports_and_tables_of_one_model_are_merged(tmp_path: Path) -> None:
    report, table = tmp_path / "net.json", tmp_path / "net.CSV"
    write_inspection(report, make_inspection())
    table.write_text("name,mos,mos_truth\nnet,4,5\n")
    (candidate,) = gather(report, table)
    assert candidate.name == "net"
    assert {n: q.value for n, q in candidate.values.items() if n in {"params", "mos_ratio"}} == {
        "params": 10,
        "mos_ratio": 0.8,
    }


def test_a_file_may_have_several_reports(tmp_path: Path) -> None:
    path = tmp_path / "two.json"
    reports = [make_inspection(name).to_dict() for name in ("net", "other")]
    path.write_text(json.dumps(reports))
    assert [candidate.name for candidate in gather(path)] == ["net", "other"]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "3", '{"schema": "inspect-cost/report/9"}', '{"schema": "inspect-cost/report/1"}'],
)
def test_files_without_complete_reports(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"t\.json") as raised:
        gather(path)
    assert raised.value.advice


def test_models_of_every_kind_are_counted(tmp_path: Path, net: str, product: str) -> None:
    """One product of (2, 3) and (3, 5) by code and as a file, a preset, and a report."""
    report = write_inspection(tmp_path / "net.json", make_inspection())
    request = Request("", inputs=(parse_input("x=2,3"),))
    found = gather(net, product, report, "wavegan", request=request, asked=("macs",))
    macs = {candidate.name: candidate.values["macs"].value for candidate in found}
    assert macs == {net: 30, product: 30, "net": 20, "wavegan": 847_052_800}


def test_what_is_neither_a_file_nor_a_model() -> None:
    with pytest.raises(UsageError, match="did you mean wavegan"):
        gather("wavegun")
