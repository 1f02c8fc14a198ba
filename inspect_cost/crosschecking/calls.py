"""The call that all counters are given, as a module that takes tensors by position.

Some peers know `forward` alone, and no keyword or nested arguments: the wrapper hides them.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any

import psutil  # type: ignore[import-untyped]  # it has no stubs of its own
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from inspect_cost.values.errors import CountError
from inspect_cost.values.units import si


@dataclass(frozen=True)
class Call:
    """A method of a model, and its arguments.

    Attributes:
        remade: makes the same call with real weights, where that is known to be better than
            random ones in place of those that are missing.
    """

    model: nn.Module
    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    remade: "Callable[[], Call] | None" = None

    @property
    def has_values(self) -> bool:
        """Whether nothing of it is on the meta device."""
        return not any(tensor.is_meta for tensor in self._tensors())

    def moved(self, device: str) -> "Call":
        """The call with copies of everything on another device."""
        args, kwargs = tree_map(
            lambda x: x.to(device) if isinstance(x, Tensor) else x, (self.args, self.kwargs)
        )
        return Call(copy.deepcopy(self.model).to(device), self.method, args, kwargs, self.remade)

    def on_cpu(self) -> "Call":
        """The call itself, or a copy where something is on an accelerator."""
        here = all(tensor.device.type in {"cpu", "meta"} for tensor in self._tensors())
        return self if here else self.moved("cpu")

    def without_values(self) -> "Call":
        """The call with everything on the meta device."""
        return self.moved("meta")

    def with_values(self) -> "Call":
        """The call on real numbers, which are random where there is nothing better.

        Raises:
            CountError: they would take more than half of the memory that is free.
        """
        size = sum(t.numel() * t.element_size() for t in set(self._tensors()))
        if size > psutil.virtual_memory().available / 2:
            raise CountError(f"it needs values, and they would take {si(size, 'B')} of memory")
        if self.remade:
            return self.remade()
        model = _filled(copy.deepcopy(self.model))
        args, kwargs = tree_map(_real, (self.args, self.kwargs))
        return Call(model, self.method, args, kwargs)

    def undecorated(self) -> "Call":
        """The call without torch's `no_grad` around its method.

        Where no gradients are taken a model may overwrite its own results, and a trace loses what
        was there.
        """
        method = getattr(self.model, self.method)
        function = method.__func__
        while function.__code__.co_name == "decorate_context":
            function = function.__wrapped__
        vars(self.model)[self.method] = MethodType(function, self.model)
        return self

    def wrapped(self) -> tuple["Positional", tuple[Tensor, ...]]:
        """A module whose forward takes the call's tensors by position, and those tensors."""
        leaves, _ = tree_flatten((self.args, self.kwargs))
        tensors = tuple(leaf for leaf in leaves if isinstance(leaf, Tensor))
        return Positional(self).eval(), tensors

    def _tensors(self) -> tuple[Tensor, ...]:
        given = tree_leaves((self.args, self.kwargs))
        tensors = [leaf for leaf in given if isinstance(leaf, Tensor)]
        return (*self.model.parameters(), *self.model.buffers(), *tensors)


class Positional(nn.Module):
    """A call as a module: tensors in by position, tensors out."""

    #: Path of the caller's model in this one.
    PREFIX = "model"

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.model = call.model
        self._method = call.method
        self._leaves, self._structure = tree_flatten((call.args, call.kwargs))

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The call's tensors to the tensors of its result."""
        given = iter(tensors)
        leaves = [next(given) if isinstance(leaf, Tensor) else leaf for leaf in self._leaves]
        args, kwargs = tree_unflatten(leaves, self._structure)
        method = self.model if self._method == "forward" else getattr(self.model, self._method)
        return tuple(_tensors_of(method(*args, **kwargs)))

    @classmethod
    def inner_path(cls, path: str) -> str:
        """A path in this module as one in the caller's model."""
        return path.removeprefix(cls.PREFIX).removeprefix(".")


def _tensors_of(result: Any) -> list[Tensor]:
    leaves = tree_leaves(result)
    nested = [leaf if isinstance(leaf, Tensor) else vars(leaf) for leaf in leaves if _holds(leaf)]
    return [leaf for leaf in tree_leaves(nested) if isinstance(leaf, Tensor)]


def _holds(leaf: Any) -> bool:
    """Whether a leaf of a result is a tensor, or an object with attributes that may be."""
    return isinstance(leaf, Tensor) or hasattr(leaf, "__dict__")


def _real(value: Any) -> Any:
    """Random numbers in the shape of a tensor without values; integers are 0 or 1."""
    if not isinstance(value, Tensor) or not value.is_meta:
        return value
    made = torch.empty(value.shape, dtype=value.dtype)
    if value.dtype.is_floating_point or value.dtype.is_complex:
        return made.normal_(std=0.02)
    return made.random_(0, 2)


def _filled(model: nn.Module) -> nn.Module:
    """The model with random values where it had none."""
    known: dict[int, Any] = {}
    for module in model.modules():
        own = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
        for name, tensor in own:
            if tensor.is_meta:
                known.setdefault(id(tensor), _as_stored(tensor))
                setattr(module, name, known[id(tensor)])
    return model


def _as_stored(tensor: Tensor) -> Tensor:
    real: Tensor = _real(tensor)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(real, tensor.requires_grad and real.is_floating_point())
    return real
