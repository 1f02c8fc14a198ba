"""ONNX files on the command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Ran
from tests.counting.onnx.graphs import graph
from tests.counting.onnx.test_values import with_weights

Run = Callable[..., Ran]

OPEN = """g (float[1,L,8] x, float[8,4] w) => (float[a,b,c] y) { y = MatMul(x, w) }"""
#: At 16,000 Hz, a layer of 4 channels, else one of 8; its inputs are called as exporters do.
RATE = """g (float[1,c,n] "x/in:0", int64 "s-r") => (float[a,b,d] y)
  <float[4,1,3] v, float[8,1,3] w, int64 k = {16000}> {
  c = Equal("s-r", k)
  [which] y = If (c) < then_branch = t () => (float[a,b,d] p) { p = Conv("x/in:0", v) },
                       else_branch = e () => (float[a,b,d] q) { q = Conv("x/in:0", w) }> }"""
LOOP = """g (float[4,4] x, int64 m) => (float[4,4] y) <bool go = {1}> {
  [loop] y = Loop <body = b (int64 i, bool on, float[4,4] h) => (bool still, float[4,4] next)
    { still = Identity(on)  next = MatMul(h, h) }> (m, go, x) }"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path) -> Path:
    for name, text in (("open", OPEN), ("loop", LOOP)):
        (tmp_path / f"{name}.onnx").write_bytes(graph(text).SerializeToString())
    unknown = graph("g (float[2] x) => (float[2] y) { y = own.F(x) }", domains='"own" : 1')
    (tmp_path / "unknown.onnx").write_bytes(unknown.SerializeToString())
    rate = with_weights(graph(RATE))
    (tmp_path / "rate.onnx").write_bytes(rate.SerializeToString())
    unnamed = graph(LOOP.replace("[loop] ", ""))
    (tmp_path / "unnamed.onnx").write_bytes(unnamed.SerializeToString())
    np.save(tmp_path / "rate.npy", 16000)
    (tmp_path / "torn.onnx").write_bytes(b"torn")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    ["--input x=1,L,8 --input-len 16", "--input 1,16,8", "--input-len 16", "--input x=1,16,8"],
)
def test_open_axes_are_bound(run: Run, words: str) -> None:
    done = run("open.onnx", *words.split(), "--format", "json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["count"]["macs"] == 16 * 8 * 4


def macs_of(done: Ran) -> int:
    assert done.code == 0, done.err
    return int(json.loads(done.out)["count"]["macs"])


VALUES = [
    ("--input x/in:0=1,1,10 --input s-r=@16000", 96),
    ("--input x/in:0=1,1,10 --input s-r=@rate.npy", 96),
    ("--input x/in:0=1,1,10 --input s-r=@8000:int64", 192),
    ("--axis c=1 --axis n=10 --input s-r=@16000", 96),
    ("--axis c=1 --input-len 10 --input s-r=@8000", 192),
    ("--input x/in:0=1,C,L --axis C=1 --input-len 12 --input s-r=@8000", 240),
]


@pytest.mark.parametrize(("words", "macs"), VALUES)
def test_values_and_axes_decide_what_is_counted(run: Run, words: str, macs: int) -> None:
    assert macs_of(run("rate.onnx", *words.split(), "--verify", "--format", "json")) == macs


def test_iterations_follow_from_a_value(run: Run) -> None:
    assert macs_of(run("loop.onnx", "--input", "m=@6", "--format", "json")) == 6 * 64


def test_the_advice_on_a_loop_without_a_name_works(run: Run) -> None:
    refused = run("unnamed.onnx")
    assert refused.code == 2
    assert "'y'" in refused.err
    assert "--trip-count" in refused.err
    assert macs_of(run("unnamed.onnx", "--trip-count", "y=6", "--format", "json")) == 6 * 64
    assert macs_of(run("unnamed.onnx", "--input", "m=@6", "--format", "json")) == 6 * 64


def test_a_run_that_differs_from_the_count_fails(run: Run) -> None:
    words = ("loop.onnx", "--input", "m=@3", "--trip-count", "loop=4")
    assert run(*words).code == 0
    done = run(*words, "--verify")
    assert done.code == 1
    assert "loop" in done.out
    assert run("loop.onnx", "--input", "m=@3", "--verify").code == 0
    assert run("loop.onnx", "--trip-count", "loop=4", "--verify").code == 0


def test_what_cannot_be_run_cannot_be_verified(run: Run) -> None:
    done = run("unknown.onnx", "--verify")
    assert done.code == 2
    assert "cannot be verified" in done.err


def test_a_law_of_a_file(run: Run) -> None:
    for words in ("--input x=1,L,8", "", "--input-len 16"):
        done = run("law", "open.onnx", *words.split(), "--format", "json")
        assert done.code == 0, done.err
        (law,) = json.loads(done.out)["laws"].values()
        assert law["macs"] == ["0", "32"]


def test_files_are_ranked_each_with_what_it_has(run: Run) -> None:
    words = "--cost macs,params --axis L=4 --trip-count loop=2 --input s-r=@1 --format json"
    done = run("rank", "open.onnx", "loop.onnx", *words.split())
    assert done.code == 0, done.err
    macs = {
        each["name"]: each["values"]["macs"]["value"] for each in json.loads(done.out)["models"]
    }
    assert macs == {"open.onnx": 4 * 8 * 4, "loop.onnx": 2 * 64}


def test_a_table_is_shown(run: Run) -> None:
    done = run("open.onnx", "--input-len", "16")
    assert done.code == 0
    assert "one run at L = 16" in done.out


def test_trip_counts_are_stated(run: Run) -> None:
    done = run("loop.onnx", "--trip-count", "loop=7", "--format", "json")
    assert json.loads(done.out)["count"]["macs"] == 7 * 64


def test_strict_fails_on_an_unknown_operator(run: Run) -> None:
    done = run("unknown.onnx", "--strict")
    assert done.code == 1
    assert "uncounted under --strict: own.F" in done.err
    assert run("unknown.onnx").code == 0


MISTAKES = [
    ("none.onnx", "there is no file none.onnx"),
    ("torn.onnx", "torn.onnx is not an ONNX file"),
    ("open.onnx", "axis 1 of the input x (1, L, 8) is open"),
    ("open.onnx --input z=1,2,8", "no input 'z'"),
    ("open.onnx --input 1,2,8 --input 8,4 --input 3", "3 inputs are given, and the graph has 2"),
    ("open.onnx --input x=1,L,8", "there is no --input-len"),
    ("open.onnx --set a=1", "--set is for presets"),
    ("open.onnx --axis M=4", "no axis 'M'"),
    ("open.onnx --axis L", "is not NAME=N"),
    ("open.onnx --axis L=0", "is not NAME=N"),
    ("open.onnx --input x=1,K,8", "an axis K, which --axis gives no size"),
    ("open.onnx --input x=@none.npy", "none.npy does not exist"),
    ("open.onnx --input x=@[1,2]", "has 3 axes"),
    ("open.onnx --input x=@", "is no value"),
    ("rate.onnx --input s-r=@1.5", "is of int64"),
    ("rate.onnx --input-len 5", "leaves several axes open"),
    ("law loop.onnx --trip-count loop=1", "no length to find a law in"),
    ("crosscheck open.onnx --input-len 4", "--verify"),
    ("wavegan --verify", "--verify is for ONNX files"),
    ("wavegan --axis L=4", "has no axes"),
    ("loop.onnx", "loop (Loop) depends on values"),
    ("loop.onnx --trip-count loop", "is not NODE=N"),
    ("loop.onnx --input-len 5 --trip-count loop=1", "leaves no named axis open"),
    ("wavegan --trip-count loop=1", "--trip-count is for ONNX files"),
]


@pytest.mark.parametrize(("words", "complaint"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_mistakes(run: Run, words: str, complaint: str) -> None:
    done = run(*words.split())
    assert done.code == 2
    assert done.out == ""
    assert complaint in done.err + "."


def test_counting_a_file_needs_no_torch(here: Path) -> None:
    script = """
import sys
from inspect_cost.cli import main
assert main(["open.onnx", "--input-len", "16", "--no-measure", "-o", "/dev/null"]) == 0
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=here)  # noqa: S603 - our own interpreter
    assert done.returncode == 0
