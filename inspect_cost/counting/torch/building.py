"""Building a model without allocating or initialising its weights."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.nn.parameter import is_lazy
from torch.utils._mode_utils import no_dispatch

from inspect_cost.calls.call import is_fake
from inspect_cost.counting.torch.aten import Operator, Operators
from inspect_cost.counting.torch.contents import PLAIN_TENSORS, is_wrapper
from inspect_cost.counting.torch.dispatch import DispatchMode
from inspect_cost.counting.torch.failures import find_lacking_values
from inspect_cost.counting.torch.placement import META, Placement, drop_values, run_without_values
from inspect_cost.values.errors import InspectCostError, UsageError

T = TypeVar("T")
P = ParamSpec("P")

CPU = torch.device("cpu")

#: Tensors with more elements are made without values, whatever they are for.
LARGEST_CONSTANT = 2**20


def build(factory: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return ``factory(*args, **kwargs)``, a module whose parameters have no values.

    Tensors keep their values until they become a parameter, so that a factory may compute: spread
    a rate over its layers, fill a buffer, read a number. Only those of more than 2^20 elements have
    none. Parameters are on the meta device: they take no memory, and initialising them no time.

    Args:
        factory: makes the module: a class, or any function.
        *args: its arguments.
        **kwargs: its keyword arguments.

    Raises:
        UsageError: the factory reads values of parameters.
    """
    mode = _Building()
    try:
        with _without_parameters(), mode:
            built = factory(*args, **kwargs)
    except InspectCostError:
        raise
    except Exception as error:
        reason = find_lacking_values(error)
        if reason is None:
            raise
        raise UsageError(
            f"the model cannot be built without values: {reason}",
            "Call its factory yourself: it then has weights, and is counted as well.",
        ) from error
    if isinstance(built, nn.Module):
        mode.finish(built)
    return built


def build_wholly_without_values(make: Callable[[], T]) -> T:
    """Return ``make()``, with every tensor on meta, even where ``make`` names a device.

    This is faster, and suits code that reads no values.
    """
    with _NoInitialisation():
        return make()


class _Building(DispatchMode):
    """A mode that follows a factory: what is computed from parameters has no values."""

    def __init__(self) -> None:
        super().__init__()
        self._operators = Operators(rules={})
        self._placement = Placement(CPU, largest=LARGEST_CONSTANT)

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
        operator, first = self._operators[func], args[0] if args else None
        if isinstance(first, Tensor) and first.is_meta and operator.name in INITIALISERS:
            return first
        return self._placement.run(operator, args, dict(kwargs or {}))

    def finish(self, built: nn.Module) -> None:
        """Drop what still has values: parameters that were not registered, overwritten buffers."""
        for module in built.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    module._parameters[name] = drop_parameter(parameter)
            for name, buffer in module._buffers.items():
                if buffer is not None and self._placement.is_unknown(buffer):
                    module._buffers[name] = drop_values(buffer)


@contextmanager
def _without_parameters() -> Iterator[None]:
    """Drop the values of parameters as they are registered, on this thread only."""
    owner = get_ident()

    def drop(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> Any:
        if parameter is None or get_ident() != owner:
            return None
        with no_dispatch():
            return drop_parameter(parameter)

    handle = register_module_parameter_registration_hook(drop)
    try:
        yield
    finally:
        handle.remove()


def drop_parameter(parameter: nn.Parameter) -> nn.Parameter:
    """Drop the values of a parameter; the same object if torch allows it, as others may hold it."""
    if parameter.is_meta or is_lazy(parameter) or is_fake(parameter):
        return parameter
    dropped = drop_values(parameter.detach())
    if is_wrapper(parameter):
        return nn.Parameter(dropped, parameter.requires_grad)
    twin: nn.Parameter = Tensor._make_subclass(type(parameter), dropped, parameter.requires_grad)
    vars(twin).update(vars(parameter))
    try:
        torch.utils.swap_tensors(parameter, twin)
    except RuntimeError:  # something else holds it weakly
        return twin
    return parameter


class _NoInitialisation(DispatchMode):
    """A mode that makes all tensors without values, and skips their initialisation in place."""

    def __init__(self) -> None:
        super().__init__()
        self._operators = Operators(rules={})

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
        operator, first = self._operators[func], args[0] if args else None
        if not isinstance(first, Tensor):
            return self._make(operator, args, options)
        if not first.is_meta:
            # torch.tensor([...]) fills memory itself and arrives here as lift_fresh.
            literal = operator.name == "aten.lift_fresh"
            return drop_values(first) if literal else func(*args, **options)
        if operator.name in INITIALISERS:
            return first
        return run_without_values(operator, args, options)

    def _make(self, operator: Operator, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Run an operator that makes a tensor from nothing."""
        if not operator.takes_device:
            return operator.func(*args, **options)
        if operator.name in SMALL_TABLES:
            return drop_values(operator.func(*args, **options | {"device": CPU}))
        return operator.func(*args, **options | {"device": META})


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
