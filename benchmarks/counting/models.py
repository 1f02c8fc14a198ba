"""Models of the counting benchmark: standard ones, written out, and small ones that are difficult.

ResNet-50 (He et al. 2016), GPT-2 small (Radford et al. 2019), ViT-B/16 (Dosovitskiy et al. 2021).
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Calls(nn.Module):
    """Model that calls a function of the inputs and of parameters."""

    def __init__(self, function: Callable[..., object], *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList(torch.rand(shape) for shape in shapes)

    def forward(self, x: Tensor, y: Tensor | None = None, z: Tensor | None = None) -> object:
        """Return the function's result."""
        given = [tensor for tensor in (x, y, z) if tensor is not None]
        return self.function(*given, *self.weights)


class Product(torch.autograd.Function):
    """Matrix product with a user-defined gradient."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, weight: Tensor) -> Tensor:
        """(B, I), (I, O) -> (B, O)."""
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of both operands."""
        x, weight = ctx.saved_tensors
        return grad @ weight.T, x.T @ grad


class Bottleneck(nn.Module):
    """ResNet's block of three convolutions."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in (width, width, 4 * width))
        self.shortcut = nn.Sequential()
        if inputs != 4 * width or stride != 1:
            projection = nn.Conv2d(inputs, 4 * width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(4 * width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 4 width, H / stride, W / stride)."""
        y = F.relu(self.norms[0](self.conv1(x)))
        y = F.relu(self.norms[1](self.conv2(y)))
        return F.relu(self.norms[2](self.conv3(y)) + self.shortcut(x))


class ResNet50(nn.Module):
    """The 50-layer network for 1,000 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        blocks: list[nn.Module] = []
        inputs = 64
        for width, depth, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for i in range(depth):
                blocks.append(Bottleneck(inputs, width, stride if i == 0 else 1))
                inputs = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 224, 224) -> (B, 1000)."""
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class Layer(nn.Module):
    """A transformer layer that normalises first, as in GPT-2 and ViT."""

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, E) -> (B, T, E)."""
        batch, length, width = x.shape
        split = (batch, length, 3, self.heads, width // self.heads)
        q, k, v = self.into(self.norm1(x)).view(split).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.norm2(x))


class GPT2(nn.Module):
    """GPT-2 small, its embedding tied to its head."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(50257, 768), nn.Embedding(1024, 768)
        self.layers = nn.Sequential(*(Layer(768, 12, causal=True) for _ in range(12)))
        self.norm = nn.LayerNorm(768)
        self.head = nn.Linear(768, 50257, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) -> (B, T, 50257)."""
        places = torch.arange(ids.shape[1], device=ids.device)
        return self.head(self.norm(self.layers(self.tokens(ids) + self.positions(places))))


class ViT(nn.Module):
    """ViT-B/16 for 1,000 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 768, 16, 16)
        self.mark = nn.Parameter(torch.zeros(1, 1, 768))
        self.places = nn.Parameter(torch.zeros(1, 197, 768))
        self.layers = nn.Sequential(*(Layer(768, 12, causal=False) for _ in range(12)))
        self.norm, self.head = nn.LayerNorm(768), nn.Linear(768, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 224, 224) -> (B, 1000)."""
        y = self.patches(x).flatten(2).transpose(1, 2)
        y = torch.cat([self.mark.expand(len(x), -1, -1), y], dim=1) + self.places
        return self.head(self.norm(self.layers(y))[:, 0])


class WindowedDecoder(nn.Module):
    """Decoder like SING's: LSTM, convolution, and a transposed one with a windowed kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(16, 32, batch_first=True)
        self.rewrite = nn.Conv1d(32, 24, 1)
        self.kernel = nn.Parameter(torch.rand(24, 1, 64))
        self.register_buffer("window", torch.hann_window(64))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, 16) -> (B, 1, 16 T + 48)."""
        y = F.relu(self.rewrite(self.lstm(x)[0].transpose(1, 2)))
        return F.conv_transpose1d(y, self.kernel * self.window, stride=16)


class SharedLayer(nn.Module):
    """One layer in two places, called in both."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.Linear(32, 32, bias=False)
        self.first, self.second = nn.Sequential(layer), nn.Sequential(layer)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 32) -> (B, 32)."""
        return self.second(self.first(x))


class TiedHead(nn.Module):
    """An embedding and a head with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(100, 16), nn.Linear(16, 100, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) -> (B, T, 100)."""
        return self.head(self.embedding(ids))


class Raising(nn.Module):
    """Model that fails half-way."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        """Raise ZeroDivisionError."""
        self.linear(self.norm(x))
        raise ZeroDivisionError("on purpose")


class SelfAttention(nn.Module):
    """`nn.MultiheadAttention` of one input with itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, E) -> (B, T, E)."""
        return self.attention(x, x, x, need_weights=False)[0]
