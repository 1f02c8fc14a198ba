"""Reading files: older and newer ones, broken ones, and what is no file of this tool."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import inspect_cost
from inspect_cost.measuring import measurement
from inspect_cost.reports.data import LARGEST_FILE_B, load, load_inspections
from inspect_cost.reports.inspection import Inspection
from inspect_cost.reports.schema_1 import UNATTRIBUTED
from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import UsageError
from inspect_cost.values.identity import AUDIO, Output
from tests.reports.examples import CROSSCHECK, INSPECTION, MEASUREMENT
from tests.reports.small import make_inspection, write_inspection

DATA = Path(__file__).parent / "data"
SAMPLES = sorted((DATA / "schema_1").glob("*.json"))
#: File -> fact -> quantity, as they were read when schema 1 was the newest.
FORMER_FACTS = json.loads((DATA / "facts_of_schema_1.json").read_text())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_facts_of_schema_1_are_what_they_were(path: Path) -> None:
    (inspection,) = load_inspections(path)
    facts = {name: fact.to_dict() for name, fact in inspection.facts("origin").items()}
    former = FORMER_FACTS[path.name]
    assert {name: facts.get(name) for name in former} == former
    newer = facts.keys() - former.keys()
    assert all("_per_output" in name or name == "bytes_per_output" for name in newer)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_totals_of_schema_1_are_exact(path: Path) -> None:
    former, count = json.loads(path.read_text())["count"], load(path, Inspection).count
    for name in ("params", "param_bytes", "macs", "flops", "flops_by_class", "bytes_moved"):
        assert getattr(count, name) == former[name]
    assert count.storage.folded_params == former["params_folded"]
    assert dict(count.storage.dtypes) == former["dtypes"]
    assert dict(count.uncounted) == former["uncounted"]
    assert sum(tally.calls for tally in count.tallies) == count.by_module[""].calls
    for row in former["modules"]:
        module = count.by_module[row["path"]]
        for name in ("params", "macs", "flops", "bytes_moved", "calls"):
            assert getattr(module, name) == row[name]
        assert module.cost.flops_by_class == row["flops_by_class"]


def test_own_costs_of_schema_1_are_differences() -> None:
    by_module = load(DATA / "schema_1" / "own_model.json", Inspection).count.by_module
    # conv has 192 MACs of its own, and the product of weight norm inside it has none.
    assert by_module["conv"].own_cost == OpCost(macs=192, add=64)
    assert by_module["conv"].cost == OpCost(macs=192, add=72, mul=24, div=4, sqrt=4)
    assert by_module["head"].own_cost == OpCost()


def test_what_schema_1_does_not_say_is_unknown() -> None:
    count = load(DATA / "schema_1" / "own_model.json", Inspection).count
    assert count.waste is None
    assert count.foldable is None
    assert UNATTRIBUTED in count.by_operator
    assert "schema-1" in [note.code for note in count.notes]
    with_law = load(DATA / "schema_1" / "own_law.json", Inspection)
    assert with_law.law is None
    assert "schema-1-law" in [note.code for note in with_law.count.notes]


def test_backends_and_audio_of_schema_1() -> None:
    inspection = load(DATA / "schema_1" / "preset.json", Inspection)
    assert [each.backend for each in inspection.measurements] == ["eager", "onnxruntime"]
    assert inspection.output == Output(16384, AUDIO, 16000, 16384)
    assert all(each.audio_s == 1.024 for each in inspection.measurements)
    assert inspection.only.weighted_flops
    window = load(DATA / "schema_1" / "energy.json", Inspection).measurements[0].windows[0]
    assert window.idle_power_w == {"package-0": 20.1}
    assert window.latencies_s == (0.0123,)


def add_unknown(written: Any) -> Any:
    """Add a field that no version knows yet to each object of a report."""
    if isinstance(written, list):
        return [add_unknown(item) for item in written]
    if not isinstance(written, dict):
        return written
    closed = {"derived", "dtypes", "energy_by_domain_j", "energy_j", "uncounted"}
    closed |= {"provenance", "settings"}
    known = {k: v if k in closed else add_unknown(v) for k, v in written.items()}
    return {**known, "of_a_later_version": [1]}


def test_fields_of_later_minor_versions_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "later.json"
    path.write_text(json.dumps(add_unknown(INSPECTION.to_dict())))
    assert load(path) == INSPECTION


def test_a_file_may_have_several_reports(tmp_path: Path) -> None:
    path = tmp_path / "two.json"
    path.write_text(json.dumps([make_inspection(name).to_dict() for name in ("a", "b")]))
    assert [each.identity.name for each in load_inspections(path)] == ["a", "b"]
    with pytest.raises(UsageError, match="2 results"):
        load(path)


def test_results_load_as_their_class_alone(tmp_path: Path) -> None:
    path = write_inspection(tmp_path / "a.json", make_inspection())
    assert Inspection.load(path) == inspect_cost.load(path) == make_inspection()
    with pytest.raises(UsageError, match="an Inspection, not a Measurement"):
        inspect_cost.Measurement.load(path)
    CROSSCHECK.save(tmp_path / "check.json")
    with pytest.raises(UsageError, match="CrossCheck, not an Inspection"):
        load_inspections(tmp_path / "check.json")


def test_rankings_are_not_read_back(tmp_path: Path) -> None:
    ranking = inspect_cost.rank({"a": {"x": 1, "y": 2}, "b": {"x": 2, "y": 1}})
    ranking.save(tmp_path / "ranking.json")
    with pytest.raises(UsageError, match="not read back") as raised:
        load(tmp_path / "ranking.json")
    assert "again" in raised.value.advice


def replace_at(written: Any, place: str, value: Any) -> Any:
    """Return a copy of plain data with another value at a place: "/phases/0/count/macs"."""
    copy = json.loads(json.dumps(written))
    *inner, last = place.strip("/").split("/")
    parent = copy
    for step in inner:
        parent = parent[int(step) if isinstance(parent, list) else step]
    parent[int(last) if isinstance(parent, list) else last] = value
    return copy


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("/phases/0/count/macs", "many", "is not an integer"),
        ("/phases/0/count/macs", True, "is not an integer"),
        ("/phases/0/count/macs", 3.0, "is not an integer"),
        ("/phases/0/count/tallies/0/macs", 10**101, "is larger than 1e+100"),
        ("/phases/0/count/modules", [], "has 0 items"),
        ("/phases/0/count/notes/0", {"code": "x"}, "lacks 'text'"),
        ("/phases/0/output/rate", 0, "is less than"),
        ("/phases/0/output/amount", 0, "is less than 1"),
        ("/phases/0/measurement/latency_s/value", None, "is not a number"),
        ("/phases/0/measurement/latency_s/kind", "guessed", "is none of counted"),
        ("/phases/0/measurement/backends/0/latency_quartiles_s", [1], "has 1 items"),
        ("/phases/0/measurement/backends/1/windows/0", {}, "lacks"),
        ("/phases", [], "has 0 items"),
        ("/subject", [], "is not an object"),
        ("/subject/name", None, "is not a string"),
    ],
)
def test_a_broken_file_says_where(place: str, value: Any, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(replace_at(INSPECTION.to_dict(), place, value)))
    with pytest.raises(UsageError) as raised:
        load(path)
    assert f"a.json: {place} {problem}" in str(raised.value)
    assert str(raised.value).count(". ") == 0
    assert raised.value.advice


TEXTS = {
    "not JSON": "{",
    "nothing": "",
    "a number": "3",
    "no report": "[]",
    "a list of lists": "[[]]",
    "no schema": "{}",
    "another's schema": '{"schema": "https://json-schema.org"}',
    "a schema that is no text": '{"schema": ["inspect-cost/report/2"]}',
    "a later schema": '{"schema": "inspect-cost/report/9"}',
    "only a schema": '{"schema": "inspect-cost/report/2"}',
    "only a former schema": '{"schema": "inspect-cost/report/1"}',
    "NaN": '{"schema": "inspect-cost/report/2", "phases": NaN}',
    "infinity": '{"schema": "inspect-cost/measurement/1", "calls": -Infinity}',
    "5,000 digits": f'{{"schema": "inspect-cost/report/2", "phases": {"9" * 5000}}}',
    "deep lists": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_what_is_no_report(text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"t\.json") as raised:
        load_inspections(path)
    assert raised.value.advice


def test_numbers_beyond_all_bounds(tmp_path: Path) -> None:
    text = json.dumps(INSPECTION.to_dict()).replace(
        '"latency_p95_s": 0.0137', '"latency_p95_s": 1e999'
    )
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UsageError, match="latency_p95_s is larger"):
        load(tmp_path / "a.json")


def test_large_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE_B + 1)
    with pytest.raises(UsageError, match="bytes"):
        load(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b'{"schema": "\xe9"}')
    for path in (tmp_path, tmp_path / "missing.json", tmp_path / "latin.json"):
        with pytest.raises(UsageError, match="cannot read"):
            load(path)


def test_a_typo_of_ours_is_no_broken_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_inspection(tmp_path / "a.json", make_inspection("a", MEASUREMENT))
    monkeypatch.setattr(measurement, "MEASURED", ("energy_joules",))
    with pytest.raises(KeyError, match="energy_joules"):
        load(path)


def list_places(written: Any, place: str = "") -> Iterator[str]:
    """Yield the place of each value in plain data."""
    inner = enumerate(written) if isinstance(written, list) else written.items()
    for step, value in inner:
        yield f"{place}/{step}"
        if isinstance(value, (list, dict)):
            yield from list_places(value, f"{place}/{step}")


WRONG: tuple[object, ...] = (None, True, "x", [], {}, [1], 0, -1, 1.5, 10**101)


def use(path: Path) -> None:
    """Do with a file what the command line does: read it, take its facts, show it."""
    for inspection in load_inspections(path):
        inspection.facts()
        inspection.to_json()
        inspection.render("table")


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_no_wrong_value_crashes(wrong: object, tmp_path: Path) -> None:
    inspection = make_inspection("a", MEASUREMENT)
    written = inspection.to_dict()
    path = tmp_path / "a.json"
    refused = 0
    for place in list_places({"phases": written["phases"], "subject": written["subject"]}):
        path.write_text(json.dumps(replace_at(written, place, wrong)))
        with suppress(UsageError):
            use(path)
            continue
        refused += 1
    assert refused > 20


def test_nothing_that_reading_needs_is_optional(tmp_path: Path) -> None:
    written = INSPECTION.to_dict()
    path = tmp_path / "a.json"
    for place in list_places({"phases": written["phases"], "subject": written["subject"]}):
        *inner, last = place.strip("/").split("/")
        if last.isdigit():
            continue
        copy = json.loads(json.dumps(written))
        parent = copy
        for step in inner:
            parent = parent[int(step) if isinstance(parent, list) else step]
        del parent[last]
        path.write_text(json.dumps(copy))
        with suppress(UsageError):  # and no KeyError
            load(path)
