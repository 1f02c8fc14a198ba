"""From a model and a call's arguments to `Work`, leaving the caller's model as it was."""

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from inspect_cost.measuring.protocol.window import Work
from inspect_cost.values.errors import UsageError


@dataclass(frozen=True)
class Target:
    """A call that can be made again and again.

    Attributes:
        function: a module, a bound method of one, or any callable.
        args: its arguments.
        kwargs: its keyword arguments.
        device: where it runs.
        module: the module behind the call, if there is one.
        by_torch: whether torch computes it, so that its allocator and profiler see it.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    device: torch.device
    module: nn.Module | None = None
    by_torch: bool = True

    @property
    def dtype(self) -> str:
        """The type of the module's first floating parameter, "" where there is none."""
        for parameter in self.module.parameters() if self.module is not None else ():
            if parameter.is_floating_point():
                return str(parameter.dtype).removeprefix("torch.")
        return ""

    def call(self) -> Any:
        """One inference."""
        return self.function(*self.args, **self.kwargs)

    @property
    def work(self) -> Work:
        """The call, and how to wait for the device."""
        if self.device.type != "cuda":
            return Work(self.call)
        return Work(self.call, lambda: torch.cuda.synchronize(self.device))

    @contextmanager
    def inference(self, threads: int | None = None) -> Iterator[None]:
        """Eval mode, no gradients, so many threads; afterwards all is as before, randomness too."""
        devices = [self.device] if self.device.type == "cuda" else []
        before = torch.get_num_threads()
        with ExitStack() as entered:
            entered.enter_context(torch.random.fork_rng(devices=devices))
            if self.module is not None:
                entered.enter_context(_in_eval_mode(self.module))
            if threads is not None:
                torch.set_num_threads(threads)
                entered.callback(torch.set_num_threads, before)
            entered.enter_context(torch.inference_mode())
            yield


def target(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    device: str | torch.device | None = None,
    dtype: torch.dtype | str | None = None,
) -> Target:
    """A call on a device and in a type; a copy of the model is made where it has to move.

    Args:
        function: a module, a bound method of one, or any callable.
        args: its arguments; tensors are copied, so that a call may write into them.
        kwargs: its keyword arguments, likewise.
        device: to run on; the model's unless given.
        dtype: of the parameters and of float32 inputs; as they are unless given.

    Raises:
        UsageError: it cannot be called, has no values, or there is no such device or type.
    """
    if not callable(function):
        raise UsageError(f"{function!r} cannot be called", "Give a module or a function.")
    module = module_of(function)
    tensors = [
        *(module.parameters() if module is not None else ()),
        *(t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)),
    ]
    if any(tensor.is_meta for tensor in tensors):
        raise UsageError(
            "a model or an input on the meta device has no values, and cannot be measured",
            "Build the model on a real device.",
        )
    place = usable_device(device) if device is not None else _home(tensors)
    kind = usable_dtype(dtype)
    if module is not None and _must_move(module, place if device is not None else None, kind):
        moved = copy.deepcopy(module).to(device=place, dtype=kind)
        function = moved if function is module else getattr(moved, _method(function))
        module = moved
    own_args, own_kwargs = tree_map(lambda x: _own(x, place, kind, device), (args, kwargs))
    return Target(function, own_args, own_kwargs, place, module)


def module_of(function: Callable[..., Any]) -> nn.Module | None:
    """The module that a call belongs to, or None."""
    if isinstance(function, nn.Module):
        return function
    if isinstance(function, MethodType) and isinstance(function.__self__, nn.Module):
        return function.__self__
    return None


def usable_device(device: str | torch.device) -> torch.device:
    """A device of this machine, by its name.

    Raises:
        UsageError: there is no such device here.
    """
    try:
        found = torch.device(device)
    except RuntimeError:
        found = torch.device("meta")
    if found.type not in {"cpu", "cuda"}:
        raise UsageError(f"{device} is no device to measure on", "Use cpu, cuda or cuda:1.")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise UsageError(
            f"there is no device {device}: torch sees {count} CUDA device{'s' * (count != 1)}",
            "Use --device cpu, or a torch built for CUDA.",
        )
    return torch.device("cuda", found.index or 0) if found.type == "cuda" else found


def usable_dtype(dtype: torch.dtype | str | None) -> torch.dtype | None:
    """A floating data type, by its name.

    Raises:
        UsageError: there is no such type, or it is not a floating one.
    """
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if found is None and dtype is None:
        return None
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise UsageError(
            f"{dtype} is no floating data type", "Use float32, float64, float16 or bfloat16."
        )
    return found


def _home(tensors: list[Tensor]) -> torch.device:
    return tensors[0].device if tensors else torch.device("cpu")


def _method(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", "forward"))


def _must_move(module: nn.Module, place: torch.device | None, dtype: torch.dtype | None) -> bool:
    tensors = [*module.parameters(), *module.buffers()]
    elsewhere = place is not None and any(t.device != place for t in tensors)
    other = dtype is not None and any(t.is_floating_point() and t.dtype != dtype for t in tensors)
    return elsewhere or other


def _own(value: Any, place: torch.device, dtype: torch.dtype | None, asked: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    cast = dtype if dtype is not None and value.dtype == torch.float32 else value.dtype
    where = place if asked is not None else value.device
    return value.detach().to(device=where, dtype=cast, copy=True)


@contextmanager
def _in_eval_mode(module: nn.Module) -> Iterator[None]:
    training = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, mode in training:
            each.training = mode
