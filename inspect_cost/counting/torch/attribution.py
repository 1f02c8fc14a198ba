"""Attribution of operators to modules: each belongs to the module of the innermost running method.

Every method of a module counts, not only `forward`: a flow's `inverse`, a decoder's `step`.
"""

import functools
from collections.abc import Callable, Generator
from dataclasses import dataclass
from threading import get_ident
from types import FunctionType, GeneratorType
from typing import Any

from torch import nn

from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.values.errors import UsageError


def attribute_methods(model: nn.Module, ledger: Ledger) -> None:
    """Make every method of every module of ``model`` report to the ledger while it runs.

    This changes the modules, so it is for a stand-in, never for the caller's model.
    """
    names: dict[type[nn.Module], set[str]] = {}
    for path, module in model.named_modules():
        kind = type(module)
        if kind not in names:
            names[kind] = list_own_methods(kind)
        for name in names[kind]:
            method = getattr(module, name)
            # Written to the instance directly, bypassing nn.Module.__setattr__: an instance
            # attribute shadows the class's method.
            vars(module)[name] = _wrap_method(method, path, ledger)


def make_off_thread_error(path: str) -> UsageError:
    """Return the error for a module that was called on another thread than the count's."""
    return UsageError(
        f"{path or 'the model'} runs on a separate thread, where its operators cannot be followed",
        "Count a forward that calls it on its own thread.",
    )


def list_own_methods(kind: type[nn.Module]) -> set[str]:
    """List the plain methods that a class and its bases add to `nn.Module`."""
    own = {
        name
        for base in kind.__mro__
        if base not in nn.Module.__mro__
        for name, value in vars(base).items()
        if isinstance(value, FunctionType) and not name.startswith("__")
    }
    return own - vars(nn.Module).keys() | ({"forward"} & own)


def _wrap_method(method: Callable[..., Any], path: str, ledger: Ledger) -> Callable[..., Any]:
    """Wrap a method so that it runs inside its module's entry in the ledger."""
    thread = get_ident()  # dispatch modes are per thread: elsewhere, operators would go unseen

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if get_ident() != thread:
            ledger.off_thread_module = path
            raise make_off_thread_error(path)
        with ledger.inside(path):
            out = method(*args, **kwargs)
        if type(out) is GeneratorType:
            return follow(out, _wrap_method(advance, path, ledger))
        return out

    return wrapper


@dataclass(frozen=True)
class _End:
    """The end of a generator, with the value that it returned."""

    value: Any


def follow(
    generator: Generator[Any, Any, Any], advance: Callable[..., Any]
) -> Generator[Any, Any, Any]:
    """Wrap a generator so that all that it does is done by ``advance``.

    It works when it is read, which may be in any other module than the one whose method made it.
    """
    step: Callable[[], Any] = functools.partial(next, generator)
    while True:
        made = advance(step)
        if isinstance(made, _End):
            return made.value
        try:
            sent = yield made.pop()  # so that nothing here keeps its memory
        except GeneratorExit:
            generator.close()
            raise
        except BaseException as error:  # noqa: BLE001 - the generator decides what to do with it
            step = functools.partial(generator.throw, error)
        else:
            step = functools.partial(generator.send, sent)


def advance(step: Callable[[], Any]) -> list[Any] | _End:
    """Return the next result of a generator in a list, or its end, which is no error."""
    try:
        return [step()]
    except StopIteration as end:
        return _End(end.value)
