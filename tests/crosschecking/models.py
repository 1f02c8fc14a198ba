"""Models on each of which some peer is known to be wrong."""

import os
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Faulty(nn.Module):
    """What peers stumble over, each in a module of its own or in the model's own forward."""

    def __init__(self) -> None:
        super().__init__()
        self.normed = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 8, 3, padding=1))
        self.up = nn.ConvTranspose1d(8, 8, 4, 2, 1)
        self.lstm = nn.LSTM(8, 6, bidirectional=True, batch_first=True)
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.unread = nn.Linear(12, 7)
        self.encoder = nn.TransformerEncoderLayer(12, 3, 24, batch_first=True)
        self.uncalled = nn.Linear(12, 12)
        self.kernel = nn.Parameter(torch.rand(5, 12, 3))

    def forward(self, x: Tensor, gain: float = 1.0) -> dict[str, Tensor]:
        y = self.up(self.normed(x)).transpose(1, 2)
        y = self.lstm(y)[0]
        y = self.norm(self.attention(y, y, y)[0])
        self.unread(y)
        y = self.uncalled.forward(self.encoder(y))
        outer = torch.mv(y[0], y[0, 0])
        return {"kernel": F.conv1d(y.transpose(1, 2), self.kernel), "outer": gain * outer}


class Product(torch.autograd.Function):
    """A matrix product that a tracer sees as one operator of Python."""

    @staticmethod
    def forward(_ctx: object, x: Tensor, weight: Tensor) -> Tensor:
        return x @ weight


class Custom(nn.Module):
    """Calls a function of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = Product.apply(x, self.weight)  # type: ignore[no-untyped-call]  # torch's own
        return y


class Odd(nn.Module):
    """Contractions under other names, and one layer twice in a list, and once beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.bilinear, self.bag = nn.Bilinear(6, 4, 3), nn.EmbeddingBag(9, 4)
        self.layer = nn.Linear(4, 4)
        self.layers = nn.ModuleList([self.layer, self.layer])

    def forward(self, ids: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.bag(ids)
        for layer in self.layers:
            y = layer(y)
        z = torch.einsum("bi,bj->ij", y, x)
        return self.bilinear(x, y), torch.tensordot(x, z, ([1], [1]))


class Shared(nn.Module):
    """One layer in two places."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.Linear(4, 4)
        self.first, self.second = nn.Sequential(layer), nn.Sequential(layer)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return y


class Trapped(nn.Module):
    """Does something unpleasant to whoever traces it."""

    def __init__(self, trap: str) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.trap = trap

    def forward(self, x: Tensor) -> Tensor:
        if torch.jit.is_tracing():  # type: ignore[attr-defined,no-untyped-call]  # torch's own
            TRAPS[self.trap]()
        y: Tensor = self.linear(x)
        return y


def _raise() -> None:
    raise ZeroDivisionError("on purpose\nand at length")


TRAPS: dict[str, Callable[[], None]] = {
    "raise": _raise,
    "die": os.abort,
    "hang": lambda: time.sleep(60),
}


class Generator(nn.Module):
    """Generates by a method, which overwrites its own results where no gradients are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.front, self.back = nn.Linear(3, 4), nn.Linear(4, 2)

    @torch.no_grad()
    def generate(self, x: Tensor, *, steps: int) -> list[Tensor]:
        y = self.front(x)
        for _ in range(steps):
            y = y.tanh() if torch.is_grad_enabled() else y.tanh_()
        return [self.back(y)]


class Projected(nn.Module):
    """An LSTM whose state is projected, and cells."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 8, 2, proj_size=3, bidirectional=True)
        self.gru = nn.GRU(6, 4, 2)
        self.cell = nn.LSTMCell(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        state: Tensor = self.cell(self.gru(self.lstm(x)[0])[0][0])[0]
        return state


class Crowded(nn.Module):
    """In one forward: a product without a rule, one that nothing reads, and one like any other."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(6, 4))

    def forward(self, x: Tensor) -> Tensor:
        F.linear(x, self.weight)
        return torch.mv(F.linear(x, self.weight), self.weight[:, 0])
