"""Five published generative audio models, reimplemented to be read, and their presets.

    >>> import model_zoo
    >>> model = model_zoo.build("flowavenet", blocks=4)

Importing this package does not import torch.
"""

from model_zoo.registry import (
    PRESETS,
    GenerationCall,
    Preset,
    UnknownModelError,
    build,
    names,
    preset,
)

__all__ = ["PRESETS", "GenerationCall", "Preset", "UnknownModelError", "build", "names", "preset"]
