"""Stand-ins for the caller's model: copies of its modules whose parameters may have no values.

The caller's model is read but never run: whatever a forward changes (buffers, caches, modes), it
changes in the stand-in.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves

from inspect_cost.calls.call import is_fake
from inspect_cost.calls.call import set_mode as set_plain_mode
from inspect_cost.counting.torch.contents import PLAIN_TENSORS, is_wrapper
from inspect_cost.counting.torch.copying import Copier
from inspect_cost.counting.torch.distributed import refuse_sharded
from inspect_cost.counting.torch.guard import Guard, identify
from inspect_cost.counting.torch.placement import drop_values
from inspect_cost.values.errors import CountError


def copy_without_values(model: nn.Module, copier: Copier) -> nn.Module:
    """Return a stand-in whose parameters are on the meta device; buffers are copied with values.

    Raises:
        CountError: a lazy module has no shapes yet, or a module cannot be copied.
    """
    return _make_stand_in(model, copier, drop_values)


def copy_with_values(model: nn.Module, copier: Copier) -> nn.Module:
    """Return a stand-in whose parameters share the caller's memory; buffers are copied."""
    return _make_stand_in(model, copier, Tensor.detach)


def copy_everything(model: nn.Module, copier: Copier) -> nn.Module:
    """Return a stand-in that shares nothing, for a call that writes to its parameters."""
    return _make_stand_in(model, copier, lambda tensor: tensor.detach().clone())


def make_guard(model: nn.Module, stand_in: nn.Module) -> Guard:
    """Return the guard of a model that a stand-in runs for; the two may share parameters."""
    if stand_in is model:
        return Guard(None)
    if all(parameter.is_meta for parameter in stand_in.parameters()):
        return Guard(model)
    own = {identify(tensor) for tensor in _list_parameters(model)} - {None}
    return Guard(model, [t for t in _list_parameters(stand_in) if identify(t) in own])


def _make_stand_in(
    model: nn.Module, copier: Copier, replace: Callable[[Tensor], Tensor]
) -> nn.Module:
    """Copy a model, with ``replace`` applied to its parameters."""
    for module in {type(each): each for each in model.modules()}.values():
        refuse_sharded(module)  # before its parameters are looked at, which are no plain tensors
    _replace_tensors(model, copier.memo, replace)
    for parameter in model.parameters():
        _copy_attributes(parameter, copier)
    copied: nn.Module = copier.copy(model)
    return copied


def set_mode(stand_in: nn.Module, *, training: bool) -> None:
    """Put a stand-in in training or eval mode by its own `train()` or `eval()`.

    A model may override them, such as to keep its batch norms frozen. One that refuses, as exported
    programs do, gets the mode as a plain module would.
    """
    try:
        stand_in.train() if training else stand_in.eval()
    except CountError:
        raise
    except Exception:  # noqa: BLE001 - whatever a refusal raises
        set_plain_mode(stand_in, training=training)


def _replace_tensors(
    model: nn.Module, memo: dict[Any, Any], replace: Callable[[Tensor], Tensor]
) -> None:
    """Map the identity of each parameter, plain buffer and derived tensor to its replacement.

    The memo is that of the copy, which asks it for every object first. So the copy gets
    the replacements, and what is shared in the model (tied weights) is shared in the copy.
    """
    for parameter in model.parameters():
        _refuse_lazy(parameter)
        value = replace(parameter)
        # One that was made in inference mode takes no gradient and no in-place operation.
        value = value.clone() if value.is_inference() else value
        memo[id(parameter)] = _make_parameter(value, parameter)
    _copy_plain_buffers(model, memo)
    for attribute in _find_derived_attributes(model):
        memo.setdefault(id(attribute), replace(attribute))


def _make_parameter(value: Tensor, like: nn.Parameter) -> Tensor:
    """Make a parameter of the same class, which may have attributes and methods of its own."""
    own_class = type(like) not in PLAIN_TENSORS and nn.Parameter in type(like).__mro__
    if not own_class or is_wrapper(like):
        return nn.Parameter(value, like.requires_grad)
    made: Tensor = Tensor._make_subclass(type(like), value, like.requires_grad)
    return made


def _copy_attributes(parameter: nn.Parameter, copier: Copier) -> None:
    """Copy what a parameter has beside its numbers: scales, tables, remarks of optimizers."""
    attributes, made = vars(parameter), copier.memo[id(parameter)]
    if not attributes or is_wrapper(parameter) or is_fake(parameter):
        return  # a fake one refers to its mode, and by that to the caches of the compiler
    for value in attributes.values():
        if isinstance(value, Tensor) and identify(value) == identify(parameter) is not None:
            copier.memo[id(value)] = made.detach()  # another name of the same numbers
    vars(made).update(copier.copy(dict(attributes)))


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


def _list_parameters(model: nn.Module) -> list[Tensor]:
    """List a model's parameters, and what it keeps of them, derived, as attributes."""
    attributes = [v for m in model.modules() for v in vars(m).values() if isinstance(v, Tensor)]
    return [*model.parameters(), *attributes]


def _find_derived_attributes(model: nn.Module) -> Iterator[Tensor]:
    """Yield tensors computed from parameters and kept as attributes, which deepcopy rejects.

    `torch.nn.utils.weight_norm` and `spectral_norm` keep the layer's weight in this way.
    """
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                yield value


def find_home(model: nn.Module, inputs: Any) -> torch.device:
    """Find the device of the values: that of the first real tensor of model or inputs, or CPU."""
    for tensor in chain(model.parameters(), model.buffers(), tree_leaves(inputs)):
        if isinstance(tensor, Tensor) and not tensor.is_meta and not is_fake(tensor):
            return tensor.device
    return torch.device("cpu")
