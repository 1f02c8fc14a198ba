"""Loading a published checkpoint into a reimplementation, tensor by tensor.

Every zoo model keeps its own readable parameter names and says, with one function, under which
name the original implementation stored each of them. Errors speak in the checkpoint's names.
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
        model: the reimplementation, which gets the values in place.
        state_dict: tensors under the names of the original implementation, of any real type; NumPy
            arrays, which readers of TensorFlow's checkpoints return, will do.
        published_name: from a name in ``model.state_dict()`` to the original's name.
        training_only: tells which of the original's tensors generation does not need;
            those may be present and are left out.

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
    """A checkpoint's value under that name: a tensor as it is, a copy of an array.

    Raises:
        PublishedWeightsError: it is neither.
    """
    if isinstance(value, Tensor):
        return value
    try:
        return torch.tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise PublishedWeightsError(
            f"the checkpoint has no tensor as {name} but {type(value).__name__}"
        ) from error


def _holds_real_numbers(tensor: Tensor) -> bool:
    """Not so on the "meta" device; and sparse tensors cannot be copied."""
    dense = tensor.layout == torch.strided
    return dense and not tensor.is_meta and not tensor.is_complex()


def _refuse(complaint: str, names: Iterable[str], shown: int = 3) -> None:
    """Raise if there are any ``names``, listing the first few in order."""
    listed = sorted(names)
    if not listed:
        return
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    raise PublishedWeightsError(f"the checkpoint {complaint} {', '.join(listed[:shown])}{more}")
