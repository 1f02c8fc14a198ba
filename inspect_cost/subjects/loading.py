"""Finding a user's own model: ``package.module:Net`` or ``path/to/file.py:make_model``.

Both run the user's code; nothing else in this package does.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from inspect_cost.values.errors import UsageError, one_line


def find_object(spec: str) -> object:
    """Return what a ``module:name`` or ``file.py:name`` refers to.

    Raises:
        UsageError: there is no such file, module or name, or importing it fails.
    """
    place, _, name = spec.rpartition(":")
    module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{place} has no {name!r}", _list_models(module))
        found = getattr(found, part)
    return found


def find_factory(spec: str) -> Callable[[], nn.Module]:
    """Return a function that makes the model that a class, a factory or an instance stands for.

    Raises:
        UsageError: it cannot be found or called; the function that is returned raises it if
            making the model fails, or makes something else.
    """
    found = find_object(spec)
    if isinstance(found, nn.Module):
        return lambda: found
    if not callable(found):
        raise UsageError(
            f"{spec} is neither a class nor a function but {type(found).__name__}",
            "Name a torch.nn.Module class, or a function without arguments that returns one.",
        )
    return lambda: _make_model(found, spec)


def _make_model(factory: Callable[..., Any], spec: str) -> nn.Module:
    try:
        model = factory()
    except UsageError:
        raise
    except Exception as error:
        message = f"{spec}() raised {one_line(error)}"
        raise UsageError(message, _advise_on_arguments(factory)) from error
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{spec}() returned {type(model).__name__}, not a torch.nn.Module",
            "Return the module itself.",
        )
    return model


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "Give a path from the current folder.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be loaded as Python", "Name a .py file.")
    # As with `python file.py`, the file can import what lies beside it.
    sys.path.insert(0, str(path.resolve().parent))
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look a class's module up by name.
    sys.modules.setdefault(path.stem, module)
    loader = spec.loader

    def load() -> ModuleType:
        loader.exec_module(module)
        return module

    return _call_import(load, str(path))


def _import_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    return _call_import(lambda: importlib.import_module(name), name)


def _call_import(load: Callable[[], ModuleType], name: str) -> ModuleType:
    try:
        return load()
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{name} cannot be imported: {one_line(error)}",
            "Fix the error, or run from the folder that the module is in.",
        ) from error


def _list_models(module: ModuleType) -> str:
    own = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, nn.Module)
        and value.__module__ == module.__name__
    ]
    return f"Its modules are {', '.join(own)}." if own else "Name a class or a function in it."


def _advise_on_arguments(factory: Callable[..., Any]) -> str:
    try:
        required = [
            p.name
            for p in inspect.signature(factory).parameters.values()
            if p.default is p.empty and p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY}
        ]
    except (TypeError, ValueError):
        required = []
    if not required:
        return "Fix the error, then try again."
    return f"It needs {', '.join(required)}: name a function without arguments that gives them."
