"""What the fidelity tests of the zoo share: fixtures, random weights, the error measure."""

from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)

DATA = Path(__file__).parents[1] / "data"


def load_fixture(name: str) -> dict:
    """Reference outputs of a published implementation, with its weights."""
    return torch.load(DATA / f"{name}.pt", weights_only=True)


def relative_error(result: Tensor, reference: Tensor) -> float:
    """Largest deviation, relative to the largest reference value."""
    return ((result - reference).abs().max() / reference.abs().max()).item()


def randomised(model: M, seed: int = 0) -> M:
    """The model with random weights: a freshly initialised flow is nearly the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(parameter + 0.3 * noise)
    return model
