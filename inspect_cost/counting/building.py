"""Making a model without making its weights."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from inspect_cost.counting.aten.table import operator_name
from inspect_cost.counting.placement import META, run_without_values

T = TypeVar("T")


def built_without_values(make: Callable[[], T]) -> T:
    """What ``make()`` returns, all tensors that it makes being on the meta device.

    Initialisation is skipped: it would change no shape, and takes most of the time.
    """
    with torch.device(META), _NoInitialisation():
        return make()


class _NoInitialisation(TorchDispatchMode):
    """Leaves out what works in place on tensors without values."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """As in `CountingMode`."""
        return False

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """Run one operator, or leave it out."""
        del types
        options = dict(kwargs or {})
        name = operator_name(func)
        first = args[0] if args else None
        if name in INITIALISERS and isinstance(first, Tensor) and first.is_meta:
            return first
        if not any(isinstance(x, Tensor) and x.is_meta for x in args):
            return func(*args, **options)
        return run_without_values(name, func, args, options)


#: In-place operators that change values alone.
INITIALISERS = frozenset(
    f"aten.{name}_"
    for name in (
        "uniform normal fill zero copy random bernoulli exponential log_normal mul add sub div "
        "erfinv clamp"
    ).split()
)
