"""``inspect-cost rank`` as a user meets it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.extras import needs_html

Run = Callable[..., Ran]

TABLE = """name,params,mos,mos_ci,mos_truth,size
flow,186e6,3.95,0.15,4.67,large
regression,64e6,2.8,0.24,3.86,medium
gan,89e6,2.3,0.9,3.9,medium
other,15e6,,,,small
"""


@pytest.fixture(autouse=True)
def _table(run: Run) -> None:
    del run  # which changes into its folder
    Path("paper.csv").write_text(TABLE)


def test_the_papers_front_as_a_table(run: Run) -> None:
    result = run(*"rank paper.csv --cost params --quality mos_loss".split())
    assert result.code == 0
    lines = result.out.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["0", "regression"],
        ["0", "flow"],
        ["1", "gan"],
    ]
    assert "0.1542 ± 0.032 *" in lines[2]
    assert "Not ranked: other, no value for mos_loss." in result.out
    assert "The front is not significant." in result.out


def test_json_says_everything(run: Run) -> None:
    words = "rank paper.csv --cost params --quality mos_ratio --format json -o out.json"
    assert run(*words.split()).code == 0
    result = json.loads(Path("out.json").read_text())
    assert result["schema"] == "inspect-cost/ranking/1"
    assert result["fronts"] == [["flow", "regression"], ["gan"]]
    assert result["front"] == ["flow", "regression"]
    assert result["unranked"] == {"other": "no value for mos_ratio"}
    assert [o["direction"] for o in result["objectives"]] == ["minimise", "maximise"]
    models = {model["name"]: model for model in result["models"]}
    assert models["gan"]["dominated_by"][0]["name"] == "regression"
    assert models["gan"]["dominated_by"][0]["better_by"]["params"] == 25e6
    assert 0 < models["gan"]["probability_optimal"] < 0.5
    assert models["other"]["rank"] is None
    assert models["other"]["values"]["mos_ratio"] is None


def test_csv_can_be_ranked_again(run: Run) -> None:
    words = "--cost params --quality mos_loss --format csv"
    first = run("rank", "paper.csv", *words.split())
    rows = list(csv.DictReader(first.out.splitlines()))
    assert [(row["name"], row["rank"]) for row in rows] == [
        ("regression", "0"),
        ("flow", "0"),
        ("gan", "1"),
        ("other", ""),
    ]
    Path("again.csv").write_text(first.out)
    again = run("rank", "again.csv", *words.split())
    assert [row["rank"] for row in csv.DictReader(again.out.splitlines())] == ["0", "0", "1", ""]


def test_presets_with_what_is_published_of_them(run: Run) -> None:
    """The front that the paper would have had with exact parameters: WaveGAN is on it."""
    words = "rank wavegan sing flowavenet gansynth --cost params --quality mos_loss --format json"
    result = run(*words.split())
    assert result.code == 0, result.err
    ranked = json.loads(result.out)
    models = {model["name"]: model for model in ranked["models"]}
    assert models["wavegan"]["values"]["params"]["value"] == 19_065_345
    assert models["wavegan"]["values"]["params"]["kind"] == "counted"
    assert models["sing"]["values"]["mos_loss"]["value"] == pytest.approx(0.2746, abs=5e-5)
    assert models["sing"]["values"]["mos_loss"]["kind"] == "reported"
    assert ranked["front"] == ["wavegan", "sing", "flowavenet"]
    assert ranked["unranked"] == {"gansynth": "no value for mos_loss"}


def test_publications_of_ones_own(run: Run) -> None:
    """Joined to presets by name, ranked by themselves elsewhere, and stronger than the paper's."""
    Path("own.toml").write_text(
        """
[model.Better]
preset = "sing"
mos = 4
mos_truth = 4
source = "our test"

[model.rival]
params = 1e6
mos = "3.9 +- 0.2"
mos_truth = 4.0
"""
    )
    options = "--cost params --quality mos_ratio --format json".split()
    result = json.loads(run("rank", "sing", "wavegan", "--models", "own.toml", *options).out)
    models = {model["name"]: model for model in result["models"]}
    assert models.keys() == {"sing", "wavegan", "rival"}
    assert models["sing"]["values"]["mos_ratio"]["value"] == 1
    assert models["sing"]["values"]["mos_ratio"]["source"] == "our test"
    assert models["rival"]["values"]["mos_ratio"]["ci95"] is not None
    assert result["front"] == ["sing", "rival"]
    alone = json.loads(run("rank", "own.toml", "paper.csv", *options).out)
    assert alone["unranked"].keys() == {"Better", "other"}


def test_reports_of_this_tool(run: Run) -> None:
    for shape in ("1,4", "2,4"):
        words = ["net.py:INSTANCE", "--input", shape, "--format", "json"]
        content = json.loads(run(*words).out)
        content["subject"]["name"] = shape
        Path(f"{shape[0]}.json").write_text(json.dumps(content))
    result = run(*"rank 1.json 2.json --cost macs,flops --format json".split())
    assert result.code == 0, result.err
    assert json.loads(result.out)["fronts"] == [["1,4"], ["2,4"]]


def test_directions_can_be_overruled(run: Run) -> None:
    words = "rank paper.csv --cost params --quality mos --maximise params --format json"
    result = json.loads(run(*words.split()).out)
    assert result["front"] == ["flow"]
    both = "rank paper.csv --minimise params,mos --format json"
    assert json.loads(run(*both.split()).out)["front"] == ["regression", "gan"]


def test_the_seed_decides(run: Run) -> None:
    words = "rank paper.csv --cost params --quality mos --draws 500 --format json --seed"
    first, again, other = (run(*words.split(), seed).out for seed in ("1", "1", "2"))
    assert first == again
    assert json.loads(first)["models"] != json.loads(other)["models"]


@pytest.mark.parametrize("name", ["front.svg", "front.pdf", "front.png", "front.html"])
def test_plots(run: Run, name: str) -> None:
    if name.endswith("html"):
        needs_html()
    result = run(*"rank paper.csv --cost params --quality mos_loss --plot".split(), name)
    assert result.code == 0, result.err
    assert f"wrote {name}" in result.err
    assert Path(name).stat().st_size > 5_000


def test_names_are_shown_as_they_are(run: Run) -> None:
    """Whatever rich and matplotlib take for markup."""
    Path("odd.csv").write_text("name,$/h or $,b\n[bold]x[/bold],1,2\n$\\frac{$,2,1\n")
    words = ["rank", "odd.csv", "--cost", "$/h or $", "--quality", "b", "--plot", "odd.svg"]
    result = run(*words)
    assert result.code == 0, result.err
    drawn = Path("odd.svg").read_text()
    for text in ("[bold]x[/bold]", "$\\frac{$", "$/h or $"):
        assert text in result.out
        assert f">{text}<" in drawn


def test_letters_that_the_figures_font_lacks_are_told_of(run: Run) -> None:
    Path("far.csv").write_text("name,a,b\n模,1,2\nx,2,3\n", encoding="utf-8")
    for name, lacking in (("far.png", True), ("far.svg", False)):
        result = run(*"rank far.csv --cost a --quality b --plot".split(), name)
        assert result.code == 0
        assert ("the figure's font has no 模" in result.err) is lacking
    assert "模" in Path("far.svg").read_text(encoding="utf-8")


def test_many_objectives_are_not_cut_off(run: Run) -> None:
    columns = [f"a_long_objective_{n}" for n in range(7)]
    rows = [[f"a name of some length {n}", *[str(n + 1.25)] * 7] for n in range(3)]
    Path("w.csv").write_text("\n".join(",".join(row) for row in [["name", *columns], *rows]))
    result = run("rank", "w.csv", "--cost", ",".join(columns))
    assert result.code == 0
    assert "…" not in result.out
    lines = result.out.splitlines()
    assert all(name in lines[0] for name in columns)
    assert "a name of some length 2" in result.out


def test_a_table_tells_three_dominators_and_json_all(run: Run) -> None:
    Path("line.csv").write_text("name,a,b\n" + "".join(f"m{n},{n},{n}\n" for n in range(6)))
    words = "rank line.csv --cost a,b".split()
    last = run(*words).out.partition("m5 ")[2].partition("\n\n")[0]
    assert " ".join(last.split()).endswith(
        "m0 (a by 5, b by 5), m1 (a by 4, b by 4), m2 (a by 3, b by 3), and 2 more"
    )
    models = json.loads(run(*words, "--format", "json").out)["models"]
    assert [winner["name"] for winner in models[-1]["dominated_by"]] == [f"m{n}" for n in range(5)]


def test_json_stays_json_where_names_find_no_room(run: Run) -> None:
    rows = "".join(f"a name far too long for all of this {n},1,1\n" for n in range(12))
    Path("full.csv").write_text("name,a,b\n" + rows)
    words = "rank full.csv --cost a --quality b --format json --plot full.svg"
    assert len(json.loads(run(*words.split()).out)["front"]) == 12
    assert "names omitted (no room)" in Path("full.svg").read_text()


MISTAKES = [
    ("", "reports, tables, or models"),
    ("paper.csv", "two objectives"),
    ("paper.csv --cost params", "params"),
    ("paper.csv --cost params --quality nothing", "There are params, mos, mos_truth, mos_ratio"),
    ("paper.csv --cost params --quality size", "line 2, size: 'large'"),
    ("cents.csv --cost a --quality b", "cents.csv, line 2, b: '80%'"),
    ("odd.json --cost params --quality b", "odd.json"),
    ("paper.csv --cost params --quality mos --seed -1", "--seed: -1 is below 0"),
    ("paper.csv --cost params --minimise params --maximise params", "params"),
    ("none.csv --cost a --quality b", "x: no value for b"),
    ("high.csv --cost a --quality mos", "high.csv, line 2: x has mos = 7"),
    ("ragged.csv --cost a --quality b", "ragged.csv, line 3: 2 cells"),
    ("broken.toml --cost a --quality b", "broken.toml"),
    ("odd.toml --cost a --quality b", "odd.toml, line 2"),
    ("absent.csv --cost a --quality b", "cannot read absent.csv: No such file"),
    ("flowavnet --cost params --quality mos", "did you mean flowavenet?"),
    ("paper.csv --cost params --quality mos --plot front.gif", ".svg"),
    ("paper.csv --cost params --quality mos --plot no/front.svg", "there is no folder"),
    ("paper.csv --cost params --quality mos --draws 0", "--draws: 0 is below 1"),
    ("paper.csv --cost params --quality mos --models absent.toml", "cannot read absent.toml"),
]


@pytest.mark.parametrize(("words", "complaint"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_mistakes(run: Run, words: str, complaint: str) -> None:
    Path("none.csv").write_text("name,a,b\nx,1,\ny,,2\n")
    Path("high.csv").write_text("name,a,mos\nx,1,7\n")
    Path("ragged.csv").write_text("name,a,b\nx,1,2\ny,1\n")
    Path("cents.csv").write_text("name,a,b\nx,1,80%\ny,1,90%\n")
    odd = {"schema": "inspect-cost/report/1", "count": {"params": "many"}}
    Path("odd.json").write_text(json.dumps(odd))
    Path("broken.toml").write_text("[model.x\n")
    Path("odd.toml").write_text("[model.x]\na = 'one'\n")
    result = run("rank", *words.split())
    assert result.code == 2
    assert result.out == ""
    assert complaint in result.err
    assert "Traceback" not in result.err
