"""Cases of the counting benchmark: a model, its inputs, and its MACs in closed form.

Layers have no biases if that is a choice, since some tools count a bias as a MAC per output.
"""

import warnings
from collections.abc import Callable, Mapping
from math import prod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.counting.models import (
    GPT2,
    Calls,
    Product,
    ResNet50,
    SelfAttention,
    SharedLayer,
    TiedHead,
    ViT,
    WindowedDecoder,
)


class Case(NamedTuple):
    """A model with inputs, and its true cost.

    Attributes:
        make: makes the model.
        inputs: arguments of its forward.
        macs: true number of multiply-accumulates.
    """

    make: Callable[[], nn.Module]
    inputs: tuple[Tensor, ...]
    macs: int


def case(make: Callable[[], nn.Module], macs: int, *shapes: tuple[int, ...]) -> Case:
    """Return a case with random inputs of these shapes."""
    return Case(make, tuple(torch.rand(shape) for shape in shapes), macs)


def ids(*shape: int) -> tuple[Tensor, ...]:
    """Return random tokens."""
    return (torch.randint(0, 50, shape),)


def int8_linear() -> nn.Module:
    """Return a linear layer with an int8 weight that quantises its input dynamically."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that the function has moved
        model: nn.Module = torch.ao.quantization.quantize_dynamic(
            nn.Sequential(nn.Linear(64, 32, bias=False)), {nn.Linear}
        )
        return model


def encoder() -> nn.Module:
    """Return an encoder that takes the fast path in eval mode."""
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def attention_macs(batch: int, queries: int, keys: int, width: int) -> int:
    """Return the MACs of scores and of the weighted sum of values."""
    return 2 * batch * queries * keys * width


def projected_attention_macs(batch: int, length: int, width: int) -> int:
    """Return the MACs of attention with its four projections."""
    return 4 * batch * length * width**2 + attention_macs(batch, length, length, width)


def transformer_macs(batch: int, length: int, width: int, hidden: int) -> int:
    """Return the MACs of one layer of a transformer."""
    return projected_attention_macs(batch, length, width) + 2 * batch * length * width * hidden


def recurrent_macs(gates: int, steps: int, sizes: list[tuple[int, int]]) -> int:
    """Return `gates * hidden * (input + hidden)` MACs for each cell and step."""
    return steps * sum(gates * H * (I + H) for H, I in sizes)


def resnet50_macs() -> int:
    """Return the MACs at batch 1, 224 x 224, with strides in the 3 x 3 convolutions: 4.09 G."""
    macs, inputs, side = 112**2 * 64 * 3 * 49, 64, 56
    for width, depth, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        after = side // stride
        macs += side**2 * inputs * width + after**2 * (9 * width**2 + 4 * width**2)
        macs += after**2 * inputs * 4 * width
        macs += (depth - 1) * after**2 * (4 * width**2 + 9 * width**2 + 4 * width**2)
        inputs, side = 4 * width, after
    return macs + 2048 * 1000


CASES: Mapping[str, Case] = {
    "Linear 2-D": case(lambda: nn.Linear(64, 32, bias=False), 8 * 64 * 32, (8, 64)),
    "Linear 3-D": case(lambda: nn.Linear(64, 32, bias=False), 4 * 10 * 64 * 32, (4, 10, 64)),
    "Conv1d dilated": case(
        lambda: nn.Conv1d(8, 16, 3, dilation=2, bias=False), 96 * 16 * 8 * 3, (1, 8, 100)
    ),
    "Conv1d same": case(
        lambda: nn.Conv1d(8, 8, 4, padding="same", bias=False), 50 * 64 * 4, (1, 8, 50)
    ),
    "Conv2d grouped": case(
        lambda: nn.Conv2d(8, 16, 3, padding=1, groups=4, bias=False),
        20 * 20 * 16 * 2 * 9,
        (1, 8, 20, 20),
    ),
    "Conv2d depthwise": case(
        lambda: nn.Conv2d(16, 16, 5, groups=16, bias=False), 16 * 16 * 16 * 25, (1, 16, 20, 20)
    ),
    "Conv3d": case(
        lambda: nn.Conv3d(3, 6, 3, bias=False), 8 * 8 * 8 * 6 * 3 * 27, (1, 3, 10, 10, 10)
    ),
    "ConvTranspose1d stride 4": case(
        lambda: nn.ConvTranspose1d(16, 8, 8, stride=4, padding=2, bias=False),
        25 * 16 * 8 * 8,
        (1, 16, 25),
    ),
    "ConvTranspose2d output_padding": case(
        lambda: nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1, bias=False),
        100 * 8 * 4 * 9,
        (1, 8, 10, 10),
    ),
    "F.conv1d of a windowed kernel": case(
        lambda: Calls(lambda x, w, window: F.conv1d(x, w * window), (6, 4, 9), (9,)),
        42 * 6 * 4 * 9,
        (1, 4, 50),
    ),
    "weight norm": case(
        lambda: nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 8, 3, bias=False)),
        28 * 96,
        (1, 4, 30),
    ),
    "LSTM 2 layers": case(
        lambda: nn.LSTM(32, 48, 2, batch_first=True),
        recurrent_macs(4, 3 * 20, [(48, 32), (48, 48)]),
        (3, 20, 32),
    ),
    "LSTM bidirectional, projected": case(
        lambda: nn.LSTM(16, 24, proj_size=8, bidirectional=True),
        2 * 15 * 2 * (4 * 24 * (16 + 8) + 24 * 8),
        (15, 2, 16),
    ),
    "GRU bidirectional": case(
        lambda: nn.GRU(20, 30, bidirectional=True),
        recurrent_macs(3, 12 * 2, [(30, 20)] * 2),
        (12, 2, 20),
    ),
    "LSTMCell": case(lambda: nn.LSTMCell(20, 30), 2 * 4 * 30 * 50, (2, 20)),
    "MultiheadAttention": case(
        lambda: SelfAttention(64, 4),
        projected_attention_macs(2, 10, 64),
        (2, 10, 64),
    ),
    "scaled_dot_product_attention": case(
        lambda: Calls(F.scaled_dot_product_attention),
        attention_macs(2 * 4, 10, 12, 16),
        (2, 4, 10, 16),
        (2, 4, 12, 16),
        (2, 4, 12, 16),
    ),
    "TransformerEncoder": case(encoder, 2 * transformer_macs(2, 10, 64, 128), (2, 10, 64)),
    "F.linear": case(lambda: Calls(F.linear, (32, 64)), 8 * 32 * 64, (8, 64)),
    "einsum": case(
        lambda: Calls(lambda x, w: torch.einsum("bti,oi->bto", x, w), (24, 16)),
        2 * 10 * 16 * 24,
        (2, 10, 16),
    ),
    "tensordot": case(
        lambda: Calls(lambda x, w: torch.tensordot(x, w, 2), (5, 6, 7)), 4 * 30 * 7, (4, 5, 6)
    ),
    "mv": case(lambda: Calls(lambda x, w: w.mv(x), (20, 30)), 20 * 30, (30,)),
    "bmm": case(lambda: Calls(torch.bmm, (4, 12, 8)), 4 * 10 * 12 * 8, (4, 10, 12)),
    "baddbmm": case(
        lambda: Calls(lambda x, w, b: torch.baddbmm(b, x, w), (4, 12, 8), (4, 10, 8)),
        4 * 10 * 12 * 8,
        (4, 10, 12),
    ),
    "autograd.Function": case(lambda: Calls(Product.apply, (16, 8)), 4 * 16 * 8, (4, 16)),
    "shared layer": case(SharedLayer, 2 * 4 * 32 * 32, (4, 32)),
    "tied weights": Case(TiedHead, ids(2, 10), 2 * 10 * 16 * 100),
    "batch of 16": case(
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, bias=False),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8 * 64, 10, bias=False),
        ),
        16 * (64 * 8 * 27 + 8 * 64 * 10),
        (16, 3, 10, 10),
    ),
    "int8 dynamic linear": case(int8_linear, 4 * 64 * 32, (4, 64)),
    "SING's kind of decoder": case(
        WindowedDecoder,
        2 * 20 * (4 * 32 * (16 + 32) + 32 * 24 + 24 * 64),
        (2, 20, 16),
    ),
    "ResNet-50": case(ResNet50, resnet50_macs(), (1, 3, 224, 224)),
    "GPT-2 small, 128 tokens": Case(
        GPT2, ids(1, 128), 12 * transformer_macs(1, 128, 768, 3072) + 128 * 768 * 50257
    ),
    "ViT-B/16": case(
        ViT,
        196 * 768 * prod((3, 16, 16)) + 12 * transformer_macs(1, 197, 768, 3072) + 768 * 1000,
        (1, 3, 224, 224),
    ),
    "embedding: no MACs": Case(lambda: nn.Embedding(50, 16), ids(2, 10), 0),
    "FFT: no MACs": case(lambda: Calls(lambda x: torch.fft.irfft(torch.fft.rfft(x))), 0, (2, 256)),
    "activations: no MACs": case(
        lambda: nn.Sequential(nn.GELU(), nn.Softmax(-1), nn.LayerNorm(32)), 0, (4, 32)
    ),
    "pooling: no MACs": case(
        lambda: nn.Sequential(nn.AvgPool2d(2), nn.MaxPool2d(2)), 0, (1, 4, 16, 16)
    ),
}
