"""GANSynth: a progressively grown GAN that paints spectrograms of notes (Engel et al., ICLR 2019).

Paper: arXiv 1902.08710; its generator is that of Karras et al. 2018, arXiv 1710.10196. Where the
papers are silent, this follows the authors' code, github.com/magenta/magenta, commit 526d3eb,
`magenta/models/gansynth`. The defaults are `configs/mel_prog_hires.py`, the best of the paper.

A latent vector and a pitch become an image of T frames by F mel bins with two channels, log power
and instantaneous frequency; `model_zoo.spectral` turns that image into a waveform:

    z, pitch -> Block 1 (2 x 16) -> x2, Block 2 (4 x 32) -> ... -> x2, Block 7 (128 x 1024)
                                                                       |
    waveform <- MelInversion <- denormalise <- tanh(to_rgb) <---------+

Training grows the generator block by block: the images of the last two blocks are then blended
(`GANSynthConfig.fade`). Grown up, it needs the last to_rgb alone. The discriminator is in
`model_zoo.gansynth_training`.

Letters in the shapes: B batch, C channels, H frames and W bins of a map, T frames and F bins of the
finished image, Z latent dimensions, P pitches, N samples.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_zoo.published import as_tensor, load_published
from model_zoo.spectral import OVERLAP, MelInversion

SAMPLE_RATE = 16_000
LOWEST_PITCH = 24  # the MIDI note of label 0
LEAK = 0.2  # slope of the leaky ReLUs

# Training data was normalised as gain * value + offset before the model saw it.
LOG_POWER_GAIN, LOG_POWER_OFFSET = 0.0661371661726, 0.113718730221
FREQUENCY_GAIN = 0.8


@dataclass(frozen=True)
class GANSynthConfig:
    """Sizes of a GANSynth; the defaults are those of the published high-resolution model.

    Attributes:
        start: (H, W) of the first block's map; (4, 8) in the low-frequency-resolution variant.
        blocks: every block after the first doubles H and W.
        base_filters: block b, counted from 1, has base_filters / 2^b channels,
        max_filters: and at most this many.
        latent_dim: Z.
        pitches: P, the pitch labels: MIDI notes from 24 on.
        samples: N. The inversion yields longer waveforms, whose beginning is dropped.
        progress: how far training has grown the generator: b - 1 shows block b alone, a number in
            between fades to the next block, None is fully grown.
        all_heads: whether to compute every block and to_rgb, as the published graph does, even if
            the progress gives it no weight; the image is the same.
        dense_start: whether to compute the first convolution, which sees little but zero padding,
            as a matrix product; the image is the same up to rounding.
        equalised: whether kernels are stored unscaled, as published, and scaled at every call;
            False stores them scaled.
    """

    start: tuple[int, int] = (2, 16)
    blocks: int = 7
    base_filters: int = 4096
    max_filters: int = 256
    latent_dim: int = 256
    pitches: int = 61
    samples: int = 64_000
    progress: float | None = None
    all_heads: bool = False
    dense_start: bool = False
    equalised: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes that yield no image or no waveform."""
        sizes = (*self.start, self.blocks, self.latent_dim, self.pitches, self.samples)
        if min(sizes) < 1 or self.filters(self.blocks) < 1:
            raise ValueError(f"sizes must be positive, and filters in every block; got {self}")
        if self.progress is not None and not 0 <= self.progress <= self.blocks - 1:
            raise ValueError(
                f"progress must be from 0 to {self.blocks - 1}, or None; got {self.progress}"
            )
        frames, bins = self.image_size
        if 2 * bins % OVERLAP:
            raise ValueError(f"the image must have an even number of bins; got {bins}")
        longest = (frames - 1) * 2 * bins // OVERLAP + 2 * bins
        if self.samples > longest:
            raise ValueError(
                f"an image of {frames} frames by {bins} bins lasts at most {longest} samples; "
                f"got {self.samples}"
            )

    @property
    def image_size(self) -> tuple[int, int]:
        """Size (T, F) of the finished image, to which every to_rgb is upscaled."""
        height, width = self.start
        return height * self.scale(1), width * self.scale(1)

    def scale(self, block: int) -> int:
        """Return how many times smaller than the finished image a block's map is."""
        return 2 ** (self.blocks - block)

    def filters(self, block: int) -> int:
        """Return the channels of a block, counted from 1; 0 stands for the discriminator's end."""
        return min(self.base_filters // 2**block, self.max_filters)

    def fade(self, block: int) -> float:
        """Return the weight of a block's image in the blend; all weights add up to 1."""
        progress = self.blocks - 1 if self.progress is None else self.progress
        return max(0.0, min(progress - (block - 2), block - progress))

    @property
    def heads(self) -> list[int]:
        """Blocks whose images are computed, in order."""
        every = range(1, self.blocks + 1)
        return [block for block in every if self.all_heads or self.fade(block) > 0]


class EqualisedConv2d(nn.Conv2d):
    """Convolution with an equalised learning rate (Karras et al. 2018, section 4.1).

    The kernel is stored with unit variance and scaled at every call to the variance of He
    initialisation, `gain**2 / fan_in`; the bias is not scaled. The published code scales the
    outputs, of which there are more than kernel elements; the results differ by rounding. On the
    "meta" device, where there is no time to save, the published form runs and is counted.

    Shape:
        x: (B, in_channels, H, W); result: (B, out_channels, H, W).
    """

    kernel_size: tuple[int, int]
    padding: tuple[int, int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        padding: tuple[int, int] = (0, 0),
        gain: float = math.sqrt(2),
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=padding)
        self.scale = gain / math.sqrt(in_channels * math.prod(kernel_size))
        # Convolutions follow the kernel's memory format, and this one keeps a pixel's channels side
        # by side, as the pixel norm reads them.
        weight = torch.randn_like(self.weight, memory_format=torch.channels_last)
        self.weight = nn.Parameter(weight)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]  # a Conv2d with bias has one

    def forward(self, x: Tensor) -> Tensor:
        if x.is_meta:
            scaled = self._conv_forward(x, self.weight, None).mul_(self.scale)
            return scaled.add_(self.bias[:, None, None])  # type: ignore[index]  # it has a bias
        return self._conv_forward(x, get_kernel(self), self.bias)

    def fold(self) -> nn.Conv2d:
        """Return this convolution with a kernel that is stored scaled."""
        sizes = (self.in_channels, self.out_channels, self.kernel_size)
        plain = nn.utils.skip_init(nn.Conv2d, *sizes, padding=self.padding)
        plain.weight, plain.bias = nn.Parameter(get_kernel(self).detach()), self.bias
        return plain


def get_kernel(conv: nn.Conv2d) -> Tensor:
    """Return the kernel that a convolution applies, scaled if it is stored unscaled."""
    return conv.weight * conv.scale if isinstance(conv, EqualisedConv2d) else conv.weight


def convolve_point(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Compute ``conv(x)`` of a 1x1 map padded so that every tap of the kernel meets it once.

    An output pixel sees x through one tap and zeros through all others, so this is a matrix
    product with the taps in reverse order: `H * W` times less to compute.

    Shape:
        x: (B, in, 1, 1); result: (B, out, H, W), as large as the kernel.
    """
    taps = get_kernel(conv).permute(0, 2, 3, 1)  # out, H, W, in
    seen = F.linear(x.flatten(1), taps.flatten(0, 2)).unflatten(1, taps.shape[:3])
    return seen.flip(2, 3) + conv.bias[:, None, None]  # type: ignore[index]  # it has a bias


def pixel_norm(x: Tensor) -> Tensor:
    """Divide the channels of each pixel of (B, C, H, W) by their root mean square."""
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x * torch.rsqrt(length.square() / x.shape[1] + 1e-8)


def activate(x: Tensor) -> Tensor:
    """Apply leaky ReLU, in place, and pixel norm."""
    return pixel_norm(F.leaky_relu_(x, LEAK))


def upscale_by_repeating(x: Tensor, scale: int) -> Tensor:
    """Repeat every pixel: (B, C, H, W) -> (B, C, scale H, scale W)."""
    return x if scale == 1 else F.interpolate(x, scale_factor=scale, mode="nearest")


class Block(nn.Module):
    """Two convolutions at one resolution, and to_rgb if its image is part of the blend.

    Shape:
        x: (B, C of the block before, H/2, W/2), or (B, Z + P, 1, 1) for the first block;
        result: (B, C, H, W).
    """

    def __init__(self, config: GANSynthConfig, block: int) -> None:
        super().__init__()
        channels = config.filters(block)
        self.is_first = block == 1
        self.dense = config.dense_start
        if self.is_first:
            height, width = config.start
            inputs, reach = config.latent_dim + config.pitches, (height - 1, width - 1)
            self.conv0 = EqualisedConv2d(inputs, channels, (height, width), reach)
        else:
            self.conv0 = EqualisedConv2d(config.filters(block - 1), channels, (3, 3), (1, 1))
        self.conv1 = EqualisedConv2d(channels, channels, (3, 3), (1, 1))
        has_head = block in config.heads
        self.to_rgb = EqualisedConv2d(channels, 2, (1, 1), gain=1) if has_head else None

    def forward(self, x: Tensor) -> Tensor:
        return activate(self.conv1(activate(self.enter(x))))

    def enter(self, x: Tensor) -> Tensor:
        """Apply the first convolution, at this block's resolution."""
        if not self.is_first:
            return self.conv0(upscale_by_repeating(x, 2))
        return convolve_point(self.conv0, x) if self.dense else self.conv0(x)


def fold_kernels(blocks: nn.ModuleList) -> None:
    """Replace the equalised convolutions of blocks, in place."""
    for block in blocks:
        for name, layer in block.named_children():
            if isinstance(layer, EqualisedConv2d):
                setattr(block, name, layer.fold())


class GANSynth(nn.Module):
    """The generator, down to the waveform. Calling it generates, as `generate` does.

    Shape:
        z: (B, Z); pitch: (B,) integers, MIDI note - 24; result: (B, N).
    """

    def __init__(self, config: GANSynthConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GANSynthConfig()
        blocks = range(1, config.heads[-1] + 1)
        self.blocks = nn.ModuleList(Block(config, block) for block in blocks)
        self.inversion = MelInversion(config.image_size[1], config.samples)
        if not config.equalised:
            fold_kernels(self.blocks)

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], config: GANSynthConfig | None = None
    ) -> Self:
        """Build a model with the weights of the authors' checkpoint, under TensorFlow's names.

        Of the generator's two copies in a training checkpoint, the authors sample from the moving
        average. Tensors of the discriminator, and of blocks that the progress hides, are ignored.

        Raises:
            PublishedWeightsError: a tensor is missing, surplus or misshapen.
        """
        config = config or GANSynthConfig()
        model = cls(replace(config, equalised=True))
        with torch.device("meta"):
            whole = cls(replace(config, equalised=True, all_heads=True))
        hidden = {
            get_published_name(name) for name in whole.state_dict().keys() - model.state_dict()
        }
        load_published(
            model,
            convert_to_torch_layout(state_dict),
            get_published_name,
            training_only=lambda name: name.startswith("Discriminator/") or name in hidden,
        )
        return model if config.equalised else model.fold()

    def fold(self) -> Self:
        """Return this model with plain kernels: they are scaled once, not at every call."""
        model = copy.deepcopy(self)
        model.config = replace(self.config, equalised=False)
        fold_kernels(model.blocks)
        return model

    def forward(
        self, z: Tensor | None, pitch: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Generate notes; see `generate`."""
        z = self.draw_latents(len(pitch), generator) if z is None else z
        return self.convert_to_waveform(self.compute_spectrogram(z, pitch))

    @torch.no_grad()
    def generate(
        self, z: Tensor | None, pitch: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Generate notes.

        Args:
            z: (B, Z), standard Gaussian: the timbre; drawn here when None.
            pitch: (B,) integers from 0 to P - 1: MIDI note - `LOWEST_PITCH`.
            generator: source of z, for reproducible draws.

        Returns:
            (B, N) audio in about [-1, 1]; not clipped.
        """
        audio: Tensor = self(z, pitch, generator)
        return audio

    def draw_latents(self, batch: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw latent vectors from their prior: (B, Z)."""
        like = self.inversion.mel_to_linear
        shape = (batch, self.config.latent_dim)
        return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)

    def compute_spectrogram(self, z: Tensor, pitch: Tensor) -> Tensor:
        """Compute the normalised log power and instantaneous frequency in mel bins, in [-1, 1].

        Shape:
            z: (B, Z); pitch: (B,); result: (B, 2, T, F).
        """
        one_hot = F.one_hot(pitch.long(), self.config.pitches).to(z)
        x = pixel_norm(torch.cat((z, one_hot), dim=1)[:, :, None, None])
        images = []
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if block.to_rgb is not None:
                images.append(self.fade_in(torch.tanh(block.to_rgb(x)), number))
        return reduce(torch.add, images)

    def fade_in(self, image: Tensor, block: int) -> Tensor:
        """Return a block's share of the blend: (B, 2, H, W) -> (B, 2, T, F)."""
        weight = self.config.fade(block)
        upscaled = upscale_by_repeating(image, self.config.scale(block))
        return upscaled if weight == 1 else weight * upscaled

    def convert_to_waveform(self, image: Tensor) -> Tensor:
        """Return the audio (B, N) of a normalised spectrogram (B, 2, T, F)."""
        return self.inversion(*denormalise(image))


def denormalise(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return mel log power and instantaneous frequency, each (B, T, F), of (B, 2, T, F)."""
    log_power = (image[:, 0] - LOG_POWER_OFFSET) / LOG_POWER_GAIN
    return log_power, image[:, 1] / FREQUENCY_GAIN


PUBLISHED_KINDS = {"weight": "conv2d/kernel:0", "bias": "bias:0"}


def get_published_name(name: str) -> str:
    """Return the authors' name of one of our tensors, such as ``blocks.0.conv1.weight``."""
    _, index, layer, kind = name.split(".")
    block = f"Generator/progressive_gan_generator/progressive_gan_block_{int(index) + 1}"
    return f"{block}/{layer}/{PUBLISHED_KINDS[kind]}"


def transpose_conv_kernel(kernel: Tensor) -> Tensor:
    """Return TensorFlow's convolution kernel (H, W, in, out) as (out, in, H, W)."""
    return kernel.permute(3, 2, 0, 1)


def transpose_dense_kernel(kernel: Tensor) -> Tensor:
    """Return TensorFlow's dense kernel (in, out) as (out, in)."""
    return kernel.T


def convert_to_torch_layout(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint with its kernels in PyTorch's layouts; those of other ranks are kept."""
    layouts = {4: transpose_conv_kernel, 2: transpose_dense_kernel}
    kernels = {
        name: as_tensor(name, kernel)
        for name, kernel in state_dict.items()
        if name.endswith("kernel:0")
    }
    converted = {
        name: layouts[kernel.dim()](kernel)
        for name, kernel in kernels.items()
        if kernel.dim() in layouts
    }
    return {**state_dict, **converted}
