"""Explaining what a name stands for."""

from pathlib import Path

import pytest

from inspect_cost import UsageError, explain, resolve
from inspect_cost.cli import main
from inspect_cost.values.errors import Unsupported
from tests.counting.onnx.graphs import graph

GRAPH = """g (float[1,8] x, float[8,4] w) => (float[1,4] y) {
  y = MatMul(x, w)
}"""


def test_a_preset_by_its_name() -> None:
    explanation = explain("wavegan", "project")
    assert explanation.type == "Linear"
    assert explanation.macs == 100 * 16_384


def test_a_subject_has_its_own_inputs() -> None:
    short, long = (resolve("flowavenet", input_len=n) for n in (1600, 3200))
    of_short, of_long = (explain(subject, "aten.conv1d").macs for subject in (short, long))
    assert 1.5 < of_long / of_short < 2.5


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(graph(GRAPH).SerializeToString())
    with pytest.raises(Unsupported):
        explain(str(file), "y")


def test_an_unknown_name() -> None:
    with pytest.raises(UsageError):
        explain("wavegam", "project")


def test_the_command_line_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "wavegan", "projekt"]) == 2
    assert "project" in capsys.readouterr().err
