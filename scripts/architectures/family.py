"""Architectures of `transformers`, each with a small config and the inputs of one forward.

A row changes only what makes a default config large, so that every kind of layer of an
architecture is reached. Names of classes and settings are those of `transformers`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import transformers
from torch import nn

Inputs = dict[str, Any]


def ids(length: int = 16, name: str = "input_ids") -> Inputs:
    """Return two sequences of tokens that are valid in any vocabulary."""
    return {name: torch.arange(2 * length).reshape(2, length) % 50 + 4}


def masked_ids(length: int = 16) -> Inputs:
    """Return `ids` with the second sequence padded at its end."""
    mask = torch.ones(2, length, dtype=torch.int64)
    mask[1, length // 2 :] = 0
    return ids(length) | {"attention_mask": mask}


def source_and_target(length: int = 16) -> Inputs:
    """Return tokens of an encoder and of a decoder."""
    return masked_ids(length) | ids(8, "decoder_input_ids")


def image(size: int = 64, channels: int = 3) -> Inputs:
    """Return two square images."""
    return {"pixel_values": torch.zeros(2, channels, size, size)}


def waveform(samples: int = 4000) -> Inputs:
    """Return two signals."""
    return {"input_values": torch.zeros(2, samples)}


def with_image(inputs: Inputs, size: int = 64) -> Inputs:
    """Return the inputs and images."""
    return inputs | image(size)


def mel(bins: int, frames: int) -> Inputs:
    """Return two spectrograms."""
    return {"input_features": torch.zeros(2, bins, frames)}


@dataclass(frozen=True)
class Family:
    """One architecture.

    Attributes:
        name: name in the table.
        model: name of the model's class.
        settings: settings of its config that differ from the defaults; sub-configs are dicts.
        inputs: makes the inputs of one call.
        method: name of the method that is called.
        weights: why it needs weights, or "" if it is built without any.
    """

    name: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    inputs: Callable[[], Inputs] = masked_ids
    method: str = "forward"
    weights: str = ""

    def build(self) -> nn.Module:
        """Build the model in eval mode, on torch's default device."""
        kind = getattr(transformers, self.model)
        model: nn.Module = kind(kind.config_class(**self.settings))
        return model.eval()


#: A small decoder or encoder, in the names that most configs use.
SMALL: dict[str, Any] = {
    "vocab_size": 128,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
#: A small decoder or encoder with grouped queries.
GROUPED = SMALL | {"num_key_value_heads": 2}
#: A small decoder, in the names of the oldest configs.
GPT: dict[str, Any] = {"vocab_size": 128, "n_embd": 32, "n_layer": 2, "n_head": 4}
#: A small encoder and decoder, in the names of BART and its relatives.
SEQ2SEQ: dict[str, Any] = {
    "vocab_size": 128,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
}
T5: dict[str, Any] = {
    "vocab_size": 128,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
}
#: A vision transformer over four patches.
VISION = {k: v for k, v in SMALL.items() if k != "vocab_size"} | {
    "image_size": 64,
    "patch_size": 16,
}
#: Seven convolutions, then a transformer.
SPEECH = SMALL | {"conv_dim": [32] * 7, "num_conv_pos_embedding_groups": 4}
#: Four experts, of which each token takes two.
MOE = GROUPED | {"moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2}
#: Two towers, for text and for images.
HUB = {"text_config": SMALL, "vision_config": VISION}
