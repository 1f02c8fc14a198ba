"""Models to rank, by the names and files that a user gives."""

import json
from pathlib import Path

import pytest

from inspect_cost.ranking.candidates import Candidate
from inspect_cost.subjects.gathering import gather_candidates, read_reports
from inspect_cost.values.errors import UsageError
from tests.reports.small import make_inspection, write_inspection


def gather(*sources: Path, asked: tuple[str, ...] = ("params",)) -> list[Candidate]:
    return gather_candidates([str(path) for path in sources], None, asked, lambda _: None)


def test_reports_and_tables_of_one_model_are_merged(tmp_path: Path) -> None:
    report, table = tmp_path / "net.json", tmp_path / "net.CSV"
    write_inspection(report, make_inspection("net"))
    table.write_text("name,mos,mos_truth\nnet,4,5\n")
    (candidate,) = gather(report, table)
    assert candidate.name == "net"
    assert {n: q.value for n, q in candidate.values.items() if n in {"params", "mos_ratio"}} == {
        "params": 10,
        "mos_ratio": 0.8,
    }


def test_a_file_may_have_several_reports(tmp_path: Path) -> None:
    path = tmp_path / "two.json"
    path.write_text(json.dumps([make_inspection(name).to_dict() for name in ("net", "other")]))
    assert [candidate.name for candidate in read_reports(path)] == ["net", "other"]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "3", '{"schema": "inspect-cost/report/9"}', '{"schema": "inspect-cost/report/1"}'],
)
def test_files_without_complete_reports(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"t\.json") as raised:
        read_reports(path)
    assert raised.value.advice


def test_unknown_files_and_presets(tmp_path: Path) -> None:
    (tmp_path / "bare").touch()
    for source in (tmp_path / "t.yaml", tmp_path / "bare", Path("net.py:Net"), Path("wavegun")):
        with pytest.raises(UsageError) as raised:
            gather(source)
        assert ".json" in raised.value.advice
