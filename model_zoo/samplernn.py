"""SampleRNN, the authors' form: an unconditional neural audio generator (Mehri et al., ICLR 2017).

Paper: arXiv 1612.07837. Where the paper is silent, this follows the authors' code,
github.com/soroushmehr/sampleRNN_ICLR2017, commit ccf5af0 (Theano).

One or two tiers of recurrent networks stand above the MLP that predicts single samples: "two-tier"
and "three-tier" in the paper. `model_zoo.samplernn_common` explains the tiers and holds the loop.
Letters in the shapes as there, and E for the width of a sample's embedding.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal, Self, get_args

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
    scale_to_unit_range,
)
from model_zoo.samplernn_layers import RecurrentStack, StreamedLinear

MU = 255  # of mu-law companding

Cell = Literal["gru", "lstm"]
Companding = Literal["linear", "mu-law"]


@dataclass(frozen=True)
class SampleRNNConfig(TieredConfig):
    """Sizes of a SampleRNN; the defaults are those of the README's best three-tier model.

    Attributes:
        frame_sizes: samples per frame of each tier, lowest first; one size makes a two-tier model,
            two make a three-tier one.
        dim: D, the width of every layer.
        rnn_layers: recurrent cells in each tier.
        levels: Q, the quantisation levels of a sample.
        embedding_dim: E; with 0 the MLP sees one-hot levels, E = Q.
        cell: kind of the recurrent cells.
        skip_connections: whether cells see the tier's input, and the tier every cell's output.
        companding: mapping of levels to amplitudes; "mu-law" has 256 levels.
    """

    frame_sizes: tuple[int, ...] = (2, 8)
    dim: int = 1024
    rnn_layers: int = 1
    levels: int = 256
    embedding_dim: int = 256
    cell: Cell = "gru"
    skip_connections: bool = False
    companding: Companding = "linear"

    def __post_init__(self) -> None:
        """Refuse settings that the authors' code cannot build either."""
        super().__post_init__()
        if len(self.frame_sizes) > 2:
            raise ValueError(
                f"the authors' form has one or two frame_sizes; got {self.frame_sizes}"
            )
        if self.embedding_dim < 0:
            raise ValueError(f"embedding_dim must be positive, or 0 for one-hot; got {self}")
        if self.skip_connections and self.rnn_layers == 1:
            raise ValueError("skip_connections need at least two rnn_layers")
        if self.cell not in get_args(Cell) or self.companding not in get_args(Companding):
            raise ValueError(f"unknown cell or companding: {self.cell!r}, {self.companding!r}")
        if self.companding == "mu-law" and self.levels != MU + 1:
            raise ValueError(f"mu-law companding has {MU + 1} levels; got {self.levels}")


#: The README's best two-tier model.
TWO_TIER = SampleRNNConfig(frame_sizes=(16,), rnn_layers=3)


class Linear(StreamedLinear):
    """The authors' linear map: kernel (taps in, out), weight-normed with one length per output.

    Args:
        init: "he" or "lecun", uniform; "orthogonal" for a square kernel.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        taps: int = 1,
        *,
        weight_norm: bool,
        bias: bool = True,
        init: Literal["lecun", "he", "orthogonal"] = "lecun",
    ) -> None:
        weight = torch.empty(taps * in_features, out_features)
        if init == "orthogonal":
            nn.init.orthogonal_(weight)
        else:  # a uniform distribution of width 2 b has the variance b^2 / 3
            bound = math.sqrt(3 * (2 if init == "he" else 1) / weight.shape[0])
            nn.init.uniform_(weight, -bound, bound)
        length = torch.linalg.vector_norm(weight, dim=0) if weight_norm else None
        super().__init__(weight, length, out_features if bias else None, taps)

    def compute_weight(self) -> Tensor:
        if not self.weight_norm:
            return self.weight
        # `weight_norm.normalise` along the other dimension, with the operator that it uses
        return torch._weight_norm(self.weight_v, self.weight_g.unsqueeze(0), 1)  # noqa: SLF001

    def compute_kernels(self) -> tuple[Tensor, ...]:
        return (self.compute_weight().t(),)


class GRUCell(nn.Module):
    """The authors' GRU, which differs from `torch.nn.GRUCell`.

    The reset gate acts before the recurrent product, there is one bias, and the update gate is
    the weight of the candidate, not of the old state.

    Shape:
        x: (B, in); h, result: (B, D).
    """

    def __init__(self, in_features: int, dim: int, weight_norm: bool) -> None:
        super().__init__()
        self.dim = dim
        self.input = Linear(in_features, 3 * dim, weight_norm=weight_norm)
        self.gates = Linear(dim, 2 * dim, weight_norm=weight_norm, bias=False)
        self.candidate = Linear(dim, dim, weight_norm=weight_norm, bias=False, init="orthogonal")

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        for_gates, for_candidate = self.input(x).split((2 * self.dim, self.dim), dim=1)
        update, reset = torch.sigmoid(self.gates(h) + for_gates).chunk(2, dim=1)
        candidate = torch.tanh(self.candidate(reset * h) + for_candidate)
        return update * candidate + (1 - update) * h


class LSTMCell(nn.Module):
    """The authors' LSTM: gates in the order input, forget, output, candidate, and one bias.

    Shape:
        x: (B, in); state, result: (B, 2 D), output and memory side by side.
    """

    def __init__(self, in_features: int, dim: int, weight_norm: bool) -> None:
        super().__init__()
        self.dim = dim
        self.input = Linear(in_features, 4 * dim, weight_norm=weight_norm, bias=False)
        self.gates = Linear(dim, 4 * dim, weight_norm=weight_norm, bias=False)
        biases = torch.zeros(4, dim)
        biases[1] = 3.0  # forget gates start open
        self.bias = nn.Parameter(biases.flatten())

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        h, memory = state.chunk(2, dim=1)
        sums = self.input(x) + self.gates(h) + self.bias
        gates, candidate = sums.split((3 * self.dim, self.dim), dim=1)
        admit, keep, emit = torch.sigmoid(gates).chunk(3, dim=1)
        memory = memory * keep + torch.tanh(candidate) * admit
        return torch.cat((torch.tanh(memory) * emit, memory), dim=1)


class SkipStack(RecurrentStack):
    """Cells with Graves' skip connections (arXiv 1308.0850, section 2). Shapes as in the parent.

    From the second on, a cell sees (output of the cell before, input of the tier); the result is
    a sum of linear maps of all cells' outputs.
    """

    def __init__(
        self,
        cells: Sequence[nn.Module],
        dim: int,
        state_size: int,
        learned: bool,
        weight_norm: bool,
    ) -> None:
        super().__init__(cells, dim, state_size, learned)
        self.skips = nn.ModuleList(
            Linear(dim, dim, weight_norm=weight_norm, bias=i == 0, init="he")
            for i in range(len(cells))
        )

    def step(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        after, seen = [], x
        for cell, state in zip(self.cells, states, strict=True):
            after.append(cell(seen, state))
            seen = torch.cat((after[-1][:, : self.dim], x), dim=1)
        outputs = [
            skip(state[:, : self.dim]) for skip, state in zip(self.skips, after, strict=True)
        ]
        return reduce(torch.add, outputs), after


def build_recurrent_stack(config: SampleRNNConfig, in_features: int) -> RecurrentStack:
    """Build the cells of one tier, which see ``in_features`` numbers per frame."""
    cell_type, state_size = (
        (GRUCell, config.dim) if config.cell == "gru" else (LSTMCell, 2 * config.dim)
    )
    beside = in_features if config.skip_connections else 0
    sizes = [in_features] + [config.dim + beside] * (config.rnn_layers - 1)
    cells = [cell_type(size, config.dim, config.weight_norm) for size in sizes]
    if config.skip_connections:
        return SkipStack(cells, config.dim, state_size, config.learned_h0, config.weight_norm)
    return RecurrentStack(cells, config.dim, state_size, config.learned_h0)


def build_tier(config: SampleRNNConfig, frame: int, below: int) -> Tier:
    """Build one tier. The top tier's cells see the samples themselves, not a linear map of them."""
    top = frame == config.frame_sizes[-1]
    norm = config.weight_norm
    return Tier(
        frame,
        below,
        silence=config.levels // 2,
        expand=None if top else Linear(frame, config.dim, weight_norm=norm, init="he"),
        rnn=build_recurrent_stack(config, frame if top else config.dim),
        upsampling=Linear(config.dim, frame // below * config.dim, weight_norm=norm, init="he"),
    )


class OneHot(nn.Module):
    """One-hot encoding of integers below Q: (...) -> (..., Q), integers."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, x: Tensor) -> Tensor:
        return F.one_hot(x, self.levels)


class SampleMLP(SampleLevel):
    """The authors' MLP; shapes as in the parent."""

    def __init__(self, config: SampleRNNConfig) -> None:
        levels, dim, norm = config.levels, config.dim, config.weight_norm
        width, size = config.embedding_dim or levels, config.frame_sizes[0]
        super().__init__(
            nn.Embedding(levels, width) if config.embedding_dim else OneHot(levels),
            Linear(width, dim, taps=size, weight_norm=norm, bias=False, init="he"),
        )
        self.hidden = nn.ModuleList(Linear(dim, dim, weight_norm=norm, init="he") for _ in range(2))
        self.output = Linear(
            dim, levels, weight_norm=norm, init="orthogonal" if dim == levels else "lecun"
        )

    def apply_later_layers(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = torch.relu(layer(x))  # as published, x itself has no ReLU
        return self.output(x)


class SampleRNN(TieredModel):
    """The whole model. Calling it generates, as `generate` does; shapes as in `TieredModel`."""

    config: SampleRNNConfig

    def __init__(self, config: SampleRNNConfig | None = None) -> None:
        config = config or SampleRNNConfig()
        tiers = [build_tier(config, *sizes) for sizes in config.frames_and_below]
        super().__init__(config, tiers, SampleMLP(config))

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], config: SampleRNNConfig | None = None
    ) -> Self:
        """Build a model with the weights of the authors' checkpoint, under their tensor names.

        A weight-normed checkpoint is folded if the configuration has no weight norm.

        Raises:
            PublishedWeightsError: a tensor is missing, surplus or misshapen.
        """
        config = config or SampleRNNConfig()
        normed = config.weight_norm or any(name.endswith(".g0") for name in state_dict)
        model = cls(replace(config, weight_norm=normed))
        load_published(
            model,
            state_dict,
            lambda name: get_published_name(name, config),
            training_only=lambda name: name.startswith(AUXILIARY_HEAD),
        )
        return model if config.weight_norm else model.fold()

    @torch.no_grad()
    def generate_levels(
        self, length: int, batch: int = 1, uniforms: Tensor | None = None
    ) -> Tensor:
        """Generate quantised samples; ``length`` *includes* the silent look-back.

        Args:
            length: T, the look-back of a top frame included, as in the authors' code.
            batch: B.
            uniforms: (B, T) in [0, 1); column t draws sample t, and those of the look-back are
                ignored. None takes the most likely level every time.

        Returns:
            (B, T) integers in 0 .. Q - 1.
        """
        if length <= self.lookback:
            raise ValueError(
                f"length must exceed the silent look-back of {self.lookback} samples; got {length}"
            )
        if uniforms is not None:
            refuse_misshapen(uniforms, batch, length)
            uniforms = uniforms[:, self.lookback :]
        return self.continue_silence(length - self.lookback, batch, uniforms)

    def convert_to_waveform(self, levels: Tensor) -> Tensor:
        """Return audio as the authors write it, each row scaled to +-0.475: (B, T) -> (B, T)."""
        mu_law = self.config.companding == "mu-law"
        amplitudes = expand_mu_law(levels) if mu_law else levels.float()
        return 0.95 * (scale_to_unit_range(amplitudes) - 0.5)

    def quantise(self, audio: Tensor) -> Tensor:
        """Quantise audio as the authors prepare their data: (B, T) -> (B, T) integers.

        Every sequence is first scaled to its extremes.
        """
        if self.config.companding == "mu-law":
            return compress_mu_law(2 * scale_to_unit_range(audio) - 1)
        return quantise_linearly(audio, self.config.levels, margin=1e-5)


def compress_mu_law(audio: Tensor) -> Tensor:
    """Quantise audio in [-1, 1] to 256 levels that are finer near 0."""
    companded = audio.sign() * torch.log1p(MU * audio.abs()) / math.log1p(MU)
    return ((companded + 1) / 2 * MU).long()


def expand_mu_law(levels: Tensor) -> Tensor:
    """Return the audio in [-1, 1) of mu-law levels; level 128 is 0."""
    companded = 2 * levels / (MU + 1) - 1
    return companded.sign() * ((MU + 1) ** companded.abs() - 1) / MU


#: Prefix of the names of an auxiliary head's tensors, see `model_zoo.samplernn_training`.
AUXILIARY_HEAD = "BigFrameLevel.IndependentPreds."

#: A layer's name here -> its name in the authors' checkpoints.
PUBLISHED_LAYERS: tuple[tuple[str, str], ...] = (
    ("tiers.0.", "FrameLevel."),
    ("tiers.1.", "BigFrameLevel."),
    ("mlp.", "SampleLevel."),
    (".expand.", ".InputExpand."),
    (".rnn.h0", ".h0"),
    (".input.", ".Input."),
    (".gates.", ".Recurrent_Gates."),
    (".candidate.", ".Recurrent_Candidate."),
    (".embedding.weight", ".Embedding"),
    (".window.", ".L1_PrevSamples."),
    (".hidden.0.", ".L2."),
    (".hidden.1.", ".L3."),
    (".upsampling.", ".Output."),
    (".output.", ".Output."),
    (".weight_v", ".W0"),
    (".weight_g", ".g0"),
    (".weight", ".W0"),
    (".bias", ".b"),
)


def get_published_name(name: str, config: SampleRNNConfig) -> str:
    """Return the authors' name of one of our tensors. They count the cells of a tier from 1."""
    kind = config.cell.upper()

    def cell(match: re.Match[str]) -> str:
        number = int(match[1]) + 1
        skip = "+inpskip" if config.skip_connections and number > 1 else ""
        return f"{kind}{number}{skip}.Step."

    def skip(match: re.Match[str]) -> str:
        number = int(match[1]) + 1
        return f"{kind}{number if kind == 'LSTM' else ''}.outskip{number}y."

    name = re.sub(r"rnn\.cells\.(\d+)\.", cell, name)
    name = re.sub(r"rnn\.skips\.(\d+)\.", skip, name)
    return reduce(lambda text, pair: text.replace(*pair), PUBLISHED_LAYERS, name)
