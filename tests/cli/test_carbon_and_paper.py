"""``inspect-cost carbon`` and ``inspect-cost paper`` as a user meets them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.extras import needs_grid, needs_html

Run = Callable[..., Ran]
DATA = Path(__file__).parents[1] / "carbon" / "data"
DOCS = Path(__file__).parents[2] / "docs"


def test_sing_as_in_the_papers_table(run: Run) -> None:
    result = run("carbon", "--gpu", "4 x P100", "--hours", "12+10+30")
    assert result.code == 0
    for text in ("52 kWh", "22.72 kg", "0.437", "2018", "estimated", "eq. 6", "PUE"):
        assert text in result.out


def test_json_has_the_same_and_its_provenance(run: Run) -> None:
    result = run(
        *("carbon", "--gpu", "V100 SXM2", "--hours", "268..272", "--zone", "FR", "--year", "2023"),
        *("--pue", "1.58", "--cpu-power", "100", "--ram-power", "50", "--format", "json"),
    )
    content = json.loads(result.out)
    assert content["carbon_kgco2e"]["ci95"] == pytest.approx(
        [1.58 * 0.45 * hours * 0.056 for hours in (268, 272)]
    )
    assert content["provenance"]["tool"] == "inspect-cost"


def test_trackers_files(run: Run, tmp_path: Path) -> None:
    result = run("carbon", "--emissions", str(DATA / "emissions.csv"), "-o", "out.txt")
    assert (result.code, result.out) == (0, "")
    assert "0.876 kWh" in (tmp_path / "out.txt").read_text()
    log = next(DATA.glob("*_output.log"))
    assert "2.022 kWh" in run("carbon", "--tracker-log", str(log)).out


def test_models_of_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(
        "[model.a]\n[[model.a.training]]\ngpu = 'T4'\nhours = 10\n[model.b]\nmos = 3\n"
    )
    table = run("carbon", "--models", "m.toml")
    assert "0.7 kWh" in table.out
    assert "not known" in table.out
    content = json.loads(run("carbon", "--models", "m.toml", "--format", "json").out)
    assert content["models"]["a"]["energy_kwh"]["value"] == pytest.approx(0.7)
    assert content["models"]["b"] is None


MISTAKES = [
    ("--gpu P100 --hours -5", "--hours -5 is not above 0"),
    ("--gpu P100 --hours 5 --power -5", "--power -5 is not above 0"),
    ("--gpu P100 --hours 5 --intensity -1", "--intensity -1 is below 0"),
    ("--gpu P100 --hours 5 --pue 0.5", "--pue 0.5 is below 1"),
    ("--gpu P100 --hours 5 --intensity 437", "437 g/kWh"),
    ("--gpu V100 --hours 5", "V100 PCIe (250 W) or V100 SXM2 (300 W)"),
    ("--gpu P10 --hours 5", "Did you mean"),
    ("--gpu -2xP100 --hours 5", "'-2xP100' is not a GPU"),
    ("--gpu P100 --hours 5 --zone FRX", "FRA (France)"),
    ("--gpu P100 --hours 5 --zone FR --year 1900", "the years known are"),
    ("--gpu P100 --hours 5 --zone FR --intensity 1", "--intensity and --zone"),
    ("--gpu P100 --hours 5 --year 2020", "--year needs a --zone"),
    ("--gpu P100", "no --hours"),
    ("--hours 5", "neither --gpu nor --power"),
    (
        "--gpu P100 --hours 5 --emissions e.csv",
        "--emissions cannot be given with --gpu and --hours",
    ),
    ("--gpu P100 --hours 5 --report missing.json", "cannot read missing.json"),
    ("--gpu P100 --hours 5 --power 5 --report r.json", "both give the power"),
    ("--emissions net.py", "no column"),
    ("--tracker-log net.py", "no consumption"),
    ("--models net.py", "not TOML"),
    ("--models m.toml --pue 2", "--pue cannot be given with --models"),
]


@pytest.mark.parametrize(("words", "complaint"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_mistakes(run: Run, words: str, complaint: str) -> None:
    if "FRX" in words:  # without a year, what is no zone of ours may be one of ecologits
        needs_grid()
    result = run("carbon", *words.split())
    assert (result.code, result.out) == (2, "")
    assert complaint in result.err
    assert "Traceback" not in result.err
    assert len(result.err.splitlines()) >= 2, "it says what to do next"


def test_the_paper_in_json_and_as_a_figure(run: Run, tmp_path: Path) -> None:
    result = run("paper", "--format", "json", "--plot", "fig.svg")
    assert result.code == 0
    content = json.loads(result.out)
    assert {"table1", "table2", "fronts", "discrepancies"} <= set(content)
    assert "Inference" in (tmp_path / "fig.svg").read_text()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--reports net.py", "not a result of inspect-cost"),
        ("--reports missing.json", "cannot read missing.json"),
        ("--plot fig.doc", "fig.doc"),
        ("--models missing.toml", "cannot read missing.toml"),
    ],
)
def test_mistakes_about_the_paper(run: Run, words: str, complaint: str) -> None:
    result = run("paper", *words.split())
    assert (result.code, result.out) == (2, "")
    assert complaint in result.err


def test_the_papers_figure_to_explore(run: Run, tmp_path: Path) -> None:
    needs_html()
    assert run("paper", "--plot", "fig.html").code == 0
    page = (tmp_path / "fig.html").read_text()
    assert "Training" in page
    assert "Parameters as printed" in page


def test_help_fits_into_eighty_columns(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paragraph that is broken twice is hard to read."""
    monkeypatch.setenv("COLUMNS", "80")
    for verb in ("carbon", "paper", "rank", "law"):
        text = run(verb, "--help").out.partition("╭")[0]
        paragraphs = [part.splitlines() for part in text.split("\n\n")[1:]]
        assert all(len(line) > 40 for lines in paragraphs for line in lines[:-1]), text


@pytest.mark.parametrize("verb", ["carbon", "paper"])
def test_the_docs_name_every_option(run: Run, verb: str) -> None:
    options = set(re.findall(r"--[a-z][a-z-]+", run(verb, "--help").out)) - {"--help", "--debug"}
    page = (DOCS / f"{verb}.md").read_text()
    assert [option for option in options if f"`{option}" not in page] == []
