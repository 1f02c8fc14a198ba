"""The command line, run in a folder with a user's models, and peers chosen for a test."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from inspect_cost.crosschecking import run as runs
from inspect_cost.crosschecking.peers import PEERS
from inspect_cost.exporting.writing import Traceable, write_onnx
from tests.cli.conftest import run

__all__ = ["only", "run"]


@pytest.fixture(scope="session", autouse=True)
def _exporter_is_loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Peers run in forks of this process, each of which would load torch's exporter anew."""
    path: Path = tmp_path_factory.mktemp("exported") / "m.onnx"
    write_onnx(Traceable(nn.Linear(2, 2), (torch.rand(1, 2),)), path)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Leave all peers out but one, for tests that ask about that."""

    def choose(name: str) -> None:
        monkeypatch.setattr(runs, "PEERS", tuple(peer for peer in PEERS if peer.name == name))

    return choose
