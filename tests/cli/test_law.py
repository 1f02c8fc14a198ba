"""``inspect-cost law``."""

import json
from collections.abc import Callable

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]

CONVOLUTION = """
from torch import nn

def strided():
    return nn.Conv1d(1, 4, 400, stride=320)
"""


def test_laws_of_presets_side_by_side(run: Run) -> None:
    done = run("law", "wavegan", "wavegan-65536")
    assert done.code == 0
    assert "= 51,700 L\n" in done.out
    assert "L = 65,536, 131,072, 196,608, ..." in done.out


def test_as_json(run: Run) -> None:
    laws = json.loads(run("law", "wavegan", "--format", "json").out)
    assert laws["schema"] == "inspect-cost/laws/1"
    law = laws["laws"]["wavegan"]
    assert law["macs"] == ["0", "51700"]
    assert law["kind"] == "counted"
    assert law["period"] == 16_384


def test_of_a_model_of_ones_own(run: Run) -> None:
    with open("strided.py", "w") as file:  # noqa: PTH123 - in the folder of the run
        file.write(CONVOLUTION)
    done = run("law", "strided.py:strided", "--input", "1,1,L", "--input-len", "16000")
    assert done.code == 0
    assert "= 5 L - 1,600\n" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("law", "no model is named"),
        ("law flowavnet", "did you mean flowavenet?"),
        ("law net.py:Net --input 1,3:int64", "no input of net.py:Net has a length"),
        ("law net.py:Deciding --input 2,L", "the forward of net.py:Deciding failed"),
        ("law flowavenet --period zero", "is not a whole number"),
    ],
)
def test_wrong_input(run: Run, words: str, message: str) -> None:
    done = run(*words.split())
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
