"""SampleRNN, the PyTorch port, whose best model has the 52 million parameters of arXiv 2107.02621.

Paper: Mehri et al., ICLR 2017, arXiv 1612.07837. Where the two differ, this follows the port,
github.com/deepsound-project/samplernn-pytorch, commit 4167442, rather than the authors' code
(`model_zoo.samplernn`).

Any number of tiers stand above the MLP that predicts single samples; `model_zoo.samplernn_common`
explains the tiers and holds the loop. Unlike in the authors' form, the top tier too maps its frames
linearly, the cells are PyTorch's GRU, the bias of the upsampling depends on the position in the
frame, and the MLP has a ReLU after its first layer but one hidden layer fewer.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_zoo.published import load_published
from model_zoo.samplernn_common import (
    SampleLevel,
    Tier,
    TieredConfig,
    TieredModel,
    quantise_linearly,
    refuse_misshapen,
)
from model_zoo.samplernn_layers import RecurrentStack, StreamedLayer, StreamedLinear
from model_zoo.weight_norm import normalise


@dataclass(frozen=True)
class PortedSampleRNNConfig(TieredConfig):
    """Sizes of the port; the defaults are the README's "best" hyper-parameters.

    Attributes:
        frame_sizes: samples per frame of each tier, lowest first. The port's own list counts in
            frames of the tier below: its [16, 4] is (16, 64) here.
        dim: D, the width of every layer.
        rnn_layers: GRU layers in each tier.
        levels: Q, the quantisation levels of a sample, and the width of its embedding.
    """

    frame_sizes: tuple[int, ...] = (16, 64)
    dim: int = 1024
    rnn_layers: int = 2
    levels: int = 256


class WindowConv(StreamedLinear):
    """A convolution over a single window of its own length, as a linear map.

    The kernel is stored as a convolution's, (out, in, taps), weight-normed per output.

    Args:
        gain: variance of the initial kernel, relative to the reciprocal of its inputs.

    Shape:
        x: (..., taps in), oldest first; result: (..., out).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        taps: int = 1,
        *,
        weight_norm: bool,
        bias: bool = True,
        gain: float = 2.0,
    ) -> None:
        bound = math.sqrt(3 * gain / (in_features * taps))
        weight = torch.empty(out_features, in_features, taps).uniform_(-bound, bound)
        length = torch.linalg.vector_norm(weight, dim=(1, 2), keepdim=True)
        super().__init__(
            weight, length if weight_norm else None, out_features if bias else None, taps
        )

    def compute_weight(self) -> Tensor:
        return normalise(self.weight_v, self.weight_g) if self.weight_norm else self.weight

    def compute_kernels(self) -> tuple[Tensor, ...]:
        return (self.compute_weight().transpose(1, 2).flatten(1),)


class Upsampling(StreamedLinear):
    """A transposed convolution whose stride is its length: R vectors from one, as a linear map.

    The kernel is stored as a transposed convolution's, (in, out, R), and weight-normed per *input*.
    The bias, (out, R), depends on the position in the frame.

    Shape:
        x: (..., D); result: (..., R D), the R vectors one after the other.
    """

    bias: nn.Parameter

    def __init__(self, dim: int, vectors: int, weight_norm: bool) -> None:
        bound = math.sqrt(6 / dim)
        weight = torch.empty(dim, dim, vectors).uniform_(-bound, bound)
        length = torch.linalg.vector_norm(weight, dim=(1, 2), keepdim=True)
        super().__init__(weight, length if weight_norm else None, bias=None)
        self.bias = nn.Parameter(torch.zeros(dim, vectors))

    def compute_weight(self) -> Tensor:
        return normalise(self.weight_v, self.weight_g) if self.weight_norm else self.weight

    def compute_kernels(self) -> tuple[Tensor, ...]:
        return (self.compute_weight().transpose(1, 2).flatten(1).t(),)

    def forward(self, x: Tensor) -> Tensor:
        (kernel,) = self.get_kernels()
        return F.linear(x, kernel) + self.bias.t().flatten()


class GRUCell(StreamedLayer):
    """PyTorch's GRU cell with its kernels kept ready during generation.

    Shape:
        x: (B, D); h, result: (B, D).
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        bound = math.sqrt(3 / dim)
        self.weight_ih = nn.Parameter(torch.empty(3 * dim, dim).uniform_(-bound, bound))
        self.weight_hh = nn.Parameter(torch.empty(3 * dim, dim).uniform_(-bound, bound))
        nn.init.orthogonal_(self.weight_hh[2 * dim :])  # the candidate's
        self.bias_ih = nn.Parameter(torch.zeros(3 * dim))
        self.bias_hh = nn.Parameter(torch.zeros(3 * dim))

    def compute_kernels(self) -> tuple[Tensor, ...]:
        return self.weight_ih, self.weight_hh

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        for_input, for_state = self.get_kernels()
        return torch.gru_cell(x, h, for_input, for_state, self.bias_ih, self.bias_hh)


def build_tier(config: PortedSampleRNNConfig, frame: int, below: int) -> Tier:
    """Build a tier of frames of ``frame`` samples, above one of ``below`` samples."""
    dim, norm = config.dim, config.weight_norm
    cells = [GRUCell(dim) for _ in range(config.rnn_layers)]
    return Tier(
        frame,
        below,
        silence=config.levels / 2,
        expand=WindowConv(frame, dim, weight_norm=norm),
        rnn=RecurrentStack(cells, dim, state_size=dim, learned=config.learned_h0),
        upsampling=Upsampling(dim, frame // below, norm),
    )


class SampleMLP(SampleLevel):
    """The port's MLP; shapes as in the parent."""

    def __init__(self, config: PortedSampleRNNConfig) -> None:
        levels, dim, norm = config.levels, config.dim, config.weight_norm
        super().__init__(
            nn.Embedding(levels, levels),
            WindowConv(levels, dim, taps=config.frame_sizes[0], weight_norm=norm, bias=False),
        )
        self.hidden = WindowConv(dim, dim, weight_norm=norm)
        self.output = WindowConv(dim, levels, weight_norm=norm, gain=1.0)

    def apply_later_layers(self, x: Tensor) -> Tensor:
        return self.output(torch.relu(self.hidden(torch.relu(x))))


class PortedSampleRNN(TieredModel):
    """The whole model. Calling it generates, as `generate` does; shapes as in `TieredModel`."""

    config: PortedSampleRNNConfig

    def __init__(self, config: PortedSampleRNNConfig | None = None) -> None:
        config = config or PortedSampleRNNConfig()
        tiers = [build_tier(config, *sizes) for sizes in config.frames_and_below]
        super().__init__(config, tiers, SampleMLP(config))

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], config: PortedSampleRNNConfig | None = None
    ) -> Self:
        """Build a model with the weights of the port's checkpoint, under the port's tensor names.

        The names may have the prefix "model.", which the port's training adds.
        A weight-normed checkpoint is folded if the configuration has no weight norm.

        Raises:
            PublishedWeightsError: a tensor is missing, surplus or misshapen.
        """
        config = config or PortedSampleRNNConfig()
        given = {name.removeprefix("model."): tensor for name, tensor in state_dict.items()}
        normed = config.weight_norm or any(name.endswith(".weight_g") for name in given)
        model = cls(replace(config, weight_norm=normed))
        load_published(model, given, get_published_name)
        return model if config.weight_norm else model.fold()

    @torch.no_grad()
    def generate_levels(
        self, length: int, batch: int = 1, uniforms: Tensor | None = None
    ) -> Tensor:
        """Generate quantised samples, without the silence that precedes them.

        Args:
            length: T.
            batch: B.
            uniforms: (B, T) in [0, 1), column t for sample t; None takes the most likely level
                every time.

        Returns:
            (B, T) integers in 0 .. Q - 1.
        """
        if uniforms is not None:
            refuse_misshapen(uniforms, batch, length)
        return self.continue_silence(length, batch, uniforms)[:, self.lookback :]

    def convert_to_waveform(self, levels: Tensor) -> Tensor:
        """Return the audio in [-1, 1) of levels, (B, T) -> (B, T)."""
        return levels / (self.config.levels / 2) - 1

    def quantise(self, audio: Tensor) -> Tensor:
        """Quantise audio as the port prepares its data: (B, T) -> (B, T) integers.

        Every sequence is first scaled to its extremes.
        """
        return quantise_linearly(audio, self.config.levels, margin=1e-2)


#: A layer's name here -> its name in the port's checkpoints.
PUBLISHED_LAYERS: tuple[tuple[str, str], ...] = (
    ("tiers.", "frame_level_rnns."),
    ("mlp.", "sample_level_mlp."),
    (".expand.", ".input_expand."),
    (".rnn.h0", ".h0"),
    (".upsampling.weight", ".upsampling.conv_t.weight"),
    (".window.", ".input."),
)


def get_published_name(name: str) -> str:
    """Return the port's name of one of our tensors."""
    name = re.sub(r"rnn\.cells\.(\d+)\.(\w+)", r"rnn.\2_l\1", name)
    return reduce(lambda text, pair: text.replace(*pair), PUBLISHED_LAYERS, name)
