"""The main job: one command from a model's name to its exact cost."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from inspect_cost.cli.app import VERBS
from tests.cli.conftest import Ran

Run = Callable[..., Ran]

SAMPLES = 16_128
WEIGHTS, LENGTHS = 181_868_224, 175_618
#: Element-wise operations of the specification's hand count, which makes each sum of the skips
#: one addition longer (it starts from 0).
SPECIFIED_FLOPS = 284_693_931_648


def specified_flops() -> int:
    """The hand count under our conventions: each difference is a line."""
    flops = SPECIFIED_FLOPS
    flops -= SAMPLES * (6 * 256 * 255 // 256 + 256 // 16)  # sums of skips that start from the first
    flops += SAMPLES  # the temperature
    flops += 2 * (6 * sum((2, 4, 8, 16, 16, 32, 64, 128)) + 16)  # exp(3 scale) of the last layers
    flops += 3 * WEIGHTS + LENGTHS  # weight norm, at every call as published
    return flops


def test_flowavenet_16000(run: Run) -> None:
    result = run("flowavenet", "--input-len", "16000", "--format", "json")
    assert (result.code, result.err) == (0, "")
    report = json.loads(result.out)
    assert report["schema"] == "inspect-cost/report/2"
    count = report["count"]
    assert count["params"] == 182_644_788
    assert count["param_bytes"] == 4 * 182_644_788
    assert count["params_folded"] == 182_469_170
    assert count["macs"] == 141_932_560_896
    assert count["flops"] == specified_flops()
    assert count["flops"] == 2 * count["macs"] + sum(count["flops_by_class"].values())
    assert (count["uncounted"], count["complete"], count["notes"]) == ({}, True, [])
    audio = report["audio"]
    assert audio["sample_rate"] == 22_050
    assert (audio["samples_requested"], audio["samples_generated"]) == (16_000, 16_128)
    assert audio["seconds"] == pytest.approx(16_128 / 22_050)
    assert audio["macs_per_second"] == pytest.approx(8_800_382 * 22_050)
    assert report["measurement"] is None
    assert report["conventions"]["see"] == "inspect-cost conventions"
    assert report["provenance"]["torch"]


def test_each_block_of_flowavenet_has_its_macs(run: Run) -> None:
    report = json.loads(run("flowavenet", "--input-len", "16000", "--format", "json").out)
    modules = {module["path"]: module["macs"] for module in report["count"]["modules"]}
    assert modules["upsampler"] == 8_225_280
    assert modules["blocks.3.prior"] == 2_454_552_576
    assert [modules[f"blocks.{i}"] for i in range(8)] == [
        57_930_743_808,
        30_978_146_304,
        17_501_847_552,
        10_763_698_176 + 2_454_552_576,
        7_363_657_728,
        5_679_120_384,
        4_836_851_712,
        4_415_717_376,
    ]


def test_without_dead_convolutions_and_weight_norm(run: Run) -> None:
    words = ("flowavenet", "--input-len", "16000", "--format", "json")
    lean = run(*words, "--set", "unused_residuals=false", "--set", "weight_norm=False")
    count = json.loads(lean.out)["count"]
    assert count["params"] == 179_245_362
    assert count["macs"] == 135_549_485_568
    assert json.loads(lean.out)["model"]["settings"] == {
        "unused_residuals": False,
        "weight_norm": False,
    }


def test_an_absurd_length_is_counted(run: Run) -> None:
    count = json.loads(run("flowavenet", "--input-len", "1e12", "--format", "json").out)["count"]
    assert count["macs"] == 8_800_382 * 10**12


def test_the_table_says_what_matters_first(run: Run) -> None:
    out = run("flowavenet", "--input-len", "16000").out
    lines = out.splitlines()
    assert lines[0].startswith("FloWaveNet  generate 16,000 samples")
    assert "16,000 samples cannot be made: it generates 16,128" in out
    for figure in ("182,644,788", "182,469,170", "141,932,560,896", f"{specified_flops():,}"):
        assert figure in out
    assert out.index("182,644,788") < out.index("Module")
    assert all(len(line) <= 100 for line in lines)
    assert "\x1b" not in out


def test_depth_and_exact_digits(run: Run) -> None:
    shallow = run("flowavenet", "--depth", "1", "--exact").out
    assert "WeightNorm" not in shallow
    assert "182,644,592" in shallow
    assert "coupling" in run("flowavenet", "--depth", "5").out


def test_one_second_unless_told_otherwise(run: Run) -> None:
    report = json.loads(run("flowavenet", "--format", "json").out)
    assert report["audio"]["samples_requested"] == 22_050


def test_json_goes_to_a_file_whole(run: Run, tmp_path: Path) -> None:
    result = run("flowavenet", "--format", "json", "-o", "report.json")
    assert (result.code, result.out) == (0, "")
    assert json.loads((tmp_path / "report.json").read_text())["count"]["complete"]
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == [
        "faulty.py",
        "net.py",
        "report.json",
    ]


def test_a_users_own_model(run: Run) -> None:
    words = ("--input", "1,L:int64", "--input-len", "50", "--format", "json")
    for spec in ("net.py:Net", "net:Net"):
        result = run(spec, *words)
        assert result.code == 0
        report = json.loads(result.out)
        assert report["count"]["macs"] == 50 * 4 * 4 * (8 + 4)
        assert report["audio"] is None
        assert report["model"]["class"] == "Net"


def test_named_inputs_and_instances(run: Run) -> None:
    words = ("net.py:Net", "--input", "ids=1,5:int64", "--input", "scale=1,5,4")
    assert json.loads(run(*words, "--format", "json").out)["count"]["flops_by_class"]["mul"] > 0
    assert "15   60 B" in run("net.py:INSTANCE", "--input", "2,4").out


def test_a_model_that_needs_values_is_made_and_run(run: Run) -> None:
    result = run("net.py:Deciding", "--input", "2,4")
    assert result.code == 0
    assert "Run on real values, because shapes alone were not enough" in result.out
    assert json.loads(run("net.py:Deciding", "--input", "2,4", "--format", "json").out)["count"][
        "macs"
    ] == 2 * (2 * 16)


def test_uncounted_operators_are_loud_and_fail_under_strict(run: Run) -> None:
    result = run("net.py:Unknown", "--input", "3,4")
    assert result.code == 0
    assert "MACs at least" in result.out
    assert "aten._linalg_svd: 1 calls in Unknown" in result.out
    strict = run("net.py:Unknown", "--input", "3,4", "--strict")
    assert strict.code == 1
    assert "aten._linalg_svd" in strict.err


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_the_readme_or_the_docs_name_every_option(run: Run, verb: str) -> None:
    root = Path(__file__).parents[2]
    pages = "".join(page.read_text() for page in (root / "README.md", *root.glob("docs/*.md")))
    options = set(re.findall(r"--[a-z][a-z-]+", run(*filter(None, [verb]), "--help").out))
    assert options - {"--help", "--version"} <= set(re.findall(r"--[a-z][a-z-]+", pages))


def test_zoo_and_conventions(run: Run) -> None:
    zoo = run("zoo")
    assert zoo.code == 0
    assert "182,644,788 parameters" in zoo.out
    conventions = run("conventions").out
    assert "2 x MACs + all other" in conventions
    assert "3w + r" in conventions
