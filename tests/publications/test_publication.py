"""Users' files of publications: what they say, and where they are wrong."""

from pathlib import Path

import pytest

from inspect_cost import load_publications
from inspect_cost.publications.publication import collect_facts
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
    assert collect_facts([mine])["mine"] == facts


#: Content -> the place that the message names, and the key at fault.
FAULTS = [
    ("[model.a]\nmos = 6\n", "line 2, [model.a] mos: ", "mos"),
    ("[model.a]\n\nmos_truth = -1\n", "line 3, [model.a] mos_truth: ", "mos_truth"),
    ("[model.a]\nmos = 4\nmos_ci = -1\n", "line 3, [model.a] mos_ci: ", "mos_ci"),
    ("[model.a]\nmos = '4 +- -1'\n", "line 2, [model.a] mos: ", "mos"),
    ("[model.a]\nmos_ci = 1\n", "line 2, [model.a] mos_ci: ", "mos_ci"),
    ("[model.a]\nsorce = 'x'\n", "line 2, [model.a] sorce: ", "sorce"),
    ("[model.a]\nsource = 3\n", "line 2, [model.a] source: ", "source"),
    ("[model.a]\ntitle = 3\n", "line 2, [model.a] title: ", "title"),
    ("[model.a]\nparams = true\n", "line 2, [model.a] params: ", "params"),
    ("[model.a]\nparams = [1]\n", "line 2, [model.a] params: ", "params"),
    ("[model.a]\nparams = nan\n", "line 2, [model.a] params: ", "params"),
    ("[model.a]\nkind = 'x'\nmos = 2\n", "line 2, [model.a] kind: ", "kind"),
    ("[model.a]\nmos = 2\nmos_kind = 'x'\n", "line 3, [model.a] mos_kind: ", "mos_kind"),
    ("[model.a]\ntraining = 3\n", "line 2, [model.a] training: ", "training"),
    (
        "[model.b]\n[[model.b.training]]\ngpu='T4'\nhours=1\n[[model.b.training]]\ngpu='V100'\nhours=1",
        "line 6, [model.b.training] gpu: 'V100' may be V100 PCIe",
        "gpu",
    ),
    (
        "[model.b]\n[[model.b.training]]\ngpu = 'T4'\nhours = -1\n",
        "line 4, [model.b.training] hours: ",
        "hours",
    ),
    ("[model.a]\nparams = 1e300\n", "line 2, [model.a] params: ", "params"),
    (
        "[[model.b.training]]\ngpu='T4'\nhours=1\nzone='FR'\nyear='2023'\n",
        "line 5, [model.b.training] year: ",
        "year",
    ),
    (
        "[[model.b.training]]\nhours=1\npower_w=9\npower_kind='guessed'\n",
        "line 4, [model.b.training] power_kind: ",
        "power_kind",
    ),
    (
        "[[model.b.training]]\ngpu='T4'\nhours=1\ncpu_power_w=-3\n",
        "line 4, [model.b.training] cpu_power_w: ",
        "cpu_power_w",
    ),
    ("[[model.b.training]]\nhuors = 1\n", "line 2, [model.b.training] huors: ", "huors"),
    ("[[model.b.training]]\ngpu = 'T4'\n", "line 1, [model.b.training]: ", ""),
    ("[model.a\n", "line 1", ""),
    ("a = 1\n", "[model.NAME]", ""),
    ("model.a = 1\n", "line 1, [model.a]: ", ""),
]


@pytest.mark.parametrize(("content", "place", "key"), FAULTS, ids=[c for c, *_ in FAULTS])
def test_mistakes_name_file_line_and_key(
    tmp_path: Path, content: str, place: str, key: str
) -> None:
    with pytest.raises(UsageError) as raised:
        load_publications(written(tmp_path, content))
    assert place in str(raised.value)
    assert "models.toml" in str(raised.value)
    assert raised.value.field == key
    assert raised.value.advice


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml"):
        load_publications(tmp_path / "none.toml")
