"""Small models of the usual kinds for the counting tests, and what these ask of a report."""

from typing import Any

import torch
from torch import Tensor, nn

from inspect_cost import CostReport
from inspect_cost.values.notes import codes


def is_real_run(report: CostReport) -> bool:
    """Return whether a count fell back to running the model on real values."""
    return "real-run" in codes(report.notes)


class Bottleneck(nn.Module):
    """ResNet's bottleneck block (He et al. 2016), expansion 4."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = (
            nn.Identity()
            if inputs == outputs and stride == 1
            else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet50(nn.Module):
    """The 50-layer network for 1,000 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        blocks, inputs = [], 64
        for width, depth, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for i in range(depth):
                blocks.append(Bottleneck(inputs, width, stride if i == 0 else 1))
                inputs = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))

    def forward(self, x: Tensor) -> Any:
        return self.head(self.blocks(self.stem(x)))


class TiedLanguageModel(nn.Module):
    """Embedding and output share one weight, as in GPT-2."""

    def __init__(self, vocabulary: int = 50, width: int = 16) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.mix = nn.LSTM(width, width, batch_first=True)
        self.output = nn.Linear(width, vocabulary, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Any:
        return self.output(self.mix(self.embedding(ids))[0])


class Routed(nn.Module):
    """Takes one of two branches, depending on a value computed from its parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(4, 1)
        self.left, self.right = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Any:
        return self.left(x) if self.gate(x).sum().item() > 0 else self.right(x)


class Untidy(nn.Module):
    """Changes everything that a forward can change."""

    calls: Tensor

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.linear = nn.Linear(4, 4)
        self.register_buffer("calls", torch.zeros(()))
        self.cache: dict[str, Tensor] = {}
        self.seen: list[int] = []
        self.fails = fails

    def forward(self, x: Tensor) -> Any:
        x.mul_(2)
        self.calls += 1
        self.seen.append(len(x))
        y = self.linear(self.norm(x)) + torch.rand(4)
        self.cache["y"] = y
        self.train()
        for parameter in self.parameters():
            parameter.requires_grad_(False)
        if self.fails:
            raise ZeroDivisionError("on purpose")
        return y
