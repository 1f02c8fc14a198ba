"""Architectures of `transformers`, each with a small config and the inputs of one forward.

A row changes what makes a default config large and nothing else, so that every kind of layer of an
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
    """Two sequences of tokens, all of them valid in any vocabulary."""
    return {name: torch.arange(2 * length).reshape(2, length) % 50 + 4}


def masked_ids(length: int = 16) -> Inputs:
    """The same, the second one padded at its end."""
    mask = torch.ones(2, length, dtype=torch.int64)
    mask[1, length // 2 :] = 0
    return ids(length) | {"attention_mask": mask}


def source_and_target(length: int = 16) -> Inputs:
    """Tokens of an encoder and of a decoder."""
    return masked_ids(length) | ids(8, "decoder_input_ids")


def image(size: int = 64, channels: int = 3) -> Inputs:
    """Two square images."""
    return {"pixel_values": torch.zeros(2, channels, size, size)}


def waveform(samples: int = 4000) -> Inputs:
    """Two signals."""
    return {"input_values": torch.zeros(2, samples)}


def with_image(inputs: Inputs, size: int = 64) -> Inputs:
    """Text and images."""
    return inputs | image(size)


def mel(bins: int, frames: int) -> Inputs:
    """Two spectrograms."""
    return {"input_features": torch.zeros(2, bins, frames)}


@dataclass(frozen=True)
class Family:
    """One architecture.

    Attributes:
        name: as the table shows it.
        model: name of the model's class.
        settings: of its config, where they differ from the defaults; sub-configs are dicts.
        inputs: makes the inputs of one call.
        method: what is called.
        weights: why it takes weights, or "" where it is built without any.
    """

    name: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    inputs: Callable[[], Inputs] = masked_ids
    method: str = "forward"
    weights: str = ""

    def build(self) -> nn.Module:
        """The model in eval mode, made on torch's default device."""
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
#: The same with grouped queries.
GROUPED = SMALL | {"num_key_value_heads": 2}
#: The names of the oldest decoders.
GPT: dict[str, Any] = {"vocab_size": 128, "n_embd": 32, "n_layer": 2, "n_head": 4}
#: Encoder and decoder in the names of BART and its kin.
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
#: Four experts, two of which each token takes.
MOE = GROUPED | {"moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2}
#: Two towers, for text and for images.
HUB = {"text_config": SMALL, "vision_config": VISION}
