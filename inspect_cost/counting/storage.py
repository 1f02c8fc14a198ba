"""What a model stores, module by module, each tensor once."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor, nn

from inspect_cost.cost import Storage, ancestry


class Stored(NamedTuple):
    """One parameter or buffer."""

    identity: int
    elements: int
    bytes: int
    dtype: str
    trainable: bool
    parameter: bool


def stored(model: nn.Module) -> tuple[tuple[str, str, Storage], ...]:
    """(path, class name, storage with all that is below) of each module, parents first."""
    inside: dict[str, set[Stored]] = defaultdict(set)
    types: dict[str, str] = {}
    for path, module in model.named_modules():
        types[path] = type(module).__name__
        own = {*_described(module._parameters, True), *_described(module._buffers, False)}  # noqa: SLF001
        for place in ancestry(path) if own else ():
            inside[place] |= own
    return tuple((path, kind, _storage(inside.get(path, ()))) for path, kind in types.items())


def _described(tensors: dict[str, Tensor | None], parameter: bool) -> Iterable[Stored]:
    """A module's own tensors; those of the same identity are the same tensor."""
    for tensor in tensors.values():
        if tensor is not None:
            size = tensor.numel()
            dtype = str(tensor.dtype).removeprefix("torch.")
            yield Stored(
                id(tensor),
                size,
                size * tensor.element_size(),
                dtype,
                tensor.requires_grad,
                parameter,
            )


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
    )
