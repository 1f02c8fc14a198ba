"""A plain function as a module, so that what it refers to is counted, copied and put in eval mode.

``lambda x: decoder(encoder(x))`` holds two modules in its closure. As children of a module they
have paths, parameters and modes; a copy of that module runs the function on the copies.
"""

from collections.abc import Callable, Iterator
from types import CellType, FunctionType, MethodType
from typing import Any

from torch import nn


class FunctionModule(nn.Module):
    """A module whose forward is a function; the modules that the function names are its children.

    Attributes:
        function: the function.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        super().__init__()
        self.function = function
        self._title = name
        for child, module in referenced_modules(function):
            # Past add_module(), which refuses names such as "forward".
            self._modules[child] = module

    @property
    def bound(self) -> Callable[..., Any]:
        """The function itself, or one that refers to this module's children if they are copies."""
        children = {name: child for name, child in self._modules.items() if child is not None}
        if all(children.get(name) is module for name, module in referenced_modules(self.function)):
            return self.function
        return rebind(self.function, children)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function on this module's children."""
        return self.bound(*args, **kwargs)

    def _get_name(self) -> str:
        return self._title


def referenced_modules(function: Callable[..., Any]) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules that a function refers to by name: in its closure, then among globals."""
    plain = function.__func__ if isinstance(function, MethodType) else function
    if not isinstance(plain, FunctionType):
        return
    for name, cell in zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=True):
        if isinstance(value := _content(cell), nn.Module):
            yield name, value
    for name in plain.__code__.co_names:
        if isinstance(value := plain.__globals__.get(name), nn.Module):
            yield name, value


def rebind(function: Callable[..., Any], modules: dict[str, nn.Module]) -> Callable[..., Any]:
    """Return a function that refers to other modules under the same names."""
    if isinstance(function, MethodType):
        return MethodType(rebind(function.__func__, modules), function.__self__)
    if not modules or not isinstance(function, FunctionType):
        return function
    code = function.__code__
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    closure = tuple(CellType(modules[n]) if n in modules else cell for n, cell in cells)
    named = {n: m for n, m in modules.items() if n in code.co_names}
    space = {**function.__globals__, **named} if named else function.__globals__
    made = FunctionType(code, space, function.__name__, function.__defaults__, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is not assigned yet
        return None
