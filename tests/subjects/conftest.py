"""One model under three names: as code, as a file, and a preset."""

from pathlib import Path

import onnx
import pytest

from tests.counting.onnx.graphs import graph

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 5, bias=False)

    def forward(self, x):
        return self.linear(x)
"""
PRODUCT = "g (float[N, 3] x, float[3, 5] w) => (float[N, 5] y) { y = MatMul (x, w) }"


@pytest.fixture
def net(tmp_path: Path) -> str:
    """A product of (N, 3) and (3, 5) as a user's own code."""
    (tmp_path / "product_net.py").write_text(NET)
    return f"{tmp_path / 'product_net.py'}:Net"


@pytest.fixture
def product(tmp_path: Path) -> str:
    """The same product as an ONNX file."""
    path = tmp_path / "product.ONNX"
    onnx.save(graph(PRODUCT), path)
    return str(path)
