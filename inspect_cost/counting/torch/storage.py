"""Parameters and buffers of a model, module by module, each tensor counted once."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from inspect_cost.counting.tally import Storage, ancestry
from inspect_cost.counting.torch.contents import (
    count_bytes,
    count_stored,
    count_values,
    narrow,
    unpack_weights,
)


class StoredTensor(NamedTuple):
    """One parameter or buffer: its elements, and how many numbers of each type stand for them."""

    identity: int
    elements: int
    bytes: int
    stored: tuple[tuple[str, int], ...]
    trainable: bool
    parameter: bool
    weight_norm_length: bool


def collect_storage(model: nn.Module) -> tuple[tuple[str, str, Storage], ...]:
    """Return (path, class name, storage including submodules) of each module, parents first."""
    # Sets, so that a weight that several modules share counts once in each of their ancestors.
    inside: dict[str, set[StoredTensor]] = defaultdict(set)
    types: dict[str, str] = {}
    packed = {path: unpack_tensors(module) for path, module in model.named_modules()}
    for path, module in model.named_modules():
        types[path] = type(module).__name__
        own = {
            *_describe_tensors(module, module._parameters, parameter=True),
            *_describe_tensors(module, packed[path], parameter=True),
            *_describe_tensors(module, module._buffers, parameter=False),
        }
        for place in ancestry(path) if own else ():
            inside[place] |= own
    return tuple((path, kind, _sum_storage(inside.get(path, ()))) for path, kind in types.items())


def unpack_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Unpack the weights and biases of quantised layers, which `parameters()` does not list."""
    packed = [value for value in vars(module).values() if isinstance(value, torch.ScriptObject)]
    if not packed:
        return {}
    tensors = [tensor for value in packed for tensor in unpack_weights(value)]
    if getattr(module, "dtype", None) is torch.float16:
        tensors = narrow(tensors)
    return {f"packed.{i}": tensor for i, tensor in enumerate(tensors)}


def _describe_tensors(
    module: nn.Module, tensors: Mapping[str, Tensor | None], *, parameter: bool
) -> Iterator[StoredTensor]:
    """Describe a module's own tensors; equal identities mean the same tensor."""
    for name, tensor in tensors.items():
        if tensor is not None:
            yield StoredTensor(
                id(tensor),
                count_values(tensor),
                count_bytes(tensor),
                tuple(count_stored(tensor).items()),
                tensor.requires_grad,
                parameter,
                is_weight_norm_length(module, name),
            )


def is_weight_norm_length(module: nn.Module, name: str) -> bool:
    """Return whether a parameter is the length that weight norm keeps beside a direction.

    That is ``weight_g`` beside ``weight_v``, or the first original of torch's parametrization.
    """
    if name.endswith("_g"):
        return name.removesuffix("_g") + "_v" in module._parameters
    if name != "original0" or not isinstance(module, ParametrizationList):
        return False
    return type(module[0]).__name__ == "_WeightNorm"


def _sum_storage(tensors: Iterable[StoredTensor]) -> Storage:
    """Add up the sizes of some tensors."""
    parameters = [t for t in tensors if t.parameter]
    buffers = [t for t in tensors if not t.parameter]
    dtypes: Counter[str] = Counter()
    for parameter in parameters:
        dtypes.update(dict(parameter.stored))
    return Storage(
        params=sum(p.elements for p in parameters),
        param_bytes=sum(p.bytes for p in parameters),
        trainable=sum(p.elements for p in parameters if p.trainable),
        buffers=sum(b.elements for b in buffers),
        buffer_bytes=sum(b.bytes for b in buffers),
        dtypes=dict(dtypes),
        weight_norm_lengths=sum(p.elements for p in parameters if p.weight_norm_length),
    )
