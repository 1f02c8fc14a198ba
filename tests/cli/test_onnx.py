"""ONNX files on the command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.counting.onnx.graphs import graph

Run = Callable[..., Ran]

OPEN = """g (float[1,L,8] x, float[8,4] w) => (float[a,b,c] y) { y = MatMul(x, w) }"""
LOOP = """g (float[4,4] x, int64 m) => (float[4,4] y) <bool go = {1}> {
  [loop] y = Loop <body = b (int64 i, bool on, float[4,4] h) => (bool still, float[4,4] next)
    { still = Identity(on)  next = MatMul(h, h) }> (m, go, x) }"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path) -> Path:
    for name, text in (("open", OPEN), ("loop", LOOP)):
        (tmp_path / f"{name}.onnx").write_bytes(graph(text).SerializeToString())
    unknown = graph("g (float[2] x) => (float[2] y) { y = own.F(x) }", domains='"own" : 1')
    (tmp_path / "unknown.onnx").write_bytes(unknown.SerializeToString())
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
    assert complaint in done.err


def test_counting_a_file_needs_no_torch(here: Path) -> None:
    script = """
import sys
from inspect_cost.cli import main
assert main(["open.onnx", "--input-len", "16", "--no-measure", "-o", "/dev/null"]) == 0
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=here)  # noqa: S603 - our own interpreter
    assert done.returncode == 0
