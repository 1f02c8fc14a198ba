"""`Call`: one function of one model with its arguments, for everything that runs or counts it."""

import copy
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType, MethodType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from inspect_cost.calls.devices import find_device, find_dtype
from inspect_cost.calls.function import FunctionModule, find_signature
from inspect_cost.values.errors import UsageError

AnyModule = TypeVar("AnyModule", bound=nn.Module)

CPU = torch.device("cpu")
FORWARD = "forward"


@dataclass(frozen=True)
class Call:
    """One call of a module, of a bound method of one, or of any function.

    ``Call.of(model.generate, mel, steps=4)`` is ``model.generate(mel, steps=4)``, not yet run.

    Attributes:
        function: what is called.
        args: positional arguments.
        kwargs: keyword arguments.
        module: the module that is called, or whose method is; None for a plain function.
        device: where it runs.
        by_torch: whether torch computes it, so that its allocator and profiler see it.
        remake: makes the same call with real weights, where that is better than filling in
            random ones; None where nothing is known to be better.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    module: nn.Module | None = None
    device: torch.device = CPU
    by_torch: bool = True
    remake: "Callable[[], Call] | None" = None

    @classmethod
    def of(cls, target: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Call":
        """Describe the call of a module, a bound method, a function or a `functools.partial`.

        An exported program stands for its module.

        Args:
            target: what is called.
            *args: its positional arguments.
            **kwargs: its keyword arguments, whatever they are called.

        Raises:
            UsageError: ``target`` cannot be called.
        """
        if isinstance(target, functools.partial):
            bound = {**target.keywords, **kwargs}
            return cls.of(target.func, *target.args, *args, **bound)
        target = unwrap_exported(target)
        if not callable(target):
            raise UsageError(
                f"{type(target).__name__} cannot be called",
                "Give a torch.nn.Module, a bound method of one, or a function.",
            )
        if isinstance(target, type) and issubclass(target, nn.Module):
            raise UsageError(
                f"{target.__name__} is a class, of which no instance was made",
                f"Pass a module of it, such as {target.__name__}(...).",
            )
        module = target if isinstance(target, nn.Module) else _module_behind(target)
        return cls(target, args, kwargs, module, _device_of(module, (args, kwargs)))

    @property
    def title(self) -> str:
        """Name of the model's class, or of the function."""
        if isinstance(self.module, FunctionModule):
            return self.module.title
        if self.module is not None:
            return type(unwrap_compiled(self.module)).__name__
        name = _name_of(self.function)
        return "function" if name == "<lambda>" else name

    @property
    def method(self) -> str:
        """Name under which the module has the method that is called: "forward", "generate"."""
        if self.module is None or isinstance(self.function, nn.Module):
            return FORWARD
        return _name_of_method(self.function) or FORWARD

    @property
    def shapes(self) -> str:
        """Shapes of the tensors among the arguments, in words: "(1, 3, 224, 224)"."""
        tensors = tensors_in((self.args, dict(self.kwargs)))
        return ", ".join(str(tuple(tensor.shape)) for tensor in tensors) or "no tensors"

    @property
    def dtype(self) -> str:
        """Type of the module's first floating parameter; "" if there is none."""
        for parameter in self.module.parameters() if self.module is not None else ():
            if parameter.is_floating_point():
                return str(parameter.dtype).removeprefix("torch.")
        return ""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Parameters and buffers of the module, and the tensors among the arguments."""
        return (*tensors_of(self.module), *tensors_in((self.args, self.kwargs)))

    @property
    def has_values(self) -> bool:
        """Whether everything has values: nothing is on the meta device."""
        return not any(tensor.is_meta or is_fake(tensor) for tensor in self.tensors)

    def run(self) -> Any:
        """Make the call."""
        return self.function(*self.args, **self.kwargs)

    @functools.cached_property
    def devices(self) -> tuple[torch.device, ...]:
        """The device that it runs on, and others where the module has parameters."""
        return tuple(dict.fromkeys((self.device, *(t.device for t in tensors_of(self.module)))))

    def synchronize(self) -> None:
        """Wait until all devices are done."""
        for device in self.devices:
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            elif device.type not in {"cpu", "meta"}:
                torch.accelerator.synchronize(device)

    @contextmanager
    def inference(self, threads: int | None = None) -> Iterator[None]:
        """Prepare the process for inference, and restore it afterwards.

        In eval mode, without gradients, with this many CPU threads; modes, the number of threads
        and torch's random states are then as before. What the call creates and keeps is an
        ordinary tensor, which can be trained with; one of `torch.inference_mode` could not.
        """
        devices = [device for device in self.devices if device.type == "cuda"]
        before = torch.get_num_threads()
        with ExitStack() as entered:
            entered.enter_context(torch.random.fork_rng(devices=devices))
            if self.module is not None:
                entered.enter_context(eval_mode(self.module))
            if threads is not None:
                torch.set_num_threads(threads)
                entered.callback(torch.set_num_threads, before)
            entered.enter_context(torch.no_grad())
            yield

    def to(
        self, device: str | torch.device | None = None, dtype: torch.dtype | str | None = None
    ) -> "Call":
        """Return the call on a device and in a type; the caller's model is never moved.

        A model that is elsewhere, or of another type, is copied; so are all tensors among the
        arguments, as a call may write into them.

        Args:
            device: to run on; the call's own unless given.
            dtype: of floating parameters and of float32 arguments; as they are unless given.

        Raises:
            UsageError: there is no such device or type here, or something has no values.
        """
        if not self.has_values:
            raise UsageError(
                "a model or an input on the meta device has no values, and cannot be run",
                "Build the model on a real device.",
            )
        place = find_device(device) if device is not None else None
        kind = find_dtype(dtype)
        call = self
        if self.module is not None and _must_move(self.module, place, kind):
            moved = copy.deepcopy(self.module).to(device=place)
            call = self.rebound(cast_module(moved, kind))
        args, kwargs = tree_map(
            lambda leaf: _own_copy(leaf, place, kind), (self.args, dict(self.kwargs))
        )
        return replace(call, args=args, kwargs=kwargs, device=place or self.device)

    def with_inputs_cast(self, dtype: torch.dtype | str | None) -> "Call":
        """Return the call with its float32 arguments in a type, which may have no values.

        Raises:
            UsageError: there is no such floating type.
        """
        kind = find_dtype(dtype)
        if kind is None:
            return self
        args, kwargs = tree_map(
            lambda leaf: _own_copy(leaf, None, kind) if _is_single(leaf) else leaf,
            (self.args, dict(self.kwargs)),
        )
        return replace(self, args=args, kwargs=kwargs)

    def rebound(self, module: nn.Module) -> "Call":
        """Return the same call of another module: a copy or a stand-in."""
        function = module if self.function is self.module else getattr(module, self.method)
        return replace(self, function=function, module=module)

    def as_module(self) -> "Call":
        """Return the call with a module behind it: a plain function becomes one's forward."""
        if self.module is not None:
            original = unwrap_compiled(self.module)
            return self if original is self.module else self.rebound(original)
        made = FunctionModule(self.function, self.title)
        args, kwargs = made.take_arguments(self.args, self.kwargs)
        device = _device_of(made, (*made.tensors.values(), args, kwargs))
        return replace(self, function=made, module=made, args=args, kwargs=kwargs, device=device)


def unwrap_compiled(module: nn.Module) -> nn.Module:
    """Return the original of a module that `torch.compile` wrapped; other modules as they are."""
    if type(module).__name__ != "OptimizedModule":  # importing its class would import the compiler
        return module
    original: nn.Module = module._orig_mod  # type: ignore[assignment]
    return original


def cast_module(module: nn.Module, dtype: torch.dtype | None) -> nn.Module:
    """Cast a module's floating parameters and buffers in place; complex ones stay."""
    if dtype is None:
        return module
    cast: nn.Module = module._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)
    return cast


def unwrap_exported(target: Any) -> Any:
    """Return the module of a program that `torch.export` made; anything else as it is."""
    kind = type(target)  # importing its class takes long
    exported = kind.__module__ == "torch.export.exported_program"
    return target.module() if exported and kind.__name__ == "ExportedProgram" else target


def is_fake(tensor: Tensor) -> bool:
    """Return whether a tensor is of a `FakeTensorMode`: it has a shape and a device only."""
    return type(tensor).__name__ == "FakeTensor"  # importing its class would import the compiler


def tensors_of(module: nn.Module | None) -> tuple[Tensor, ...]:
    """Return a module's parameters and buffers."""
    return () if module is None else (*module.parameters(), *module.buffers())


def _device_of(module: nn.Module | None, arguments: Any) -> torch.device:
    """Return the device of the first tensor; not all of a large model's have to be gone through."""
    stored = () if module is None else chain(module.parameters(), module.buffers())
    first = next(chain(stored, tensors_in(arguments)), None)
    return CPU if first is None else first.device


def tensors_in(arguments: Any) -> tuple[Tensor, ...]:
    """Return the tensors among arguments, however they are nested."""
    return tuple(leaf for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor))


def check_arguments(call: Call) -> None:
    """Refuse arguments that the function does not take, before anything is run.

    Raises:
        UsageError: an argument is missing, or there is no parameter for it.
    """
    signature = find_signature(_signed(call))
    if signature is None:
        return  # built-in functions have none: calling them will show
    try:
        signature.bind(*call.args, **call.kwargs)
    except TypeError as error:
        name = call.title if call.module is None else f"{call.method} of {call.title}"
        raise UsageError(
            f"the arguments do not fit {name}: {error}",
            f"It takes {describe_parameters(signature)}: pass tensors, such as torch.zeros(1, 3).",
            field=_first_missing(signature, call),
        ) from None


def refuse_ambiguous(call: Call, given: Mapping[str, Any], verb: str) -> None:
    """Refuse an option of ours that the function takes under the same name.

    Args:
        call: what is counted or measured.
        given: the options that were passed, by name.
        verb: the public function, for the message.

    Raises:
        UsageError: nothing says whose argument it is.
    """
    signature = find_signature(_signed(call))
    for name in given:
        if signature is not None and name in signature.parameters:
            raise UsageError(
                f"`{name}` is an option of {verb}() and a parameter of {call.title} too",
                f"Pass the model's own in a call: {verb}(inspect_cost.Call.of(model, ..., "
                f"{name}=...)); options of {verb}() then follow it.",
                field=name,
            )


def describe_parameters(signature: inspect.Signature) -> str:
    """Return a function's parameters as a reader wants them: x, lengths (optional)."""
    names = [
        name if p.default is p.empty else f"{name} (optional)"
        for name, p in signature.parameters.items()
        if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
    ]
    return ", ".join(names) or "no arguments"


def _first_missing(signature: inspect.Signature, call: Call) -> str:
    """Return the name of the first parameter that an argument is missing for, or ""."""
    try:
        given = signature.bind_partial(*call.args, **call.kwargs).arguments
    except TypeError:  # an argument without a parameter, which has no name to give
        return ""
    needed = (
        name
        for name, p in signature.parameters.items()
        if p.default is p.empty and p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
    )
    return next((name for name in needed if name not in given), "")


def _signed(call: Call) -> Callable[..., Any]:
    """Return what has the signature: a module's forward."""
    if isinstance(call.function, nn.Module):
        return unwrap_compiled(call.function).forward
    return call.function


def _name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function, or of an object's class."""
    try:
        return str(function.__name__)
    except Exception:  # noqa: BLE001 - whatever an object's own look-up of attributes raises
        return type(function).__name__


def refuse_asynchronous(result: Any) -> None:
    """Refuse a result that has to be awaited, of which nothing has run.

    Raises:
        UsageError: it is one.
    """
    if inspect.iscoroutine(result):
        result.close()
    elif not inspect.isasyncgen(result):
        return
    raise UsageError(
        "the call is asynchronous: nothing of it runs before it is awaited",
        "Pass a function that awaits it, such as lambda: asyncio.run(pipeline(x)).",
    )


def _module_behind(function: Callable[..., Any]) -> nn.Module | None:
    if isinstance(function, MethodType) and isinstance(function.__self__, nn.Module):
        return function.__self__ if _name_of_method(function) else None
    return None


def _name_of_method(method: Any) -> str | None:
    """Return the name under which a module has a method; None if it was bound by hand.

    It need not be the method's own: that of an alias or of a decorator's wrapper is another.
    """
    module, function = method.__self__, method.__func__
    name = str(getattr(function, "__name__", ""))
    if getattr(getattr(module, name, None), "__func__", None) is function:
        return name
    places = (vars(module), *(vars(kind) for kind in type(module).__mro__))
    members = (item for place in places for item in place.items())
    found = (name for name, member in members if getattr(member, "__func__", member) is function)
    return next(found, None)


def _must_move(module: nn.Module, place: torch.device | None, dtype: torch.dtype | None) -> bool:
    tensors = tensors_of(module)
    elsewhere = place is not None and any(t.device != place for t in tensors)
    other = dtype is not None and any(t.is_floating_point() and t.dtype != dtype for t in tensors)
    return elsewhere or other


def _is_single(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.dtype == torch.float32


def _own_copy(leaf: Any, place: torch.device | None, dtype: torch.dtype | None) -> Any:
    if not isinstance(leaf, Tensor):
        return leaf
    cast = dtype if dtype is not None and _is_single(leaf) else leaf.dtype
    copied = leaf.detach().to(device=place or leaf.device, dtype=cast, copy=True)
    return copied.requires_grad_(leaf.requires_grad)  # a forward may ask for its gradient


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Put a module and those inside it in eval mode, and restore each one's mode afterwards."""
    training = [(each, each.training) for each in module.modules()]
    set_eval(module)
    try:
        yield
    finally:
        for each, mode in training:
            each.training = mode


def set_eval(module: AnyModule) -> AnyModule:
    """Put a module in eval mode, and return it."""
    try:
        return module.eval()
    except NotImplementedError:
        return set_mode(module, training=False)


def set_mode(module: AnyModule, *, training: bool) -> AnyModule:
    """Put a module and those inside it in a mode, and return it.

    Exported modules refuse that, as they do the same in both: they are marked only.
    """
    try:
        return nn.Module.train(module, training)
    except NotImplementedError:
        module.training = training
        for child in module.children():
            set_mode(child, training=training)
        return module
