"""Every command writes its result in the formats that there are, where it is told to."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from inspect_cost.cli.app import VERBS
from inspect_cost.reports import FORMATS
from tests.cli.conftest import Ran

Run = Callable[..., Ran]

#: Commands that give a result; the others write a file of their own.
SHOWING = sorted({"", *VERBS} - {"export", "generate"})
QUICK = (
    "net.py:Net --input 1,5:int64",
    "law net.py:INSTANCE --input L,4",
    "rank table.csv --cost a,b",
    "carbon --gpu T4 --hours 1",
    "zoo",
    "conventions",
)


@pytest.fixture(autouse=True)
def _table(run: Run) -> None:
    del run  # which changes into its folder
    Path("table.csv").write_text("name,a,b\nx,1,2\ny,2,1\n")


@pytest.mark.parametrize("verb", SHOWING)
def test_help_names_the_formats(run: Run, verb: str) -> None:
    text = run(*filter(None, [verb]), "--help").out
    assert "--format" in text
    assert "--output" in text
    assert all(name in text for name, entry in FORMATS.items() if entry.on_command_line)


@pytest.mark.parametrize("words", QUICK)
def test_markdown_goes_into_a_file(run: Run, words: str) -> None:
    assert run(*words.split(), "--format", "markdown", "-o", "out.md").out == ""
    written = Path("out.md").read_text()
    assert written == run(*words.split(), "--format", "markdown").out
    assert written.startswith(("## ", "| ", "**"))


@pytest.mark.parametrize("words", QUICK)
def test_json_names_its_schema(run: Run, words: str) -> None:
    content = json.loads(run(*words.split(), "--format", "json").out)
    assert content["schema"].startswith("inspect-cost/")
    assert content["provenance"]["command"] is not None


@pytest.mark.parametrize("words", [*QUICK, "doctor", "paper", "crosscheck net.py:Net"])
@pytest.mark.parametrize("name", ["xml", "notebook"])
def test_formats_that_there_are_not_are_refused_first(run: Run, words: str, name: str) -> None:
    result = run(*words.split(), "--format", name)
    assert (result.code, result.out) == (2, "")
    assert f"'{name}'" in result.err
    assert "table, json, markdown" in result.err


def test_only_lists_have_records(run: Run) -> None:
    assert run("rank", "table.csv", "--cost", "a,b", "--format", "csv").out.count("\n") == 3
    assert run("zoo", "--format", "csv").code == 2
