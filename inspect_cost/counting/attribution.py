"""Telling which module an operator belongs to: the innermost whose method is running.

All methods of a module count, not `forward` alone: a flow's `inverse`, a decoder's `step`.
"""

import functools
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from torch import nn

from inspect_cost.counting.ledger import Ledger

#: Is told what a method returned, and the path of its module.
Returned = Callable[[Any, str], None]


def attribute_methods(model: nn.Module, ledger: Ledger, returned: Returned | None = None) -> None:
    """Make every method of every module of ``model`` say to the ledger when it runs.

    The modules are changed, so this is for a stand-in, never for the caller's model.
    """
    for path, module in model.named_modules():
        for name in _own_methods(type(module)):
            method = getattr(module, name)
            # Into the instance, past nn.Module.__setattr__, where it shadows the class's method.
            vars(module)[name] = _announced(method, path, ledger, returned)


def _own_methods(kind: type[nn.Module]) -> Iterator[str]:
    """Names of the plain methods that a class and its bases add to `nn.Module`."""
    own = {
        name
        for base in kind.__mro__
        if base not in nn.Module.__mro__
        for name, value in vars(base).items()
        if isinstance(value, FunctionType) and not name.startswith("__")
    }
    yield from own - vars(nn.Module).keys() | ({"forward"} & own)


def _announced(
    method: Callable[..., Any], path: str, ledger: Ledger, returned: Returned | None
) -> Callable[..., Any]:
    @functools.wraps(method)
    def announced(*args: Any, **kwargs: Any) -> Any:
        with ledger.inside(path):
            out = method(*args, **kwargs)
        if returned:
            returned(out, path)
        return out

    return announced
