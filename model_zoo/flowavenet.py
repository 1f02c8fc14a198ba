"""FloWaveNet: a generative flow for raw audio (Kim, Lee, Song, Kim & Yoon, ICML 2019).

Paper: arXiv 1811.02155. Where the paper is silent, this follows the authors' code,
github.com/ksw0306/FloWaveNet, commit 44061ca.

A mel spectrogram of F frames conditions an invertible map between audio of T = 256 F samples and
Gaussian noise of the same length:

    audio --Block 0--> ... --Block 7--> noise          density  (`log_likelihood`)
    audio <--Block 0-- ... <--Block 7-- noise          generation (`generate`)

    Block = squeeze (halve time, double channels), then six flows, then maybe a split
    Flow  = ActNorm -> coupling through a small WaveNet -> swap of channel halves

Letters in the shapes: B batch, T samples, F mel frames, M mel channels, C channels of the signal
inside a block, K conditioning channels, W channels of the WaveNets.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from model_zoo.flowavenet_net import HOP, FloWaveNetConfig, WaveNet
from model_zoo.published import load_published
from model_zoo.weight_norm import WeightNormConvTranspose2d, fold_state_dict

SAMPLE_RATE = 22_050


class Likelihood(NamedTuple):
    """Both parts of the density, in nats per sample; their sum is the log likelihood."""

    log_p: Tensor  # () log density of the noise that the audio maps to
    logdet: Tensor  # () log determinant of the Jacobian of audio -> noise


def squeeze(x: Tensor) -> Tensor:
    """Halve time and double channels: out[2c + p, t] = x[c, 2t + p].

    Shape:
        x: (B, C, T); result: (B, 2C, T/2).
    """
    batch, channels, time = x.shape
    folded = x.reshape(batch, channels, time // 2, 2).transpose(2, 3)
    return folded.reshape(batch, 2 * channels, time // 2)


def unsqueeze(x: Tensor) -> Tensor:
    """Undo `squeeze`: (B, 2C, T/2) -> (B, C, T)."""
    batch, channels, time = x.shape
    phases = x.reshape(batch, channels // 2, 2, time).transpose(2, 3)
    return phases.reshape(batch, channels // 2, 2 * time)


def swap_halves(x: Tensor) -> Tensor:
    """Exchange the two halves of the channels of (B, C, T)."""
    first, second = x.chunk(2, dim=1)
    return torch.cat((second, first), dim=1)


class ActNorm(nn.Module):
    """Per-channel affine map `y = scale * (x + loc)`; the stored scale may be negative."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(1, channels, 1))
        self.scale = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mapped (B, C, T), and the log determinant summed over B, C and T."""
        logdet = self.scale.abs().log().sum() * (x.shape[0] * x.shape[2])
        return self.scale * (x + self.loc), logdet

    def inverse(self, y: Tensor) -> Tensor:
        """Undo `forward`: (B, C, T) -> (B, C, T)."""
        return y / self.scale - self.loc


class Coupling(nn.Module):
    """Affine coupling: half of the channels and of the conditioning scale and shift the other half.

    Shape:
        x: (B, C, T); condition: (B, 2K, T), of which the first K channels are used;
        result: (B, C, T).
    """

    def __init__(self, config: FloWaveNetConfig, channels: int, condition_channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.affine = config.affine
        self.net = WaveNet(
            config, half, channels if config.affine else half, condition_channels, config.layers
        )

    def predict_scale_and_shift(self, a: Tensor, condition: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return log scale (None in an additive coupling) and shift, each (B, C/2, T)."""
        out = self.net(a, condition.chunk(2, dim=1)[0])
        return out.chunk(2, dim=1) if self.affine else (None, out)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor | float]:
        """Map in the density direction; also return the log determinant, summed."""
        a, b = x.chunk(2, dim=1)
        log_scale, shift = self.predict_scale_and_shift(a, condition)
        if log_scale is None:
            return torch.cat((a, b + shift), dim=1), 0.0
        b = (b - shift) * torch.exp(-log_scale)
        return torch.cat((a, b), dim=1), -log_scale.sum()

    def inverse(self, y: Tensor, condition: Tensor) -> Tensor:
        """Map in the generation direction."""
        a, b = y.chunk(2, dim=1)
        log_scale, shift = self.predict_scale_and_shift(a, condition)
        b = b - shift if log_scale is None else b * torch.exp(log_scale) + shift
        return torch.cat((a, b), dim=1)


class Flow(nn.Module):
    """ActNorm, coupling, and a swap of the halves. Shapes as in `Coupling`."""

    def __init__(self, config: FloWaveNetConfig, channels: int, condition_channels: int) -> None:
        super().__init__()
        self.actnorm = ActNorm(channels)
        self.coupling = Coupling(config, channels, condition_channels)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Map in the density direction; also return the log determinant, summed."""
        x, actnorm_logdet = self.actnorm(x)
        x, coupling_logdet = self.coupling(x, condition)
        return swap_halves(x), actnorm_logdet + coupling_logdet

    def inverse(self, y: Tensor, condition: Tensor) -> Tensor:
        """Map in the generation direction."""
        return self.actnorm.inverse(self.coupling.inverse(swap_halves(y), condition))


class Prior(nn.Module):
    """Gaussian of the channels that leave at a split, given those that stay (section 3.4).

    Shape:
        kept, leaving, noise: (B, C, T); condition: (B, K, T), all of it.
    """

    def __init__(self, config: FloWaveNetConfig, channels: int, condition_channels: int) -> None:
        super().__init__()
        # The published prior has two layers whatever config.layers says.
        self.net = WaveNet(config, channels, 2 * channels, condition_channels, layers=2)

    def predict_moments(self, kept: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log standard deviation, each (B, C, T)."""
        mean, log_deviation = self.net(kept, condition).chunk(2, dim=1)
        return mean, log_deviation

    def forward(self, kept: Tensor, leaving: Tensor, condition: Tensor) -> Tensor:
        """Return the summed log density of the leaving channels: ()."""
        mean, log_deviation = self.predict_moments(kept, condition)
        return compute_gaussian_log_density(
            (leaving - mean) * torch.exp(-log_deviation), log_deviation
        )

    def inverse(self, kept: Tensor, noise: Tensor, condition: Tensor) -> Tensor:
        """Return the channels that left, drawn with the given noise."""
        mean, log_deviation = self.predict_moments(kept, condition)
        return mean + torch.exp(log_deviation) * noise


def compute_gaussian_log_density(
    standardised: Tensor, log_deviation: Tensor | None = None
) -> Tensor:
    """Return the summed log density of a Gaussian at `(x - mean) / deviation`: ()."""
    log_p = -0.5 * (math.log(2 * math.pi) + standardised.square())
    return (log_p if log_deviation is None else log_p - log_deviation).sum()


class Block(nn.Module):
    """Flows at one time scale on squeezed signals, then a split if the configuration has one.

    Shape:
        x: (B, C, T); condition: (B, K, T).
    """

    def __init__(
        self, config: FloWaveNetConfig, channels: int, condition_channels: int, split: bool
    ) -> None:
        super().__init__()
        self.flows = nn.ModuleList(
            Flow(config, channels, condition_channels // 2) for _ in range(config.flows)
        )
        self.prior = Prior(config, channels // 2, condition_channels) if split else None

    def alternate_conditions(self, condition: Tensor) -> list[Tensor]:
        """Return what each flow sees; the halves swap after every flow, so two forms alternate."""
        turns = (condition, swap_halves(condition))
        return [turns[j % 2] for j in range(len(self.flows))]

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor, Tensor | float]:
        """Map in the density direction.

        Returns:
            The channels that stay (B, C or C/2, T), the log determinant (), and the log density of
            the channels that left ().
        """
        logdet = x.new_zeros(())
        for flow, seen in zip(self.flows, self.alternate_conditions(condition), strict=True):
            x, flow_logdet = flow(x, seen)
            logdet = logdet + flow_logdet
        if self.prior is None:
            return x, logdet, 0.0
        kept, leaving = x.chunk(2, dim=1)
        return kept, logdet, self.prior(kept, leaving, condition)

    def inverse(self, x: Tensor, noise: Tensor | None, condition: Tensor) -> Tensor:
        """Map in the generation direction; ``noise`` (B, C/2, T) restores channels that left."""
        if self.prior is not None and noise is not None:
            x = torch.cat((x, self.prior.inverse(x, noise, condition)), dim=1)
        for flow, seen in reversed(
            list(zip(self.flows, self.alternate_conditions(condition), strict=True))
        ):
            x = flow.inverse(x, seen)
        return x


class Upsampler(nn.Sequential):
    """Two transposed convolutions that stretch the mel spectrogram's time by 16 each.

    Shape:
        mel: (B, M, F); result: (B, M, 256 F).
    """

    def __init__(self, weight_norm: bool) -> None:
        conv = WeightNormConvTranspose2d if weight_norm else nn.ConvTranspose2d
        super().__init__(
            conv(1, 1, kernel_size=(3, 32), stride=(1, 16), padding=(1, 8)),
            nn.LeakyReLU(0.4),
            conv(1, 1, kernel_size=(3, 32), stride=(1, 16), padding=(1, 8)),
            nn.LeakyReLU(0.4),
        )

    def forward(self, mel: Tensor) -> Tensor:
        image: Tensor = super().forward(mel.unsqueeze(1))  # type: ignore[no-untyped-call]
        return image.squeeze(1)


class FloWaveNet(nn.Module):
    """The whole model. Calling it generates, as `generate` does.

    Shape:
        mel: (B, M, F); audio: (B, 1, 256 F).
    """

    def __init__(self, config: FloWaveNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or FloWaveNetConfig()
        self.upsampler = Upsampler(config.weight_norm)
        self.blocks = nn.ModuleList()
        channels, condition_channels = 1, config.mel_channels
        for i in range(config.blocks):
            channels, condition_channels = 2 * channels, 2 * condition_channels
            split = config.splits_after(i)
            self.blocks.append(Block(config, channels, condition_channels, split))
            channels = channels // 2 if split else channels

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], config: FloWaveNetConfig | None = None
    ) -> Self:
        """Build a model with the weights of the authors' checkpoint, under their tensor names.

        Raises:
            PublishedWeightsError: a tensor is missing, surplus or misshapen.
        """
        config = config or FloWaveNetConfig()
        model = cls(replace(config, weight_norm=True, unused_residuals=True))
        load_published(model, state_dict, get_published_name)
        if not config.unused_residuals:
            model = model.without_unused_residuals()
        return model if config.weight_norm else model.fold()

    def fold(self) -> Self:
        """Return this model with plain kernels: weight norm is computed once, not at every call."""
        if not self.config.weight_norm:
            return self
        return self._rebuild(
            replace(self.config, weight_norm=False), fold_state_dict(self.state_dict())
        )

    def without_unused_residuals(self) -> Self:
        """Return this model without the residual convolutions whose output is unused."""
        return self._rebuild(replace(self.config, unused_residuals=False), self.state_dict())

    def _rebuild(self, config: FloWaveNetConfig, state: Mapping[str, Tensor]) -> Self:
        with torch.device("meta"):  # the values come from `state`, so none are made here
            model = type(self)(config)
        wanted = {name: state[name].detach() for name in model.state_dict()}
        model.load_state_dict(wanted, assign=True)
        return model.train(self.training)

    def forward(
        self,
        mel: Tensor,
        noise: Tensor | None = None,
        temperature: float = 0.8,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Generate audio for a mel spectrogram; see `generate`."""
        condition = self.condition(mel, None if noise is None else noise.shape[-1])
        if noise is None:
            shape = (condition.shape[0], 1, condition.shape[2])
            noise = torch.randn(shape, generator=generator, device=mel.device, dtype=mel.dtype)
        return self.decode(noise * temperature, condition)

    @torch.no_grad()
    def generate(
        self,
        mel: Tensor,
        noise: Tensor | None = None,
        temperature: float = 0.8,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Generate audio for a mel spectrogram.

        Args:
            mel: (B, M, F), in [0, 1] as the published preprocessing makes it; or already
                upsampled, (B, M, T), where ``noise`` has that length.
            noise: (B, 1, 256 F), standard Gaussian; drawn here when None.
            temperature: factor on the noise; 0.8 in the published synthesis script.
            generator: source of the noise, for reproducible draws.

        Returns:
            (B, 1, 256 F) audio in about [-1, 1]; not clipped.
        """
        audio: Tensor = self(mel, noise, temperature, generator)
        return audio

    def condition(self, mel: Tensor, samples: int | None = None) -> Tensor:
        """Return the conditioning at the sample rate, (B, M, T), upsampled if necessary.

        Raises:
            ValueError: ``samples`` is neither the length of ``mel`` nor 256 times it, or not a
                multiple of 2^blocks.
        """
        if samples is not None and mel.shape[-1] == samples:
            if samples % 2 ** len(self.blocks):
                raise ValueError(
                    f"{len(self.blocks)} blocks need a multiple of {2 ** len(self.blocks)} "
                    f"samples; got {samples}"
                )
            return mel
        if samples is not None and mel.shape[-1] * HOP != samples:
            raise ValueError(
                f"{samples} samples do not go with {mel.shape[-1]} mel frames of {HOP} samples each"
            )
        upsampled: Tensor = self.upsampler(mel)
        return upsampled

    def squeeze_conditions(self, condition: Tensor) -> list[Tensor]:
        """Return each block's conditioning, squeezed once more: (B, M 2^(i+1), T / 2^(i+1))."""
        conditions = []
        for _ in self.blocks:
            condition = squeeze(condition)
            conditions.append(condition)
        return conditions

    def decode(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Generate audio (B, 1, T) from noise (B, 1, T) and conditioning (B, M, T)."""
        x, leaving = noise, []
        for block in self.blocks:  # the noise follows the splits that the signal would take
            x = squeeze(x)
            kept, left = x.chunk(2, dim=1) if block.prior is not None else (x, None)
            leaving.append(left)
            x = kept
        conditions = self.squeeze_conditions(condition)
        for block, left, seen in reversed(list(zip(self.blocks, leaving, conditions, strict=True))):
            x = unsqueeze(block.inverse(x, left, seen))
        return x

    def log_likelihood(self, audio: Tensor, mel: Tensor) -> Likelihood:
        """Return the log likelihood of audio, in nats per sample (the density direction).

        Shape:
            audio: (B, 1, T); mel: (B, M, F) or already upsampled, (B, M, T).
        """
        condition = self.condition(mel, audio.shape[-1])
        x, logdet, log_p = audio, audio.new_zeros(()), audio.new_zeros(())
        for block, seen in zip(self.blocks, self.squeeze_conditions(condition), strict=True):
            x, block_logdet, split_log_p = block(squeeze(x), seen)
            logdet, log_p = logdet + block_logdet, log_p + split_log_p
        log_p = log_p + compute_gaussian_log_density(x)
        return Likelihood(log_p / audio.numel(), logdet / audio.numel())


#: A layer's name here -> its name in the authors' checkpoints, longest context first.
PUBLISHED_LAYERS: tuple[tuple[str, str], ...] = (
    ("upsampler.", "upsample_conv."),
    ("prior.net.", "prior."),
    (".front.", ".front_conv.0.conv."),
    (".layers.", ".res_blocks."),
    (".filter.", ".filter_conv.conv."),
    (".gate.", ".gate_conv.conv."),
    (".filter_condition.", ".filter_conv_c."),
    (".gate_condition.", ".gate_conv_c."),
    (".residual.", ".res_conv."),
    (".skip.", ".skip_conv."),
    (".hidden.", ".final_conv.1.conv."),
    (".out.", ".final_conv.3."),
)


def get_published_name(name: str) -> str:
    """Return the authors' name of one of our tensors."""
    return reduce(lambda text, pair: text.replace(*pair), PUBLISHED_LAYERS, name)
