"""What a model stores, module by module, each tensor once."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from inspect_cost.cost import Storage, ancestry
from inspect_cost.counting.contents import stored_bytes, stored_values


class Stored(NamedTuple):
    """One parameter or buffer."""

    identity: int
    elements: int
    bytes: int
    dtype: str
    trainable: bool
    parameter: bool
    weight_norm_length: bool


def stored(model: nn.Module) -> tuple[tuple[str, str, Storage], ...]:
    """(path, class name, storage with all that is below) of each module, parents first."""
    inside: dict[str, set[Stored]] = defaultdict(set)
    types: dict[str, str] = {}
    for path, module in model.named_modules():
        types[path] = type(module).__name__
        own = {
            *_described(module, module._parameters, parameter=True),
            *_described(module, module._buffers, parameter=False),
        }
        for place in ancestry(path) if own else ():
            inside[place] |= own
    return tuple((path, kind, _storage(inside.get(path, ()))) for path, kind in types.items())


def _described(
    module: nn.Module, tensors: Mapping[str, Tensor | None], *, parameter: bool
) -> Iterator[Stored]:
    """A module's own tensors; those of the same identity are the same tensor."""
    for name, tensor in tensors.items():
        if tensor is not None:
            yield Stored(
                id(tensor),
                stored_values(tensor),
                stored_bytes(tensor),
                str(tensor.dtype).removeprefix("torch."),
                tensor.requires_grad,
                parameter,
                is_weight_norm_length(module, name),
            )


def is_weight_norm_length(module: nn.Module, name: str) -> bool:
    """Whether a parameter is the length that weight norm keeps beside a direction.

    It is the ``weight_g`` beside a ``weight_v``, or the first original of torch's parametrization.
    """
    if name.endswith("_g"):
        return name.removesuffix("_g") + "_v" in module._parameters
    if name != "original0" or not isinstance(module, ParametrizationList):
        return False
    return type(module[0]).__name__ == "_WeightNorm"


def _storage(tensors: Iterable[Stored]) -> Storage:
    parameters = [t for t in tensors if t.parameter]
    buffers = [t for t in tensors if not t.parameter]
    dtypes: Counter[str] = Counter()
    for parameter in parameters:
        dtypes[parameter.dtype] += parameter.elements
    return Storage(
        params=sum(p.elements for p in parameters),
        param_bytes=sum(p.bytes for p in parameters),
        trainable=sum(p.elements for p in parameters if p.trainable),
        buffers=sum(b.elements for b in buffers),
        buffer_bytes=sum(b.bytes for b in buffers),
        dtypes=dict(dtypes),
        weight_norm_lengths=sum(p.elements for p in parameters if p.weight_norm_length),
    )
