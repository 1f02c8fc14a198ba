"""Unused work and memory in the table and in the JSON."""

import json
from pathlib import Path

import pytest

from inspect_cost.cli import main

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.head, self.idle = nn.Linear(4, 2), nn.Linear(4, 4)

    def forward(self, x):
        for layer in self.layers:
            layer(x)
        return self.head(x)
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET)
    return f"{tmp_path / 'net.py'}:Net"


def test_unused_work_is_in_the_table(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([net, "--no-measure", "--input", "5,4"]) == 0
    shown = capsys.readouterr().out
    assert "60 parameters and 240 MAC (85.7 %) never reach the output:" in shown
    assert "layers: 60 parameters, 240 MAC" in shown
    assert "20 parameters, 2 tensors, are never touched:" in shown
    assert "idle.*" in shown
    assert "Peak activations" in shown


def test_unused_work_is_in_the_json(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([net, "--no-measure", "--input", "5,4", "--format", "json"]) == 0
    counted = json.loads(capsys.readouterr().out)["count"]
    waste = counted["waste"]
    assert (waste["macs"], waste["params"], waste["param_bytes"]) == (240, 60, 240)
    assert waste["share_of_macs"] == 240 / 280
    assert [module["path"] for module in waste["modules"]] == ["layers"]
    assert waste["untouched_params"] == ["idle.bias", "idle.weight"]
    assert counted["peak_activation_bytes"] == 4 * 5 * 4
    assert counted["operators"][0]["arithmetic_intensity"] > 0
    assert counted["modules"][0]["arithmetic_intensity"] == counted["arithmetic_intensity"]
