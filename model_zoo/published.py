"""Loading a published checkpoint into a reimplementation, tensor by tensor.

Every zoo model keeps its own readable parameter names and says, with one function, under which
name the original implementation stored each of them. Errors speak in the checkpoint's names.
"""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn


class PublishedWeightsError(ValueError):
    """A published checkpoint does not fit: a tensor is missing, surplus or misshapen."""


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
        state_dict: tensors under the names of the original implementation.
        published_name: from a name in ``model.state_dict()`` to the original's name.
        training_only: tells which of the original's tensors generation does not need;
            those may be present and are left out.

    Raises:
        PublishedWeightsError: naming the first few tensors that are missing, surplus or misshapen.
    """
    own_names = {published_name(own): own for own in model.state_dict()}
    given = {name: tensor for name, tensor in state_dict.items() if not training_only(name)}
    _refuse("lacks", own_names.keys() - given.keys())
    _refuse("has unexpected tensors:", given.keys() - own_names.keys())
    _refuse(
        "has tensors of another shape than the configuration's:",
        (
            f"{name} {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
            for name, tensor in (
                (published_name(own), tensor) for own, tensor in model.state_dict().items()
            )
            if given[name].shape != tensor.shape
        ),
    )
    with torch.no_grad():
        model.load_state_dict({own: given[name] for name, own in own_names.items()})


def _refuse(complaint: str, names: Iterable[str], shown: int = 3) -> None:
    """Raise if there are any ``names``, listing the first few in order."""
    listed = sorted(names)
    if not listed:
        return
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    raise PublishedWeightsError(f"the checkpoint {complaint} {', '.join(listed[:shown])}{more}")
