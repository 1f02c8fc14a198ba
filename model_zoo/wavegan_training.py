"""The discriminator of WaveGAN, which only training needs.

Sources as in `model_zoo.wavegan`. It mirrors the generator: strided convolutions from the audio
down to 16 steps, then one logit. Between the first layers, phase shuffle (section 3.3 of the paper)
moves the signal by a few random steps, so that the discriminator cannot recognise generated audio
by the fixed phase of its artefacts.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_zoo.wavegan import (
    FIRST_STEPS,
    SameConv1d,
    WaveGANConfig,
    initialise,
    is_optimiser_state,
    load_tensorflow,
)

SHUFFLED_LAYERS = 4  # the published code shuffles after the first four layers, however many follow


class WaveGANDiscriminator(nn.Module):
    """Critic of audio clips.

    Args:
        config: configuration of the generator; its post filter and upsampling are ignored.
        phase_shuffle: largest shift, in steps; 2 in the published training script, 0 for none.

    Shape:
        x: (B, channels, samples); result: (B,) logits, without a sigmoid.
    """

    def __init__(self, config: WaveGANConfig | None = None, phase_shuffle: int = 2) -> None:
        super().__init__()
        config = config or WaveGANConfig()
        self.phase_shuffle = phase_shuffle
        widths = config.widths[::-1]
        self.convs = nn.ModuleList(
            SameConv1d(width, next_width, config.kernel_size, stride)
            # Not mirrored: the stride of 2 for clips of 32768 comes last here as well.
            for width, next_width, stride in zip(widths, widths[1:], config.strides, strict=False)
        )
        # As published, norms use the statistics of the batch, and the first layer has none.
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(width, eps=1e-3, track_running_stats=False)
            if config.batch_norm and i > 0
            else nn.Identity()
            for i, width in enumerate(widths[1:])
        )
        self.output = nn.Linear(FIRST_STEPS * widths[-1], 1)
        initialise(self.output.weight, self.output.bias)

    @classmethod
    def from_published(
        cls,
        state_dict: Mapping[str, Tensor],
        config: WaveGANConfig | None = None,
        phase_shuffle: int = 2,
    ) -> Self:
        """Build a discriminator with the weights of the authors' checkpoint; see `WaveGAN`.

        Raises:
            PublishedWeightsError: a tensor is missing, surplus or misshapen.
        """
        model = cls(config, phase_shuffle)
        load_tensorflow(model.list_tensorflow_scopes(), state_dict, training_only=_is_unused)
        return model

    def list_tensorflow_scopes(self) -> dict[str, list[nn.Module]]:
        """Return the layers in each of the authors' variable scopes."""
        pairs = zip(self.convs, self.norms, strict=True)
        scopes = {f"D/downconv_{i}": list(pair) for i, pair in enumerate(pairs)}
        return scopes | {"D/output": [self.output]}

    def draw_shifts(self, generator: torch.Generator | None = None) -> list[int]:
        """Draw shifts of the first layers, each from -phase_shuffle to phase_shuffle."""
        largest = self.phase_shuffle
        shifts = torch.randint(-largest, largest + 1, (SHUFFLED_LAYERS,), generator=generator)
        return shifts.tolist()

    def forward(
        self,
        x: Tensor,
        shifts: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Judge clips.

        Args:
            x: the audio.
            shifts: the phase shuffle of the first four layers, one for all clips as published;
                drawn when None.
            generator: source of the shifts, on the CPU.
        """
        shifts = self.draw_shifts(generator) if shifts is None else shifts
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = F.leaky_relu(norm(conv(x)), 0.2)
            if i < SHUFFLED_LAYERS:
                x = shift_steps(x, shifts[i])
        time_major = x.transpose(1, 2).flatten(1)
        return self.output(time_major).squeeze(1)


def shift_steps(x: Tensor, shift: int) -> Tensor:
    """Move (B, C, T) by ``shift`` steps to the right, or left if negative; reflect at the edge."""
    padded = F.pad(x, (max(shift, 0), max(-shift, 0)), mode="reflect")
    start = max(-shift, 0)
    return padded[..., start : start + x.shape[2]]


def _is_unused(name: str) -> bool:
    """Return whether the discriminator ignores a tensor of the authors' checkpoint."""
    return name.startswith("G/") or "/moving_" in name or is_optimiser_state(name)
