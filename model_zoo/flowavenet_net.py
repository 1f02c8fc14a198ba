"""The WaveNet inside FloWaveNet's couplings and priors (arXiv 1811.02155, section 3.3).

It is a stack of gated, dilated convolutions over a signal h of W channels, conditioned at every
layer. It takes 99.9 % of the model's arithmetic, so that generating on a CPU computes it in a
faster form of the same products: `gate_by_products`, `add_residual_by_product`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_zoo.weight_norm import WeightNormConv1d, get_kernel

HOP = 256  # samples per mel frame: the upsampler stretches time by 16 twice
HALF_ROOT = math.sqrt(0.5)


@dataclass(frozen=True)
class FloWaveNetConfig:
    """Sizes of a FloWaveNet; the defaults are those of the published training script.

    Attributes:
        mel_channels: M.
        blocks: squeezing blocks; T must be a multiple of 2^blocks.
        flows: flows per block. Even, so that the swaps of the conditioning cancel within a block.
        layers: dilated layers in each coupling's WaveNet.
        blocks_per_split: half of the channels leave the flow after every group of this many blocks,
            except the last block, and are modelled by a prior of their own.
        channels: W, the width of every WaveNet.
        affine: affine couplings (scale and shift), else additive ones (shift only).
        unused_residuals: whether the last layer of each WaveNet computes, as published, a residual
            output that is unused; False leaves those convolutions out.
        weight_norm: whether kernels are stored weight-normed, as published, or plain.
    """

    mel_channels: int = 80
    blocks: int = 8
    flows: int = 6
    layers: int = 2
    blocks_per_split: int = 4
    channels: int = 256
    affine: bool = True
    unused_residuals: bool = True
    weight_norm: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes for which generation does not invert the density direction."""
        if self.flows % 2:
            raise ValueError(
                f"flows must be even, or the flow cannot be inverted; got {self.flows}"
            )
        sizes = (self.mel_channels, self.blocks, self.layers, self.blocks_per_split, self.channels)
        if min(sizes) < 1 or self.flows < 2 or 2**self.blocks > HOP:
            raise ValueError(
                f"sizes must be positive, and blocks at most 8 (hop {HOP}); got {self}"
            )

    @property
    def conv(self) -> type[nn.Conv1d]:
        """Class of the convolutions, weight-normed or plain."""
        return WeightNormConv1d if self.weight_norm else nn.Conv1d

    def splits_after(self, block: int) -> bool:
        """Return whether channels leave the flow after this block, counted from 0."""
        return (block + 1) % self.blocks_per_split == 0 and block + 1 < self.blocks


class ZeroConv1d(nn.Module):
    """1x1 convolution that starts as zero, with a learned log gain: `conv(x) * exp(3 * scale)`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, 1)
        self.scale = nn.Parameter(torch.zeros(1, out_channels, 1))
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]  # a Conv1d with bias has one

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, T) to (B, out, T)."""
        return self.conv(x) * torch.exp(3 * self.scale)


class ResidualLayer(nn.Module):
    """A gated, dilated, conditioned convolution with a residual and a skip output (section 3.3).

    Shape:
        h: (B, W, T); condition: (B, K, T); result: (B, W, T) residual, (B, W, T) skip.
    """

    def __init__(
        self, config: FloWaveNetConfig, condition_channels: int, dilation: int, residual: bool
    ) -> None:
        super().__init__()
        conv, width = config.conv, config.channels
        self.filter = conv(width, width, 3, padding=dilation, dilation=dilation)
        self.gate = conv(width, width, 3, padding=dilation, dilation=dilation)
        self.filter_condition = conv(condition_channels, width, 1)
        self.gate_condition = conv(condition_channels, width, 1)
        self.residual = conv(width, width, 1) if residual else None
        self.skip = conv(width, width, 1)

    def forward(self, h: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        out = self.gate_filter(h, condition)
        if self.residual is not None:
            h = (h + self.residual(out)) * HALF_ROOT
        return h, self.skip(out)

    def gate_filter(self, h: Tensor, condition: Tensor) -> Tensor:
        """Return the filter's output times the gate: (B, W, T)."""
        filtered = self.filter(h) + self.filter_condition(condition)
        gate = self.gate(h) + self.gate_condition(condition)
        return torch.tanh(filtered) * torch.sigmoid(gate)


class WaveNet(nn.Module):
    """The non-causal WaveNet that computes a coupling's scale and shift, or a prior's moments.

    Shape:
        x: (B, in_channels, T); condition: (B, K, T); result: (B, out_channels, T).
    """

    def __init__(
        self,
        config: FloWaveNetConfig,
        in_channels: int,
        out_channels: int,
        condition_channels: int,
        layers: int,
    ) -> None:
        super().__init__()
        self.front = config.conv(in_channels, config.channels, 3, padding=1)
        self.layers = nn.ModuleList(
            ResidualLayer(
                config,
                condition_channels,
                dilation=2**n,
                residual=config.unused_residuals or n + 1 < layers,
            )
            for n in range(layers)
        )
        self.hidden = config.conv(config.channels, config.channels, 1)
        self.out = ZeroConv1d(config.channels, out_channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.front(x).relu_()
        skips = sum_skips_by_products if generates_on_cpu(h) else sum_skips
        hidden = self.hidden(skips(self.layers, h, condition).relu_())
        return self.out(hidden.relu_())


def sum_skips(layers: Iterable[Any], h: Tensor, condition: Tensor) -> Tensor:
    """Return the sum of all layers' skip outputs, as published: (B, W, T)."""
    skips = []
    for layer in layers:
        h, skip = layer(h, condition)
        skips.append(skip)
    return reduce(torch.add, skips)


# --- the same computation with fewer passes over memory, for CPUs ---


def generates_on_cpu(x: Tensor) -> bool:
    """Return whether to use the CPU forms, which overwrite results: no gradients, no autocast.

    Autocast would change the types of operands, but not of tensors that are overwritten.
    """
    overwritable = not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")
    return x.device.type == "cpu" and overwritable


def sum_skips_by_products(layers: Iterable[Any], h: Tensor, condition: Tensor) -> Tensor:
    """Compute `sum_skips` with each output added by the product that makes it; overwrites h."""
    total = h.new_zeros(())
    for layer in layers:
        out = gate_by_products(layer, h, condition)
        total = accumulate(total, layer.skip, out)
        if layer.residual is not None:
            add_residual_by_product(layer.residual, h, out)
    return total


def gate_by_products(layer: ResidualLayer, h: Tensor, condition: Tensor) -> Tensor:
    """Compute `ResidualLayer.gate_filter` with filter and gate in one convolution.

    oneDNN computes a convolution to 512 channels closer to the rate of a matrix product than two
    to 256, and the conditioning's products are added to its result in place.
    """
    pairs = ((layer.filter, layer.filter_condition), (layer.gate, layer.gate_condition))
    kernel = torch.cat([get_kernel(conv) for conv, _ in pairs])
    bias = torch.cat([conv.bias + conditioned.bias for conv, conditioned in pairs])
    dilation = layer.filter.dilation[0]
    both = F.conv1d(h, kernel, bias, padding=dilation, dilation=dilation)
    filtered, gate = both.chunk(2, dim=1)
    for half, (_, conditioned) in zip((filtered, gate), pairs, strict=True):
        add_product(half, conditioned, condition)
    return apply_tanh_by_sigmoid(filtered).mul_(gate.sigmoid_())


def apply_tanh_by_sigmoid(x: Tensor) -> Tensor:
    """Apply tanh in place as `2 * sigmoid(2 * x) - 1`, four times as fast as torch's tanh."""
    return x.mul_(2).sigmoid_().mul_(2).sub_(1)


def add_product(total: Tensor, conv: nn.Conv1d, x: Tensor) -> None:
    """Add `conv(x)` without its bias to the total, (B, O, T), in place.

    Weight norm scales the rows of the kernel or, if these are shorter, those of the product.
    """
    if isinstance(conv, WeightNormConv1d) and x.shape[1] > x.shape[2]:
        direction, length = conv.weight_v.squeeze(2), conv.weight_g.squeeze(2)
        scale = length / torch.linalg.vector_norm(direction, dim=1, keepdim=True)
        total.addcmul_(direction @ x, scale)
    else:
        total.baddbmm_(get_matrix(conv, len(x)), x)


def add_residual_by_product(conv: nn.Conv1d, h: Tensor, out: Tensor) -> None:
    """Replace h by `(h + conv(out)) * sqrt(1/2)`, with sum and scaling as part of the product."""
    h.baddbmm_(get_matrix(conv, len(h)), out, beta=HALF_ROOT, alpha=HALF_ROOT)
    h.add_(get_bias(conv), alpha=HALF_ROOT)


def accumulate(total: Tensor, conv: nn.Conv1d, out: Tensor) -> Tensor:
    """Return the total plus `conv(out)`; a total of no dimensions is still empty."""
    start = get_bias(conv).expand(out.shape) if total.dim() == 0 else total.add_(get_bias(conv))
    return torch.baddbmm(start, get_matrix(conv, len(out)), out)


def get_bias(conv: nn.Conv1d) -> Tensor:
    """Return a convolution's bias as a column, (O, 1); all convolutions here have one."""
    bias = conv.bias
    if bias is None:
        raise ValueError("the convolution has no bias")
    return bias.unsqueeze(1)


def get_matrix(conv: nn.Conv1d, batch: int) -> Tensor:
    """Return a 1x1 convolution's kernel as a matrix: (B, O, I)."""
    return get_kernel(conv).squeeze(2).expand(batch, -1, -1)
