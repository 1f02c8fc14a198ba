"""Errors and results name parameters in Python and options on the command line."""

import ast
import re
from pathlib import Path

import pytest

import inspect_cost
from inspect_cost import estimate_training_carbon
from inspect_cost.cli import main
from inspect_cost.cli.app import VERBS, app
from inspect_cost.cli.wording import OPTIONS, spell_options
from inspect_cost.values.errors import UsageError


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("`year` needs a `zone`", "--year needs a --zone"),
        ("give `max_power_w`.", "give --max-power."),
        ("the year is in `data/years.csv`", "the year is in `data/years.csv`"),
        ("`nothing` of that name, `year_of_zone`", "`nothing` of that name, `year_of_zone`"),
        ("year, zone", "year, zone"),
        ("`measure_time_s=60` for all", "--measure-time 60s for all"),
        ("`measure_time_s=420` for all", "--measure-time 7m for all"),
        ("`measure_time_s=3600` for all", "--measure-time 60m for all"),
        ("`measure_time_s=7200` for all", "--measure-time 2h for all"),
        ("write `until_ci=0.02`", "write --until-ci 0.02"),
        ("left out by `measure=False`", "left out by --no-measure"),
        ("set `measure=True`", "set `measure=True`"),
        ("write one with `save(path)`", "write one with inspect-cost MODEL --format json -o FILE"),
    ],
)
def test_only_parameters_in_backticks_become_options(text: str, spelled: str) -> None:
    assert spell_options(text) == spelled


def test_the_same_mistake_is_told_in_the_words_of_its_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UsageError, match="`year`") as raised:
        estimate_training_carbon("P100", 3, year=2020)
    assert raised.value.field == "year"
    assert main(["carbon", "--gpu", "P100", "--hours", "3", "--year", "2020"]) == 2
    complaint = capsys.readouterr().err
    assert "--year" in complaint
    assert "`" not in complaint


def test_every_option_exists() -> None:
    commands = [app, *(app[verb] for verb in VERBS)]
    known = {
        name
        for command in commands
        for argument in command.assemble_argument_collection()
        for name in argument.names
    }
    assert set(OPTIONS.values()) <= known


#: Options that texts of the core may name: those of other tools.
OF_OTHER_TOOLS = {
    "--gpus": "docker run",
    "--id": "nvidia-smi",
    "--multi-instance-gpu": "nvidia-smi",
    "--force": "groupadd",
    "--action": "udevadm",
    "--subsystem-match": "udevadm",
}
PACKAGE = Path(inspect_cost.__file__).parent
CORE = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "cli"]


def find_options(source: str) -> set[str]:
    """Return what looks like an option in the strings of a program, docstrings left out."""
    tree = ast.parse(source)
    described = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, described) and node.body and isinstance(node.body[0], ast.Expr)
    }
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
    ]
    return {option for text in texts for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)}


def test_options_are_found_in_texts_and_not_in_docstrings() -> None:
    source = '''"""As --depth."""
f"give --{x}, --seed {x}" "--set a"
'''
    assert find_options(source) == {"--seed", "--set"}


def test_the_core_speaks_of_no_options() -> None:
    found = {path.relative_to(PACKAGE): find_options(path.read_text()) for path in CORE}
    assert {path: options for path, options in found.items() if options - set(OF_OTHER_TOOLS)} == {}


def test_a_report_has_parameters_in_its_file_and_options_on_the_screen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["paper"]) == 0
    assert "(--reports)" in capsys.readouterr().out
    assert main(["paper", "--format", "json"]) == 0
    assert "(`energies`)" in capsys.readouterr().out
