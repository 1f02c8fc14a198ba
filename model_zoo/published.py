"""Load a published checkpoint into a reimplementation, tensor by tensor.

Every zoo model has readable parameter names of its own, and a function that maps each to the name
in the original implementation. Errors refer to tensors by the names in the checkpoint.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class PublishedWeightsError(ValueError):
    """A published checkpoint does not fit: a tensor is missing, surplus, misshapen or unusable."""


def load_published(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    published_name: Callable[[str], str],
    *,
    training_only: Callable[[str], bool] = lambda _name: False,
) -> None:
    """Copy a published ``state_dict`` into ``model``.

    Args:
        model: the reimplementation, whose values are set in place.
        state_dict: tensors under the names of the original implementation, of any real type; NumPy
            arrays, which readers of TensorFlow's checkpoints return, are accepted too.
        published_name: function from a name in ``model.state_dict()`` to the original's name.
        training_only: function that returns whether only training needs one of the original's
            tensors; those may be present and are ignored.

    Raises:
        PublishedWeightsError: naming the first few tensors that are missing, surplus or misshapen,
            or hold no real numbers.
    """
    own = {published_name(name): (name, tensor) for name, tensor in model.state_dict().items()}
    wanted = {name: value for name, value in state_dict.items() if not training_only(name)}
    _refuse("lacks", own.keys() - wanted.keys())
    _refuse("has unexpected tensors:", wanted.keys() - own.keys())
    given = {name: as_tensor(name, value) for name, value in wanted.items()}
    _refuse(
        "has tensors of another shape than the configuration's:",
        (
            f"{name} {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
            for name, (_, tensor) in own.items()
            if given[name].shape != tensor.shape
        ),
    )
    _refuse(
        "has tensors without dense real numbers in them:",
        (name for name, tensor in given.items() if not _holds_real_numbers(tensor)),
    )
    with torch.no_grad():
        model.load_state_dict({name: given[published] for published, (name, _) in own.items()})


def as_tensor(name: str, value: Any) -> Tensor:
    """Return a checkpoint's value as a tensor: a tensor itself, or a copy of an array.

    Raises:
        PublishedWeightsError: it is neither.
    """
    if isinstance(value, Tensor):
        return value
    try:
        return torch.tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise PublishedWeightsError(
            f"{name} in the checkpoint is not a tensor but {type(value).__name__}"
        ) from error


def _holds_real_numbers(tensor: Tensor) -> bool:
    """Return whether a tensor has values to copy: dense, real, and not on the "meta" device."""
    dense = tensor.layout == torch.strided
    return dense and not tensor.is_meta and not tensor.is_complex()


def _refuse(complaint: str, names: Iterable[str], shown: int = 3) -> None:
    """Raise an error that lists the first few ``names`` if there are any."""
    listed = sorted(names)
    if not listed:
        return
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    raise PublishedWeightsError(f"the checkpoint {complaint} {', '.join(listed[:shown])}{more}")
