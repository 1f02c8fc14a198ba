"""What is exported costs what the model costs, and onnxruntime executes what is counted."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import model_zoo
from inspect_cost import Call, count, count_onnx
from inspect_cost.exporting.onnx import export_call
from tests.exporting.test_exporting import SMALL

pytest.importorskip("onnxruntime")
# torch's exporter warns of its own deprecated calls
pytestmark = pytest.mark.filterwarnings("ignore")


class Block(nn.Module):
    """A layer of a transformer, written out."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        h = x + torch.softmax(q @ k.transpose(-1, -2) / 4, -1) @ v
        return torch.as_tensor(h + self.mlp(h))


class Separable(nn.Module):
    """Strided, dilated, grouped and transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8),
            nn.Conv2d(8, 12, 1, bias=False),
            nn.ConvTranspose2d(12, 4, 4, stride=2, padding=1),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 5),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.body(x))


class Products(nn.Module):
    """Products of several forms."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.einsum("bij,bkj->bik", x, y) @ torch.bmm(y, x.mT) + torch.matmul(x[0], y[0].T)


MODELS: Mapping[str, tuple[Callable[[], nn.Module], tuple[tuple[int, ...], ...]]] = {
    "separable": (Separable, ((2, 3, 17, 16),)),
    "block": (Block, ((2, 5, 16),)),
    "products": (Products, ((2, 3, 4), (2, 3, 4))),
    "conv1d": (lambda: nn.Conv1d(4, 6, 5, stride=3, padding=2, groups=2), ((1, 4, 31),)),
    "conv3d": (lambda: nn.Conv3d(2, 3, (3, 1, 2), padding=(1, 0, 1)), ((1, 2, 5, 6, 7),)),
    "lstm": (lambda: nn.LSTM(5, 7, 2, batch_first=True, bidirectional=True), ((2, 6, 5),)),
    "gru": (lambda: nn.GRU(5, 7), ((6, 2, 5),)),
    "encoder": (
        lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
        ((2, 7, 16),),
    ),
    "attention": (lambda: nn.MultiheadAttention(12, 3), ((5, 2, 12),) * 3),
    "bilinear": (lambda: nn.Bilinear(3, 4, 5), ((6, 3), (6, 4))),
}
QUICK = ("separable", "block")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in MODELS]
)
def test_a_model_and_its_export_have_the_same_macs(tmp_path: Path, name: str) -> None:
    make, shapes = MODELS[name]
    torch.manual_seed(0)
    model, inputs = make().eval(), [torch.randn(shape) for shape in shapes]
    export_call(Call.of(model, *inputs), tmp_path / "m.onnx", name)
    report = count_onnx(tmp_path / "m.onnx", verify=True)
    assert report.macs == count(model, *inputs).macs > 0
    assert report.params == sum(p.numel() for p in model.parameters())
    assert [note.code for note in report.notes] == ["run-agrees"]


def test_every_preset_of_the_zoo_is_exported_at_a_small_size() -> None:
    assert set(SMALL) == set(model_zoo.names())
