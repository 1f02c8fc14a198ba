"""What the snippets of the documentation refer to without making it: models, inputs, files."""

from pathlib import Path
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from onnx import parser
from torch import Tensor, nn

from inspect_cost import rank
from model_zoo import FloWaveNetConfig
from tests.model_zoo.fidelity import load_fixture

CONVOLUTION = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 80, L] x, float[3, 80, 3] w) => (float[1, 3, M] y) { y = Conv (x, w) }
"""
LOOK_UP = """
<ir_version: 8, opset_import: ["" : 17]>
g (int64[1, L] ids, float[9, 4] w) => (float[1, L, 4] y) { y = Gather (w, ids) }
"""
RATES = """<ir_version: 10, opset_import: ["" : 20]>
g (float[1,n] x, int64 sr) => (float[1,m] y) <int64 k = {16000}> {
  c = Equal(sr, k)
  y = If (c) < then_branch = t () => (float[1,a] p) { p = Relu(x) },
               else_branch = e () => (float[1,b] q) { q = Sigmoid(x) }> }"""
FOREIGN = """
<ir_version: 8, opset_import: ["" : 17, "com.acme" : 1]>
g (float[2, 3] x) => (float[2, 3] y) { y = com.acme.Scan (x) }
"""
LOOP = """
<ir_version: 8, opset_import: ["" : 17]>
g (int64 n, bool first, float[4] x) => (float[4] y) {
    y = Loop <body = step (int64 i, bool before, float[4] a) => (bool after, float[4] b) {
        after = Identity (before)
        b = Tanh (a)
    }> (n, first, x)
}
"""
NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU())

def make_model():
    return Net()
"""


@torch.library.custom_op("mylib::scan", mutates_args=())
def scan(x: Tensor) -> Tensor:
    """Add up along the last dimension: an operator that inspect-cost does not know."""
    return x.cumsum(-1)


@scan.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


class Net(nn.Module):
    """A model of sequences (B, T, 4) that can also generate."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        encoded: Tensor = self.encoder(x)
        if lengths is None:
            return encoded
        seen = torch.arange(x.shape[1]) < lengths[:, None]
        return encoded * seen[..., None]

    def generate(self, mel: Tensor, steps: int = 1) -> Tensor:
        for _ in range(steps):
            mel = self.encoder(mel)
        return mel


class Agent(nn.Module):
    """A model whose forward has a parameter that `count` has too."""

    def __init__(self) -> None:
        super().__init__()
        self.actions = nn.Linear(4, 2)

    def forward(self, x: Tensor, policy: str = "greedy") -> Tensor:
        chances: Tensor = self.actions(x).softmax(-1)
        return chances.argmax(-1) if policy == "greedy" else chances


class Heard(nn.Module):
    """A model whose forward has a parameter that `measure` has too."""

    def forward(self, x: Tensor, device: str = "ear") -> Tensor:
        return x + len(device)


class Scanner(nn.Module):
    """A model with an operator of its own."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(12):
            x = scan(x)
        return x


class Windowed(nn.ConvTranspose1d):
    """A transposed convolution whose kernel is multiplied by a window at each call."""

    def forward(self, x: Tensor, *_: Any) -> Tensor:
        window = torch.hann_window(self.weight.shape[-1])
        return F.conv_transpose1d(x, self.weight * window, self.bias, stride=self.stride[0])


def make_loop() -> onnx.ModelProto:
    """Return an ONNX model of one loop, whose end nobody knows."""
    model = parser.parse_model(LOOP)
    model.graph.node[0].name = "/decoder/Loop"
    return model


def write_files(folder: Path) -> None:
    """Write the files that snippets read into a folder."""
    (folder / "net.py").write_text(NET)
    for name, text in (
        ("model", CONVOLUTION),
        ("encoder", LOOK_UP),
        ("net", FOREIGN),
        ("vad", RATES),
    ):
        onnx.save(parser.parse_model(text), folder / f"{name}.onnx")


def make_names() -> dict[str, Any]:
    """Return the names that snippets take for granted."""
    flow = load_fixture("flowavenet")
    original = flow["config"]
    x = torch.zeros(2, 8, 4)
    return {
        "torch": torch,
        "model": Net().eval(),
        "encoder": nn.Linear(4, 4),
        "decoder": nn.Linear(4, 4),
        "agent": Agent(),
        "ear": Heard(),
        "net": Scanner(),
        "Windowed": Windowed,
        "vocoder": Windowed(4, 2, 8, stride=4),
        "x": x,
        "mel": torch.rand(2, 4, 4),
        "a": torch.zeros(3, 4),
        "b": torch.zeros(4, 5),
        "lengths": torch.tensor([8, 5]),
        "sample": lambda model, noise: model(noise),
        "noise": x,
        "train_step": lambda: None,
        "model_proto": make_loop(),
        "training": rank({"a": (1, 2), "b": (2, 1)}),
        "inference": rank({"a": (1, 2), "b": (2, 1)}),
        "state_dict": flow["state_dict"],
        "config": FloWaveNetConfig(
            mel_channels=original["cin_channel"],
            blocks=original["n_block"],
            flows=original["n_flow"],
            layers=original["n_layer"],
            blocks_per_split=original["block_per_split"],
            channels=flow["width"],
            affine=original["affine"],
        ),
    }
