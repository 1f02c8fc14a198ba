"""Building a model without allocating or initialising its weights."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from inspect_cost.counting.torch.aten import Operators
from inspect_cost.counting.torch.contents import PLAIN_TENSORS
from inspect_cost.counting.torch.placement import META, drop_values, run_without_values

T = TypeVar("T")


def build_without_values(make: Callable[[], T], *, wholly: bool = False) -> T:
    """Return ``make()``, with every tensor that it creates on the meta device.

    Initialisation is skipped: it changes no shape and takes most of the time.

    Args:
        make: the factory.
        wholly: create tensors without values even where ``make`` names a device. This is faster,
            and suits code that reads no values.
    """
    with nullcontext() if wholly else torch.device(META), _NoInitialisation(wholly):
        return make()


class _NoInitialisation(TorchDispatchMode):
    """A mode that skips in-place initialisation of tensors without values."""

    def __init__(self, wholly: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types here
        self._wholly = wholly
        self._operators = Operators(rules={})

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler, as in `CountingMode`."""
        return False

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """Run one operator, or skip it."""
        if not all(kind in PLAIN_TENSORS for kind in types):
            return NotImplemented  # a tensor subclass unwraps itself
        options = dict(kwargs or {})
        first = args[0] if args else None
        if not isinstance(first, Tensor):
            return self._make(func, args, options)
        if not first.is_meta:
            # torch.tensor([...]) fills memory itself and arrives here as lift_fresh.
            literal = self._wholly and self._operators[func].name == "aten.lift_fresh"
            return drop_values(first) if literal else func(*args, **options)
        operator = self._operators[func]
        if operator.name in INITIALISERS:
            return first
        return run_without_values(operator, args, options)

    def _make(self, func: OpOverload, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Run an operator that makes a tensor from nothing."""
        if not self._is_made_on_meta(func):
            return func(*args, **options)
        if self._operators[func].name in SMALL_TABLES:
            return drop_values(func(*args, **options | {"device": CPU}))
        return func(*args, **options | {"device": META})

    def _is_made_on_meta(self, func: OpOverload) -> bool:
        return self._wholly and self._operators[func].takes_device


CPU = torch.device("cpu")

#: Operators that are slower on meta than on CPU: torch's meta kernels for them are written in
#: Python, and import its compiler.
SMALL_TABLES = frozenset(
    f"aten.{name}"
    for name in (
        "hann_window hamming_window blackman_window bartlett_window kaiser_window eye"
    ).split()
)

#: In-place operators that change values only, never a shape.
INITIALISERS = frozenset(
    f"aten.{name}_"
    for name in (
        "uniform normal fill zero copy random bernoulli exponential log_normal mul add sub div "
        "erfinv clamp"
    ).split()
)
