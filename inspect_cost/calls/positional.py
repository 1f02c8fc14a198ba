"""A call as a module that takes tensors by position, for exporters and other counters.

Some of them know `forward` alone, and no keyword or nested arguments: the wrapper hides both.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from types import MethodType
from typing import Any

import psutil  # type: ignore[import-untyped]  # it has no stubs of its own
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from inspect_cost.calls.call import Call, set_eval, tensors_in
from inspect_cost.values.errors import CountError
from inspect_cost.values.units import si


class Positional(nn.Module):
    """A call as a module: tensors in by position, tensors out."""

    #: Path of the caller's model in this one.
    PREFIX = "model"

    _function: Callable[..., Any]

    def __init__(self, call: Call) -> None:
        super().__init__()
        call = call.as_module()
        assert call.module is not None  # noqa: S101 - as_module() gives one
        self.model = call.module
        # Past nn.Module, which would take a forward's module for a second child.
        vars(self)["_function"] = call.function
        self._leaves, self._structure = tree_flatten((call.args, dict(call.kwargs)))

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Make the call with these in its tensors' places; return the tensors of its result."""
        given = iter(tensors)
        leaves = [next(given) if isinstance(leaf, Tensor) else leaf for leaf in self._leaves]
        args, kwargs = tree_unflatten(leaves, self._structure)
        return tuple(_tensors_of_result(self._function(*args, **kwargs)))

    @classmethod
    def inner_path(cls, path: str) -> str:
        """Return a path in this module as one in the caller's model."""
        return path.removeprefix(cls.PREFIX).removeprefix(".")


def positional(call: Call) -> tuple[Positional, tuple[Tensor, ...]]:
    """Return a module whose forward takes the call's tensors by position, and those tensors."""
    return set_eval(Positional(call)), tensors_in((call.args, dict(call.kwargs)))


def move(call: Call, device: str) -> Call:
    """Return the call with copies of everything on a device, "meta" included."""
    args, kwargs = tree_map(
        lambda leaf: leaf.to(device) if isinstance(leaf, Tensor) else leaf,
        (call.args, dict(call.kwargs)),
    )
    moved = call if call.module is None else call.rebound(copy.deepcopy(call.module).to(device))
    return Call(
        moved.function, args, kwargs, moved.module, torch.device(device), remake=call.remake
    )


def move_to_cpu(call: Call) -> Call:
    """Return the call itself, or a copy if something is on an accelerator."""
    here = all(tensor.device.type in {"cpu", "meta"} for tensor in call.tensors)
    return call if here else move(call, "cpu")


def fill_values(call: Call) -> Call:
    """Return the call on real numbers: remade if that is known how, else random ones.

    Raises:
        CountError: they would take more than half of the memory that is free.
    """
    size = sum(t.numel() * t.element_size() for t in set(call.tensors))
    if size > psutil.virtual_memory().available / 2:
        raise CountError(f"it needs values, and they would take {si(size, 'B')} of memory")
    if call.remake:
        return call.remake()
    args, kwargs = tree_map(_real, (call.args, dict(call.kwargs)))
    filled = call if call.module is None else call.rebound(_fill(copy.deepcopy(call.module)))
    return Call(filled.function, args, kwargs, filled.module)


def undecorate(call: Call) -> Call:
    """Return the call without torch's `no_grad` around its method.

    Where no gradients are taken a model may overwrite its own results, and a trace loses what was
    there. A module whose forward is decorated is changed: call this in a process, or on a copy, of
    its own. A call of another method leaves the module as it is.
    """
    if call.module is None:
        return call
    function = getattr(call.module, call.method).__func__
    while function.__code__.co_name == "decorate_context":
        function = function.__wrapped__
    bound = MethodType(function, call.module)
    if call.function is not call.module:
        return replace(call, function=bound)
    vars(call.module)[call.method] = bound
    return call


def _tensors_of_result(result: Any) -> list[Tensor]:
    leaves = tree_leaves(result)
    nested = [leaf if isinstance(leaf, Tensor) else vars(leaf) for leaf in leaves if _holds(leaf)]
    return [leaf for leaf in tree_leaves(nested) if isinstance(leaf, Tensor)]


def _holds(leaf: Any) -> bool:
    """Return whether a leaf of a result is a tensor, or an object whose attributes may be."""
    return isinstance(leaf, Tensor) or hasattr(leaf, "__dict__")


def _real(value: Any) -> Any:
    """Return random numbers in the shape of a tensor without values; integers are 0 or 1."""
    if not isinstance(value, Tensor) or not value.is_meta:
        return value
    made = torch.empty(value.shape, dtype=value.dtype)
    if value.dtype.is_floating_point or value.dtype.is_complex:
        return made.normal_(std=0.02)
    return made.random_(0, 2)


def _fill(model: nn.Module) -> nn.Module:
    """Give the model random values where it has none; tied tensors stay tied."""
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
