"""How far autograd records a call: not at all, where the call itself says so, or throughout."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from inspect_cost.calls.function import FunctionModule
from inspect_cost.counting.torch.placement import drop_values
from inspect_cost.values.errors import CountError


class Recording(Enum):
    """What autograd records."""

    NOTHING = "nothing"
    #: What a forward computes under `torch.enable_grad()`, or by `torch.func`, for its own use.
    INSIDE = "inside"
    EVERYTHING = "everything"

    @property
    def more(self) -> "Recording | None":
        """The next that records more; None if this is the last."""
        order = list(Recording)
        after = order.index(self) + 1
        return order[after] if after < len(order) else None


class GradientsWantedError(CountError):
    """The forward of an inference computes gradients, which nothing was recorded for."""

    def __init__(self) -> None:
        super().__init__("the forward computes gradients")


@contextmanager
def record(extent: Recording) -> Iterator[None]:
    """Record a training step or a forward that wants it, and inference without any trace.

    Not in inference mode, although it shows operators whole as well: tensors that a forward makes
    and keeps outside the model, in a cache, could not be used in the caller's next training step.
    """
    if extent is not Recording.NOTHING:
        enabled = extent is Recording.EVERYTHING
        with torch.inference_mode(mode=False), torch.set_grad_enabled(enabled):
            yield
        return
    with torch.no_grad(), torch._C._AutoDispatchBelowAutograd():
        yield


def drop_real_numbers(model: nn.Module, inputs: Any) -> Any:
    """Return inputs without the values of what gradients flow through.

    An input that is given twice stays one: attention is told by that whether it is to itself.
    """
    known: dict[int, Tensor] = {}

    def drop(tensor: Tensor) -> Tensor:
        if not (tensor.is_floating_point() or tensor.is_complex()):
            return tensor
        return known.setdefault(id(tensor), drop_values(tensor))

    if isinstance(model, FunctionModule):
        model.tensors = {path: drop(tensor) for path, tensor in model.tensors.items()}
    return tree_map_only(Tensor, drop, inputs)
