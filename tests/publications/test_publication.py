"""Users' files of publications: what they say, and where they are wrong."""

from pathlib import Path

import pytest

from inspect_cost import load_publications
from inspect_cost.publications.publication import facts_by_model
from inspect_cost.values.errors import UsageError

GOOD = """
[model.mine]
title = "Mine"
source = "us"
mos = "4.0 +- 0.1"
mos_truth = 4.5
mos_truth_ci = 0.2
params = 1e6
params_kind = "counted"

[[model.mine.training]]
gpu = "2 x T4"
hours = "10..20"

[[model.mine.training]]
power_w = 100
hours = 5
intensity = 0.5

[model.other]
unranked = "not rated"
"""


def written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(content)
    return path


def test_what_a_file_says(tmp_path: Path) -> None:
    mine, other = load_publications(written(tmp_path, GOOD))
    facts = mine.facts()
    assert facts["mos_ratio"].value == pytest.approx(4 / 4.5)
    spread = (4 / 4.5) * ((0.1 / 4) ** 2 + (0.2 / 4.5) ** 2) ** 0.5
    assert facts["mos_loss"].ci95 == pytest.approx((1 - 4 / 4.5 - spread, 1 - 4 / 4.5 + spread))
    assert facts["params"].kind == "counted"
    assert facts["energy_kwh"].ci95 == pytest.approx((1.4 + 0.5, 2.8 + 0.5))
    assert facts["co2e_kg"].value == pytest.approx(0.437 * 2.1 + 0.25)
    assert other.training is None
    assert (other.unranked, other.facts()) == ("not rated", {})
    assert facts_by_model([mine])["mine"] == facts


FAULTS = [
    ("[model.a]\nmos = 6\n", "line 2, [model.a] mos: 6 is not on the scale"),
    ("[model.a]\n\nmos_truth = -1\n", "line 3, [model.a] mos_truth: -1 is not on the scale"),
    ("[model.a]\nmos = 4\nmos_ci = -1\n", "line 3, [model.a] mos_ci: -1 is below 0"),
    ("[model.a]\nmos_ci = 1\n", "line 2, [model.a] mos_ci: there is no mos"),
    ("[model.a]\nsorce = 'x'\n", "line 2, [model.a] sorce: 'x' is no number"),
    ("[model.a]\nsource = 3\n", "line 2, [model.a] source: 3 is no text"),
    ("[model.a]\nparams = true\n", "line 2, [model.a] params: True is no number"),
    ("[model.a]\nparams = nan\n", "line 2, [model.a] params: nan is no number"),
    ("[model.a]\nkind = 'x'\nmos = 2\n", "line 2, [model.a] kind: no kind is called 'x'"),
    ("[model.a]\ntraining = 3\n", "line 2, [model.a] training: training is no list"),
    (
        "[model.b]\n[[model.b.training]]\ngpu='T4'\nhours=1\n[[model.b.training]]\ngpu='V100'\nhours=1",
        "line 6, [model.b.training] gpu: 'V100' may be V100 PCIe",
    ),
    (
        "[model.b]\n[[model.b.training]]\ngpu = 'T4'\nhours = -1\n",
        "line 4, [model.b.training] hours: -1 is not above 0",
    ),
    ("[model.a]\nparams = 1e300\n", "line 2, [model.a] params: 1e+300 is no number"),
    (
        "[[model.b.training]]\ngpu='T4'\nhours=1\nzone='FR'\nyear='2023'\n",
        "line 5, [model.b.training] year: '2023' is no year",
    ),
    (
        "[[model.b.training]]\nhours=1\npower_w=9\npower_kind='guessed'\n",
        "line 4, [model.b.training] power_kind: there is no power_kind 'guessed'",
    ),
    (
        "[[model.b.training]]\ngpu='T4'\nhours=1\ncpu_power_w=-3\n",
        "line 4, [model.b.training] cpu_power_w: -3 is below 0",
    ),
    ("[[model.b.training]]\nhuors = 1\n", "line 2, [model.b.training] huors"),
    ("[[model.b.training]]\ngpu = 'T4'\n", "the run has no hours"),
    ("[model.a\n", "not TOML"),
    ("a = 1\n", "has no [model.NAME]"),
    ("model.a = 1\n", "a is no table"),
]


@pytest.mark.parametrize(("content", "complaint"), FAULTS)
def test_mistakes_name_file_line_and_key(tmp_path: Path, content: str, complaint: str) -> None:
    with pytest.raises(UsageError) as error:
        load_publications(written(tmp_path, content))
    assert complaint in str(error.value)
    assert "models.toml" in str(error.value)
    assert error.value.advice


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load_publications(tmp_path / "none.toml")
