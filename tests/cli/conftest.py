"""A folder with a user's own models, and the command line run in it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from inspect_cost.cli import main
from inspect_cost.cli.app import VERBS

MODELS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(100, 8)
        self.lstm = nn.LSTM(8, 4, batch_first=True)

    def forward(self, ids, scale=None):
        y = self.lstm(self.embed(ids))[0]
        return y if scale is None else y * scale

class Unknown(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return torch.linalg.svdvals(self.linear(x))

class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return x if self.linear(x).sum() > 1e9 else self.linear(x)

def broken():
    raise RuntimeError("no weights here")

def needy(width):
    return nn.Linear(width, 3)

def number():
    return 3

def without_values():
    return nn.Linear(4, 3, device="meta")

INSTANCE = nn.Linear(4, 3)
CONSTANT = 3
"""


@dataclass
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Run a command line in a fresh folder that holds ``net.py``; the main job only counts."""
    measured = runner(tmp_path, monkeypatch, capsys)

    def run(*words: str) -> Ran:
        counts = words and words[0] not in VERBS and not words[0].startswith("-")
        return measured(*words, *(["--no-measure"] if counts else []))

    return run


@pytest.fixture
def measuring(
    no_sensors: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ran]:
    """As `run`, and it measures, with the sensors of a test's own only."""
    del no_sensors
    return runner(tmp_path, monkeypatch, capsys)


def runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """What runs a command line, as it is."""
    (tmp_path / "net.py").write_text(MODELS)
    (tmp_path / "faulty.py").write_text("import nothing_of_that_name\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("COLUMNS", raising=False)  # of the terminal that the tests are run from

    def run(*words: str) -> Ran:
        capsys.readouterr()
        code = main(words)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run
