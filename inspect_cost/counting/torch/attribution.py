"""Telling which module an operator belongs to: the innermost whose method is running.

All methods of a module count, not `forward` alone: a flow's `inverse`, a decoder's `step`.
"""

import functools
from collections.abc import Callable
from threading import get_ident
from types import FunctionType
from typing import Any

from torch import nn

from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.values.errors import UsageError

#: Is told what a method returned, and the path of its module.
OnReturn = Callable[[Any, str], None]


def attribute_methods(model: nn.Module, ledger: Ledger, on_return: OnReturn | None = None) -> None:
    """Make every method of every module of ``model`` say to the ledger when it runs.

    The modules are changed, so this is for a stand-in, never for the caller's model.
    """
    names: dict[type[nn.Module], set[str]] = {}
    for path, module in model.named_modules():
        kind = type(module)
        if kind not in names:
            names[kind] = _list_own_methods(kind)
        for name in names[kind]:
            method = getattr(module, name)
            # Into the instance, past nn.Module.__setattr__, where it shadows the class's method.
            vars(module)[name] = _wrap_method(method, path, ledger, on_return)


def make_off_thread_error(path: str) -> UsageError:
    """That a module was called where its operators cannot be followed."""
    return UsageError(
        f"{path or 'the model'} runs on a thread of its own, where operators cannot be followed",
        "Count a forward that calls it on the thread that it is called on itself.",
    )


def _list_own_methods(kind: type[nn.Module]) -> set[str]:
    """Names of the plain methods that a class and its bases add to `nn.Module`."""
    own = {
        name
        for base in kind.__mro__
        if base not in nn.Module.__mro__
        for name, value in vars(base).items()
        if isinstance(value, FunctionType) and not name.startswith("__")
    }
    return own - vars(nn.Module).keys() | ({"forward"} & own)


def _wrap_method(
    method: Callable[..., Any], path: str, ledger: Ledger, on_return: OnReturn | None
) -> Callable[..., Any]:
    thread = get_ident()

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if get_ident() != thread:
            ledger.off_thread_module = path
            raise make_off_thread_error(path)
        with ledger.inside(path):
            out = method(*args, **kwargs)
        if on_return:
            on_return(out, path)
        return out

    return wrapper
