"""Architectures of `transformers` for the sweep, all in one table."""

from architectures.audio import AUDIO
from architectures.decoders import DECODERS
from architectures.encoders import TEXT_ENCODERS
from architectures.family import Family
from architectures.generation import GENERATION
from architectures.multimodal import MULTIMODAL
from architectures.translators import SEQUENCE_TO_SEQUENCE
from architectures.vision import VISION_MODELS

FAMILIES: tuple[Family, ...] = (
    *TEXT_ENCODERS,
    *DECODERS,
    *SEQUENCE_TO_SEQUENCE,
    *AUDIO,
    *VISION_MODELS,
    *MULTIMODAL,
    *GENERATION,
)
