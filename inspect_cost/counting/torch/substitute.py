"""A stand-in for the caller's model: the same modules, its parameters without values.

The caller's model is read and never run: what a forward changes (buffers, caches, modes), it
changes in the stand-in.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.jit._script import RecursiveScriptModule
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves

from inspect_cost.calls.call import unwrap_compiled
from inspect_cost.counting.torch.placement import drop_values
from inspect_cost.values.errors import CountError

T = TypeVar("T")

#: Exact types, of which a copy is the thing itself; asking for them first spares most of the time.
IMMUTABLE = frozenset(
    {type(None), bool, int, float, complex, str, bytes, FunctionType, torch.dtype, torch.device}
)


def copy_without_values(model: nn.Module) -> nn.Module:
    """A stand-in whose parameters are on the meta device; buffers are copied with their values.

    Raises:
        CountError: a lazy module has no shapes yet.
    """
    return _make_stand_in(model, drop_values)


def copy_with_values(model: nn.Module) -> nn.Module:
    """A stand-in whose parameters share the memory of the caller's; buffers are copied."""
    return _make_stand_in(model, Tensor.detach)


def _make_stand_in(model: nn.Module, replace: Callable[[Tensor], Tensor]) -> nn.Module:
    memo = _replace_tensors(model, replace)
    for module in model.modules():
        if isinstance(module, RecursiveScriptModule):
            raise CountError(
                f"{type(module).__name__} is compiled TorchScript, of which no copy can be made",
                "Count the module that it was scripted from.",
            )
        original = unwrap_compiled(module)
        if original is not module:
            memo[id(module)] = _copy_module(original, memo)
    copied: nn.Module = _copy_value(model, memo)
    for module in copied.modules():
        module._compiled_call_impl = None
        if isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False  # dense: what is padded counts
        if isinstance(module, nn.DataParallel):
            module.device_ids = []  # in one piece, here: other threads would not be seen
    return nn.Module.train(copied, mode=False)  # exported programs refuse eval()


def _replace_tensors(model: nn.Module, replace: Callable[[Tensor], Tensor]) -> dict[Any, Any]:
    """From the identity of a parameter, a plain buffer or a derived tensor to what replaces it.

    As deepcopy does, the copying asks this memo for each object first: what is in here is what
    the copy gets, and what is shared in the model (tied weights) is shared in the copy.
    """
    memo: dict[Any, Any] = {}
    for parameter in model.parameters():
        if is_lazy(parameter):
            raise CountError(
                "the model has lazy modules whose shapes are not known yet",
                "Run it once on an example input, then count it.",
            )
        memo[id(parameter)] = nn.Parameter(replace(parameter), parameter.requires_grad)
    _copy_plain_buffers(model, memo)
    for attribute in _find_derived_attributes(model):
        memo.setdefault(id(attribute), replace(attribute))
    return memo


def _copy_plain_buffers(model: nn.Module, memo: dict[Any, Any]) -> None:
    """Copy buffers that are all of their memory, which needs none of deepcopy's care, and its time.

    Their memory goes where deepcopy looks for memory that it has copied: what shares it, shares it.
    """
    memories = memo.setdefault("torch", {})
    for buffer in model.buffers():
        if _owns_all_its_memory(buffer) and buffer.untyped_storage()._cdata not in memories:
            twin = memo[id(buffer)] = buffer.clone()
            memories[buffer.untyped_storage()._cdata] = twin.untyped_storage()


def _owns_all_its_memory(tensor: Tensor) -> bool:
    plain = type(tensor) is Tensor and tensor.layout is torch.strided and not vars(tensor)
    if not plain or tensor.requires_grad or tensor.is_conj() or tensor.is_neg():
        return False
    return tensor.nbytes == tensor.untyped_storage().nbytes()


def _find_derived_attributes(model: nn.Module) -> Iterator[Tensor]:
    """Tensors computed from parameters and kept as plain attributes, which deepcopy refuses.

    `torch.nn.utils.weight_norm` and `spectral_norm` keep the layer's weight so.
    """
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                yield value


def _copy_module(module: nn.Module, memo: dict[Any, Any]) -> nn.Module:
    """A copy of a module and all below it; what the memo holds is taken from there."""
    # Not the class's own __new__: that of torch.fx makes a class without the graph's forward.
    twin: nn.Module = object.__new__(type(module))
    memo[id(module)] = twin
    for name, value in vars(module).items():
        vars(twin)[name] = _copy_value(value, memo)
    return twin


def _copy_value(value: Any, memo: dict[Any, Any]) -> Any:
    """A deep copy where there can be one, else (a lock, a handle) the thing itself."""
    kind = type(value)
    if kind in IMMUTABLE or (kind is tuple and all(type(item) in IMMUTABLE for item in value)):
        return value
    if id(value) in memo:
        return memo[id(value)]
    if kind in {dict, OrderedDict}:
        twin: dict[Any, Any] = kind()
        memo[id(value)] = twin
        if value:  # a module has a dozen that are empty
            twin.update((key, _copy_value(item, memo)) for key, item in value.items())
        return twin
    if isinstance(value, nn.Module):
        return _copy_module(value, memo)
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # noqa: BLE001 - whatever an attribute's own copying raises
        return value


def copy_inputs(inputs: T) -> T:
    """A call's inputs, copied: a forward may work in place on them, or keep in them what it makes.

    What cannot be copied is shared.
    """
    tensors = [leaf for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)]
    copied: T = _copy_value(inputs, {id(tensor): tensor.detach().clone() for tensor in tensors})
    return copied


def find_home(model: nn.Module, inputs: Any) -> torch.device:
    """Where the values are: the device of the model's first real tensor, or the inputs', or CPU."""
    for tensor in (*model.parameters(), *model.buffers(), *tree_leaves(inputs)):
        if isinstance(tensor, Tensor) and not tensor.is_meta:
            return tensor.device
    return torch.device("cpu")
