"""Optimizers for a stand-in: torch's own classes, on parameters that may have no values.

The caller's optimizer is read but never run: its groups, its state and whatever else it refers to
are copied, and the copies refer to the stand-in's parameters.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from inspect_cost.calls.function import FunctionModule
from inspect_cost.counting.torch.copying import Copier
from inspect_cost.counting.torch.memories import walk_tensors
from inspect_cost.counting.torch.placement import drop_values
from inspect_cost.values.errors import UsageError, one_line

#: From the parameters to be trained to an optimizer of them.
Factory = Callable[[list[Tensor]], Optimizer]

#: The steps that torch has several kernels for are counted as they are written, tensor by tensor.
ONE_FORMULATION = {"foreach": False, "fused": False, "capturable": False}

EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
#: Dimensions of a matrix.
MATRIX = 2

#: The optimizers that have names, as torch sets them up.
BY_NAME: Mapping[str, Factory] = {
    "sgd": torch.optim.SGD,
    "sgd-momentum": partial(torch.optim.SGD, momentum=0.9),
    "sgd-nesterov": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    "adadelta": torch.optim.Adadelta,
    "adafactor": torch.optim.Adafactor,
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
    "adamax": torch.optim.Adamax,
    "adamw": torch.optim.AdamW,
    "asgd": torch.optim.ASGD,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "rprop": torch.optim.Rprop,
}


def make_optimizers(given: Any, model: nn.Module, copier: Copier) -> tuple[Optimizer, ...]:
    """Make the optimizers of a stand-in.

    Args:
        given: a name, a class or another function from parameters to an optimizer, an optimizer of
            the caller's model, or a list of such optimizers.
        model: the stand-in.
        copier: what made it, which knows the twin of each of the caller's parameters.

    Raises:
        UsageError: it is none of these, it optimizes another model, or its step calls the model.
    """
    if isinstance(given, (list, tuple)):
        optimizers = tuple(each for item in given for each in make_optimizers(item, model, copier))
    elif isinstance(given, Optimizer):
        optimizers = (_copy(given, model, copier),)
    elif given == "muon":
        optimizers = _make_muon(model)
    else:
        optimizers = (_make(given, list_trainable(model)),)
    for optimizer in optimizers:
        _refuse_closure(optimizer)
        _choose_formulation(optimizer)
    return optimizers


def list_trainable(model: nn.Module) -> list[Tensor]:
    """List the parameters of a stand-in that require a gradient, each once."""
    tensors = list(model.parameters())
    if isinstance(model, FunctionModule):
        tensors += model.tensors.values()  # type: ignore[arg-type]  # leaves are as good
    unique = {id(tensor): tensor for tensor in tensors}.values()
    return [tensor for tensor in unique if tensor.requires_grad and tensor.is_leaf]


def _make(given: Any, parameters: list[Tensor]) -> Optimizer:
    """Make an optimizer by its name, or by the caller's function."""
    factory = BY_NAME[given] if isinstance(given, str) else given
    name = getattr(factory, "__name__", type(factory).__name__)
    try:
        made = factory(parameters)
    except Exception as error:
        raise UsageError(
            f"`optimizer` {name} cannot be made of the parameters: {one_line(error)}",
            "Give a function of a list of parameters, such as functools.partial(torch.optim.AdamW, "
            "lr=1e-3).",
            field="optimizer",
        ) from error
    own = {id(parameter) for parameter in parameters}
    if not isinstance(made, Optimizer) or not own.issuperset(map(id, _list_parameters(made))):
        what = "other parameters" if isinstance(made, Optimizer) else "none"
        raise UsageError(
            f"`optimizer` {name} is called with the parameters of a copy of the model, and made "
            f"an optimizer of {what}",
            "Use the parameters that it is given, or pass the optimizer itself.",
            field="optimizer",
        )
    return made


def _make_muon(model: nn.Module) -> tuple[Optimizer, ...]:
    """Make Muon for matrices other than embeddings, and AdamW for all else, as its authors do."""
    tables = {id(m.weight) for m in model.modules() if isinstance(m, EMBEDDINGS)}
    hidden, others = list[Tensor](), list[Tensor]()
    for parameter in list_trainable(model):
        is_hidden = parameter.dim() == MATRIX and id(parameter) not in tables
        (hidden if is_hidden else others).append(parameter)
    kinds: tuple[tuple[Any, Sequence[Tensor]], ...] = (
        (torch.optim.Muon, hidden),
        (torch.optim.AdamW, others),
    )
    return tuple(kind(parameters) for kind, parameters in kinds if parameters)


def _copy(original: Optimizer, model: nn.Module, copier: Copier) -> Optimizer:
    """Copy the caller's optimizer, on the stand-in's parameters; parameters of others are skipped.

    Its state goes without values if the stand-in has none. Python's and torch's own copies would
    lose attributes that are no part of a checkpoint.
    """
    if not any(id(parameter) in copier.memo for parameter in _list_parameters(original)):
        raise UsageError(
            f"`optimizer` is a {type(original).__name__} of parameters that the model lacks",
            "Make it of the parameters of the model that is counted.",
            field="optimizer",
        )
    attributes = {name: value for name, value in vars(original).items() if name != "step"}
    unknown = any(parameter.is_meta for parameter in model.parameters())
    for tensor in walk_tensors(attributes | {"state": dict(original.state)}):
        if id(tensor) not in copier.memo:
            plain = tensor.detach()
            # A number, such as how often it stepped, is kept: a step depends on its value.
            keep = tensor.numel() == 1 or not unknown
            copier.memo[id(tensor)] = plain.clone() if keep else drop_values(plain)
    twin: Optimizer = object.__new__(type(original))
    copier.memo[id(original)] = twin
    for name, value in attributes.items():
        vars(twin)[name] = copier.copy(value)
    return twin


def _list_parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _choose_formulation(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        group.update({name: ONE_FORMULATION[name] for name in group.keys() & ONE_FORMULATION})


def _refuse_closure(optimizer: Optimizer) -> None:
    """Refuse an optimizer whose step calls the model as often as it likes."""
    needed = inspect.signature(type(optimizer).step).parameters.get("closure")
    if needed is not None and needed.default is needed.empty:
        raise UsageError(
            f"`optimizer` {type(optimizer).__name__} calls the model again within its step, as "
            "often as the values demand",
            "Count the step without an optimizer, or with another one.",
            field="optimizer",
        )
