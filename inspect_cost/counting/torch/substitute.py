"""Stand-ins for the caller's model: copies of its modules whose parameters may have no values.

The caller's model is read but never run: whatever a forward changes (buffers, caches, modes), it
changes in the stand-in.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves

from inspect_cost.calls.call import is_fake, set_mode, unwrap_compiled
from inspect_cost.counting.torch.placement import drop_values
from inspect_cost.values.errors import CountError

T = TypeVar("T")

#: Exact types whose values are their own copies; checking for these first saves most of the time.
IMMUTABLE = frozenset(
    {type(None), bool, int, float, complex, str, bytes, FunctionType, torch.dtype, torch.device}
)


def copy_without_values(model: nn.Module) -> nn.Module:
    """Return a stand-in whose parameters are on the meta device; buffers are copied with values.

    Raises:
        CountError: a lazy module has no shapes yet, or a module is compiled TorchScript.
    """
    return _make_stand_in(model, drop_values)


def copy_with_values(model: nn.Module) -> nn.Module:
    """Return a stand-in whose parameters share the caller's memory; buffers are copied."""
    return _make_stand_in(model, Tensor.detach)


def _make_stand_in(model: nn.Module, replace: Callable[[Tensor], Tensor]) -> nn.Module:
    """Copy a model in eval mode, with ``replace`` applied to its parameters."""
    memo = _replace_tensors(model, replace)
    for module in model.modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise CountError(
                f"{type(module).__name__} is compiled TorchScript, which cannot be copied",
                "Count the module that it was scripted from, or traced from.",
            )
        # References to a compiled module, wherever they are, become references to its original.
        original = unwrap_compiled(module)
        if original is not module:
            memo[id(module)] = _copy_module(original, memo)
    copied: nn.Module = _copy_value(model, memo)
    for module in copied.modules():
        module._compiled_call_impl = None
        if isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False  # counts are dense: padding counts too
        if isinstance(module, nn.DataParallel):
            module.device_ids = []  # run on this thread: operators on others would go unseen
    return set_mode(copied, training=False)


def _replace_tensors(model: nn.Module, replace: Callable[[Tensor], Tensor]) -> dict[Any, Any]:
    """Map the identity of each parameter, plain buffer and derived tensor to its replacement.

    The result serves as deepcopy's memo, which is asked for every object first. So the copy gets
    the replacements, and what is shared in the model (tied weights) is shared in the copy.
    """
    memo: dict[Any, Any] = {}
    for parameter in model.parameters():
        _refuse_lazy(parameter)
        memo[id(parameter)] = nn.Parameter(replace(parameter), parameter.requires_grad)
    _copy_plain_buffers(model, memo)
    for attribute in _find_derived_attributes(model):
        memo.setdefault(id(attribute), replace(attribute))
    return memo


def _refuse_lazy(tensor: Tensor) -> None:
    if is_lazy(tensor):
        raise CountError(
            "the model has lazy modules whose shapes are not known yet",
            "Run the model once on an example input, then count it.",
        )


def _copy_plain_buffers(model: nn.Module, memo: dict[Any, Any]) -> None:
    """Copy the buffers that cover all of their memory, which is much faster than deepcopy.

    Other tensors may share that memory. Their copies shall share the copied memory, so it is put
    where deepcopy looks for storages that it has copied already.
    """
    memories = memo.setdefault("torch", {})  # the key that torch's own __deepcopy__ uses
    for buffer in model.buffers():
        _refuse_lazy(buffer)
        if is_fake(buffer):
            memo[id(buffer)] = drop_values(buffer)
        elif _owns_all_its_memory(buffer) and buffer.untyped_storage()._cdata not in memories:
            twin = memo[id(buffer)] = buffer.clone()
            memories[buffer.untyped_storage()._cdata] = twin.untyped_storage()


def _owns_all_its_memory(tensor: Tensor) -> bool:
    """Return whether `clone` alone copies everything about a tensor."""
    plain = type(tensor) is Tensor and tensor.layout is torch.strided and not vars(tensor)
    if not plain or tensor.requires_grad or tensor.is_conj() or tensor.is_neg():
        return False
    return tensor.nbytes == tensor.untyped_storage().nbytes()


def _find_derived_attributes(model: nn.Module) -> Iterator[Tensor]:
    """Yield tensors computed from parameters and kept as attributes, which deepcopy rejects.

    `torch.nn.utils.weight_norm` and `spectral_norm` keep the layer's weight in this way.
    """
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                yield value


def _copy_module(module: nn.Module, memo: dict[Any, Any]) -> nn.Module:
    """Copy a module and everything below it, except what the memo holds already."""
    # Not the class's own __new__: torch.fx's makes a class that lacks the graph's forward.
    twin: nn.Module = object.__new__(type(module))
    memo[id(module)] = twin  # before the attributes, which may refer back to the module
    for name, value in vars(module).items():
        vars(twin)[name] = _copy_value(value, memo)
    return twin


def _copy_value(value: Any, memo: dict[Any, Any]) -> Any:
    """Deep-copy a value; what cannot be copied (a lock, a handle) is returned itself."""
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
    """Copy a call's inputs, because a forward may write to them or store results in them.

    What cannot be copied is shared.
    """
    tensors = [leaf for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)]
    copied: T = _copy_value(inputs, {id(tensor): _copy_tensor(tensor) for tensor in tensors})
    return copied


def _copy_tensor(tensor: Tensor) -> Tensor:
    return drop_values(tensor) if is_fake(tensor) else tensor.detach().clone()


def find_home(model: nn.Module, inputs: Any) -> torch.device:
    """Find the device of the values: that of the first real tensor of model or inputs, or CPU."""
    for tensor in (*model.parameters(), *model.buffers(), *tree_leaves(inputs)):
        if isinstance(tensor, Tensor) and not tensor.is_meta and not is_fake(tensor):
            return tensor.device
    return torch.device("cpu")
