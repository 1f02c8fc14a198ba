"""Every result in every format; a new format and a new kind of result are one function each."""

import csv
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from inspect_cost import rank
from inspect_cost.reports import DOCUMENTS, FORMATS, Format, list_formats, render
from inspect_cost.reports.document import Cell, Document, Prose
from inspect_cost.reports.sections.ranking import MOST_POINTS
from inspect_cost.reports.view import View
from inspect_cost.values.errors import UsageError

Results = Mapping[str, object]
KINDS = sorted(DOCUMENTS)
LISTS = ("Comparison", "Ranking")


def test_there_is_an_example_of_each_kind(results: Results) -> None:
    assert sorted(results) == KINDS
    assert {name: type(result).__name__ for name, result in results.items()} == {
        name: name for name in KINDS
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["table", "markdown", "notebook"])
def test_documents_of_all_kinds_are_written(results: Results, kind: str, name: str) -> None:
    text = render(results[kind], name)
    assert len(text) > 20
    assert text == text.strip("\n")


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_format_is_one_function(results: Results, kind: str) -> None:
    formats = {**FORMATS, "titles": Format(lambda shown: f"<{shown.document.title}>")}
    text = render(results[kind], "titles", formats=formats)
    assert text.startswith("<")
    assert len(text) > len("<>")
    assert "titles" in list_formats(type(results[kind]), formats)


@dataclass(frozen=True)
class Toy:
    joy: int

    def to_dict(self) -> dict[str, object]:
        return {"schema": "toy/1", "joy": self.joy}


def compose_toy(toy: Toy, view: View) -> Document:
    del view
    return Document.of("Toy", [Prose((Cell(f"joy {toy.joy}", toy.joy),))])


@pytest.mark.parametrize("name", ["table", "json", "markdown", "notebook"])
def test_a_new_kind_of_result_is_one_section(name: str) -> None:
    documents = {**DOCUMENTS, "Toy": compose_toy}
    assert "3" in render(Toy(3), name, documents=documents)
    assert list_formats(Toy) == ("table", "json", "markdown", "notebook")


@pytest.mark.parametrize("kind", KINDS)
def test_data_name_their_schema_and_what_made_them(results: Results, kind: str) -> None:
    content = json.loads(render(results[kind], "json"))
    assert next(iter(content)) == "schema"
    assert content["schema"].startswith("inspect-cost/")
    assert list(content)[-1] == "provenance"
    if kind not in {"CrossCheck", "Inspection"}:  # which bring their own
        assert content["provenance"]["tool"] == "inspect-cost"


@pytest.mark.parametrize("kind", LISTS)
def test_lists_have_records(results: Results, kind: str) -> None:
    rows = list(csv.DictReader(render(results[kind], "csv").splitlines()))
    assert [row["rank"] for row in rows] == ["0", "0", "1", ""]
    assert rows[-1]["unranked"].startswith("no value for")


def test_numbers_of_records_are_exact(results: Results) -> None:
    rows = {r["name"]: r for r in csv.DictReader(render(results["Comparison"], "csv").splitlines())}
    assert rows["a"]["params"] == str(2**60 + 1)
    assert (rows["b"]["params_ci"], rows["b"]["params_kind"]) == ("", "counted")
    assert float(rows["b"]["mos_ci"]) == pytest.approx(0.2)
    assert rows["c"]["dominated_by"] == "b"
    assert rows["d"]["mos"] == ""


@pytest.mark.parametrize("name", ["xml", "csv", ""])
def test_other_formats_are_refused_and_those_there_are_named(results: Results, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        render(results["Diagnosis"], name)
    assert caught.value.field == "format"
    assert "table, json, markdown, notebook" in caught.value.advice


def test_commands_offer_what_is_for_them(results: Results) -> None:
    offered = {
        kind: list_formats(type(result), on_command_line=True) for kind, result in results.items()
    }
    everything = ("table", "json", "markdown")
    assert offered == {
        kind: (*everything, "csv") if kind in LISTS else everything for kind in KINDS
    }


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"CostLaw"}))
def test_results_print_and_show_themselves(results: Results, kind: str) -> None:
    result = results[kind]
    assert str(result) == render(result)
    show = getattr(result, "_repr_html_")  # noqa: B009 - results are of many types
    assert show() == render(result, "notebook")


def test_a_ranking_of_many_points_is_cut() -> None:
    many = rank([(n, n) for n in range(MOST_POINTS + 1234)])
    lines = render(many, "markdown").splitlines()
    assert sum(line.startswith("|") for line in lines) == MOST_POINTS + 2
    assert any("1,234 more" in line for line in lines)
    assert len(render(many, "csv").splitlines()) == MOST_POINTS + 1234 + 1


def test_showing_a_result_loads_nothing_that_makes_others() -> None:
    heavy = ("torch", "numpy", "moocore", "psutil", "inspect_cost.paper.standing")
    script = f"import sys, inspect_cost.reports; sys.exit(any(m in sys.modules for m in {heavy!r}))"
    done = subprocess.run([sys.executable, "-c", script], check=False)  # noqa: S603 - our own
    assert done.returncode == 0
