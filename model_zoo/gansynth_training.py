"""The discriminator of GANSynth, which classifies pitch too; only training needs it.

Sources as in `model_zoo.gansynth`. Letters in the shapes: B batch, C channels, T frames and F bins
of an image, H frames and W bins of a map, P pitches.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_zoo.gansynth import (
    LEAK,
    PUBLISHED_KINDS,
    EqualisedConv2d,
    GANSynthConfig,
    convert_to_torch_layout,
)
from model_zoo.published import load_published


class Verdict(NamedTuple):
    """The discriminator's outputs for images."""

    realness: Tensor  # (B, 1) critic score
    pitch: Tensor  # (B, P) logits


class EqualisedLinear(nn.Linear):
    """Dense layer with an equalised learning rate: the kernel is scaled by `1 / sqrt(in)`.

    Shape:
        x: (B, in_features); result: (B, out_features).
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.scale = 1 / math.sqrt(in_features)
        nn.init.normal_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)


def apply_leaky_relu(x: Tensor) -> Tensor:
    """Apply the discriminator's activation, which has no pixel norm."""
    return F.leaky_relu(x, LEAK)


def downscale_by_averaging(x: Tensor, scale: int) -> Tensor:
    """Average every square of pixels: (B, C, H, W) -> (B, C, H / scale, W / scale)."""
    return F.avg_pool2d(x, scale)


def append_batch_deviation(x: Tensor) -> Tensor:
    """Append a channel with one number: the mean deviation between the images of the batch.

    Shape:
        x: (B, C, H, W); result: (B, C + 1, H, W).
    """
    deviation = torch.sqrt(x.var(dim=0, correction=0) + 1e-6).mean()
    return torch.cat((x, deviation.expand(x.shape[0], 1, *x.shape[2:])), dim=1)


class DiscriminatorBlock(nn.Module):
    """Two convolutions and a halving; the first block, which comes last, ends in a single pixel.

    Shape:
        x: (B, C, H, W); result: (B, C of the block below, H/2, W/2), or (B, C, 1, 1).
    """

    def __init__(self, config: GANSynthConfig, block: int) -> None:
        super().__init__()
        channels, below = config.filters(block), config.filters(block - 1)
        self.is_first = block == 1
        self.from_rgb = EqualisedConv2d(2, channels, (1, 1))
        self.conv0 = EqualisedConv2d(channels + self.is_first, channels, (3, 3), (1, 1))
        if self.is_first:
            height, width = config.start
            self.conv1 = EqualisedConv2d(channels, below, (height, width))
        else:
            self.conv1 = EqualisedConv2d(channels, below, (3, 3), (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = append_batch_deviation(x) if self.is_first else x
        x = apply_leaky_relu(self.conv1(apply_leaky_relu(self.conv0(x))))
        return x if self.is_first else downscale_by_averaging(x, 2)


class GANSynthDiscriminator(nn.Module):
    """Critic of normalised spectrograms (B, 2, T, F): a realness score and pitch logits.

    Every block also sees the image at its own resolution, with a weight that follows the progress
    of training, while the blocks above it fade in.
    """

    def __init__(self, config: GANSynthConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GANSynthConfig()
        numbers = range(1, config.blocks + 1)
        self.blocks = nn.ModuleList(DiscriminatorBlock(config, block) for block in numbers)
        self.logits = EqualisedLinear(config.filters(0), 1)
        self.classification_logits = EqualisedLinear(config.filters(0), config.pitches)

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], config: GANSynthConfig | None = None
    ) -> Self:
        """Build a discriminator with the weights of the authors' checkpoint; ignore the generator.

        Raises:
            PublishedWeightsError: a tensor is missing, surplus or misshapen.
        """
        model = cls(config)
        load_published(
            model,
            convert_to_torch_layout(state_dict),
            get_published_name,
            training_only=lambda name: name.startswith("Generator/"),
        )
        return model

    def get_skip_weight(self, block: int) -> float:
        """Return the weight of a block's own view of the image against the blocks above it."""
        config = self.config
        progress = config.blocks - 1 if config.progress is None else config.progress
        return min(max(block - progress, 0.0), 1.0)

    def view_image(self, image: Tensor, block: int) -> Tensor:
        """Return a block's own view of the image: (B, 2, T, F) -> (B, C, H, W)."""
        return apply_leaky_relu(
            self.blocks[block - 1].from_rgb(downscale_by_averaging(image, self.config.scale(block)))
        )

    def forward(self, image: Tensor) -> Verdict:
        x = self.view_image(image, self.config.blocks)
        for block in range(self.config.blocks, 1, -1):
            share = self.get_skip_weight(block - 1)
            x = share * self.view_image(image, block - 1) + (1 - share) * self.blocks[block - 1](x)
        features = self.blocks[0](x).flatten(1)
        return Verdict(self.logits(features), self.classification_logits(features))


def get_published_name(name: str) -> str:
    """Return the authors' name of one of the discriminator's tensors."""
    *path, kind = name.split(".")
    if path[0] == "blocks":
        block = f"progressive_gan_discriminator/progressive_gan_block_{int(path[1]) + 1}"
        return f"Discriminator/{block}/{path[2]}/{PUBLISHED_KINDS[kind]}"
    tensor = {"weight": "dense/kernel:0", "bias": "bias:0"}[kind]
    scope = {
        "logits": "progressive_gan_discriminator/progressive_gan_block_1",
        "classification_logits": "discriminator_cond",
    }[path[0]]
    return f"Discriminator/{scope}/{path[0]}/{tensor}"
