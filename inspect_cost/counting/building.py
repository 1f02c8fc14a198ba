"""Making a model without making its weights."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from inspect_cost.counting.aten import Operator, Rule, described
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

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types here
        self._described: dict[OpOverload, Operator] = {}

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
        first = args[0] if args else None
        if not isinstance(first, Tensor) or not first.is_meta:
            return func(*args, **options)
        operator = self._described.get(func)
        if operator is None:
            operator = self._described[func] = described(func, NO_RULES)
        if operator.name in INITIALISERS:
            return first
        return run_without_values(operator, args, options)


NO_RULES: Mapping[str, Rule] = MappingProxyType({})

#: In-place operators that change values alone.
INITIALISERS = frozenset(
    f"aten.{name}_"
    for name in (
        "uniform normal fill zero copy random bernoulli exponential log_normal mul add sub div "
        "erfinv clamp"
    ).split()
)
