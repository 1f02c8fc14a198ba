"""The encoder of SING, whose frames the LSTM learns to predict; only training needs it.

Sources as in `model_zoo.sing`. Encoder and decoder are first trained as an autoencoder.

Letters in the shapes: B batch, T samples, D channels of a frame, C width of the encoder, K kernel
and S stride of its first convolution.
"""

from collections.abc import Mapping
from functools import partial
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_zoo.published import load_published
from model_zoo.sing import SINGConfig


class WindowedConv1d(nn.Conv1d):
    """Convolution of audio whose kernel is multiplied by the decoder's window at every call.

    Shape:
        x: (B, 1, T); result: (B, C, floor((T - K) / S) + 1).
    """

    window: Tensor | None

    def __init__(self, config: SINGConfig) -> None:
        super().__init__(1, config.channels, config.kernel_size, config.stride)
        self.register_buffer("window", config.make_window())

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight if self.window is None else self.weight * self.window
        return F.conv1d(x, kernel, self.bias, self.stride)


class Encoder(nn.Module):
    """Convolutions that map a waveform to frames.

    A note of 64,000 samples, padded by 2304 at each end, becomes the decoder's 265 frames.

    Shape:
        audio: (B, T); result: (B, D, floor((T - K) / S) + 1) frames.
    """

    def __init__(self, config: SINGConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SINGConfig()
        self.analysis = WindowedConv1d(config)
        self.rewrites = nn.ModuleList(
            nn.Conv1d(config.channels, config.channels, 1) for _ in range(config.rewrite_layers)
        )
        self.projection = nn.Conv1d(config.channels, config.frame_dim, 1)

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], config: SINGConfig | None = None
    ) -> Self:
        """Build an encoder with the weights of the authors' autoencoder, under their tensor names.

        Raises:
            PublishedWeightsError: a tensor of the encoder is missing, surplus or misshapen.
        """
        encoder = cls(config)
        load_published(
            encoder,
            {name: tensor for name, tensor in state_dict.items() if name.startswith("encoder.")},
            partial(get_published_name, config=encoder.config),
        )
        return encoder

    def forward(self, audio: Tensor) -> Tensor:
        x = torch.relu(self.analysis(audio.unsqueeze(1)))
        for rewrite in self.rewrites:
            x = torch.relu(rewrite(x))
        return self.projection(x)


def get_published_name(name: str, config: SINGConfig) -> str:
    """Return the authors' name of one of our tensors; they number layers and ReLUs alike."""
    layer, _, tensor = name.rpartition(".")
    inner = ".conv" if config.window is not None and tensor != "window" else ""
    layers = {
        "analysis": f"layers.0{inner}",
        "projection": f"layers.{2 + 2 * config.rewrite_layers}",
    }
    for i in range(config.rewrite_layers):
        layers[f"rewrites.{i}"] = f"layers.{2 + 2 * i}"
    return f"encoder.{layers[layer]}.{tensor}"
