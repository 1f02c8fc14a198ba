"""Fixtures, random weights and the error measure of the zoo's fidelity tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

M = TypeVar("M", bound=nn.Module)

DATA = Path(__file__).parents[1] / "data"


#: Reference outputs of a published implementation, its inputs and its weights, by name.
Fixture = dict[str, Any]


def load_fixture(name: str) -> Fixture:
    """Load the reference outputs of a published implementation, with its weights."""
    fixture: Fixture = torch.load(DATA / f"{name}.pt", weights_only=True)
    return fixture


def access_parts(model: nn.Module) -> Any:
    """Return the model untyped, since `nn.Module` annotates parts as `Tensor | Module`."""
    return model


def count_macs(run: Callable[[], object]) -> int:
    """Count the multiply-accumulates that torch's own counter sees in a call."""
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops()) // 2


def relative_error(result: Tensor, reference: Tensor) -> float:
    """Return the largest deviation, relative to the largest reference value."""
    return float(((result - reference).abs().max() / reference.abs().max()).item())


def randomise(model: M, seed: int = 0) -> M:
    """Give the model random weights: a freshly initialised flow is nearly the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(parameter + 0.3 * noise)
    return model
