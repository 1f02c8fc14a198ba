"""Errors name parameters in Python and options on the command line."""

import pytest

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
