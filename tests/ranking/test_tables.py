"""Models from files, and what follows from what is known of them."""

from math import hypot
from pathlib import Path

import pytest

from inspect_cost.ranking.candidates import Candidate, complete_with_publications, merge_candidates
from inspect_cost.ranking.tables import read_table
from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Quantity


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def only(path: Path) -> Candidate:
    (candidate,) = read_table(path)
    return candidate


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "name,j,mos,mos_ci,class\nnet,2.5,3.9,0.2,gan\n"),
        ("t.csv", "\ufeffmodel;mos;j\nnet;3.9 ± 0.2;2.5\n"),
        ("t.tsv", "j\tname\tmos\n2.5\tnet\t3.9 +- 0.2\n\n"),
    ],
)
def test_tables_of_anything(tmp_path: Path, name: str, text: str) -> None:
    candidate = only(written(tmp_path, name, text))
    assert candidate.name == "net"
    assert {n: (q.value, q.kind) for n, q in candidate.values.items()} == {
        "j": (2.5, "reported"),
        "mos": (3.9, "reported"),
    }
    assert candidate.values["mos"].half_width == pytest.approx(0.2)
    assert candidate.values["j"].ci95 is None


def test_missing_cells_are_missing(tmp_path: Path) -> None:
    text = "name,a,b,c\nx,1,-,n/a\ny,,2,NaN\n"
    x, y = read_table(written(tmp_path, "t.csv", text))
    assert x.values.keys() == {"a"}
    assert y.values.keys() == {"b"}


def test_kinds_and_sources_beside_values(tmp_path: Path) -> None:
    text = "name,j,j_kind,j_source\nx,1,measured,RAPL\ny,2,,\n"
    x, y = read_table(written(tmp_path, "t.csv", text))
    assert x.values["j"] == Quantity(1, "", "measured", "RAPL")
    assert y.values["j"].kind == "reported"
    assert y.values["j"].source.endswith("t.csv, line 3, j")


#: Text -> the place that the message names, and the column at fault.
MALFORMED = [
    ("name,a\nx,1\ny,1,2\n", "t.csv, line 3: ", ""),
    ("name,a\nx,1\ny,one\n", "t.csv, line 3, a: ", "a"),
    ("name,a\nx,1\ny,inf\n", "t.csv, line 3, a: ", "a"),
    ('name,a\nx,"1\n', "t.csv, line 2: ", ""),
    ("name,a,a\nx,1,2\n", "t.csv, line 1: ", ""),
    ("nom,a\nx,1\n", "t.csv, line 1: ", ""),
    ("name,a\n,1\n", "t.csv, line 2: ", ""),
    ("name,a,a_kind\nx,1,guessed\n", "t.csv, line 2, a_kind: ", "a_kind"),
    ("name,a\nx,1 +- -2\n", "t.csv, line 2, a: ", "a"),
    ("name,a,a_ci\nx,1,-2\n", "t.csv, line 2, a_ci: ", "a_ci"),
    ("name,a,a_ci\nx,1,2\ny,1,wide\n", "t.csv, line 3, a_ci: ", "a_ci"),
    ("name,a\n", "t.csv has no models", ""),
    ("", "t.csv, line 1: ", ""),
    ("name,a\nx,1\ny,1e300\n", "t.csv, line 3, a: ", "a"),
    ("name,a\nx,1\ny,80%\n", "t.csv, line 3, a: ", "a"),
    ("name;a\nx;1\ny;0,8\n", "t.csv, line 3, a: ", "a"),
]


@pytest.mark.parametrize(("text", "place", "column"), MALFORMED, ids=[t for t, *_ in MALFORMED])
def test_malformed_tables(tmp_path: Path, text: str, place: str, column: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_table(written(tmp_path, "t.csv", text))
    assert place in str(raised.value)
    assert raised.value.field == column
    assert raised.value.advice


def test_what_stands_beside_a_missing_value_is_ignored(tmp_path: Path) -> None:
    text = "name,a,a_ci,a_kind,b_ci\nx,1,0.5,counted,3\ny,-,0.5,counted,4\n"
    x, y = read_table(written(tmp_path, "t.csv", text))
    assert x.values["a"].ci95 == (0.5, 1.5)
    assert {n: q.value for n, q in y.values.items()} == {"b_ci": 4}, "it belongs to no other"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.csv"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"binary\.csv"):
        read_table(tmp_path / "binary.csv")


def reported(value: float, half: float = 0) -> Quantity:
    return Quantity(value, "", "reported", "x", (value - half, value + half) if half else None)


def test_opinion_scores_give_ratio_and_loss() -> None:
    facts = {"mos": reported(3.95, 0.15), "mos_truth": reported(4.67, 0.08)}
    values = complete_with_publications(Candidate("net", {"params": reported(1)}), facts).values
    assert values["mos_ratio"].value == pytest.approx(0.8458, abs=5e-5)
    assert values["mos_loss"].value == pytest.approx(0.1542, abs=5e-5)
    error = 0.8458 * hypot(0.15 / 3.95, 0.08 / 4.67)
    assert values["mos_ratio"].half_width == pytest.approx(error, rel=1e-3)
    assert values["mos_loss"].half_width == pytest.approx(error, rel=1e-3)
    only_loss = complete_with_publications(
        Candidate("net", {"mos_loss": reported(0.4, 0.1)})
    ).values
    assert only_loss["mos_ratio"].value == pytest.approx(0.6)


def test_published_scores_do_not_mix_with_ones_own() -> None:
    facts = {"mos": reported(4), "mos_truth": reported(5), "mos_ratio": reported(0.8)}
    facts["co2e_kg"] = reported(7)
    own = complete_with_publications(Candidate("net", {"mos": reported(2)}), facts).values
    assert {name: q.value for name, q in own.items()} == {"co2e_kg": 7, "mos": 2}


def test_scores_beyond_the_scale() -> None:
    for score in (5.1, 0, -1):
        with pytest.raises(UsageError) as raised:
            complete_with_publications(Candidate("net", {"mos": reported(score)}))
        assert raised.value.field == "mos"


def test_what_several_files_know_is_put_together() -> None:
    one = Candidate("net", {"a": reported(1)}, "x", {"b": "'much'"})
    (candidate,) = merge_candidates([one, Candidate("net", {"b": reported(2)}, "y")], ["a"])
    assert candidate.values.keys() == {"a", "b"}
    assert candidate.words == one.words
    other = Candidate("net", {"a": reported(2)}, "y")
    with pytest.raises(UsageError, match="1 in x and 2 in y") as raised:
        merge_candidates([one, other], ["a"])
    assert raised.value.field == "a"
    (candidate,) = merge_candidates([one, other], ["b"])
    assert candidate.values["a"].value == 1, "nobody asked for it; the first has it"


def test_two_scores_of_one_model_always_contradict() -> None:
    """The objective follows from them."""
    ratings = [Candidate("net", {"mos": reported(mos)}, f"file {mos}") for mos in (3, 4)]
    with pytest.raises(UsageError) as raised:
        merge_candidates(ratings, ["mos_loss"])
    assert raised.value.field == "mos"
