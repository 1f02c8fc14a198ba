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

from inspect_cost.calls.call import unwrap_exported
from inspect_cost.values.errors import UsageError


def named_object(spec: str) -> object:
    """What a ``module:name`` or ``file.py:name`` refers to.

    Raises:
        UsageError: there is no such file, module or name, or importing it fails.
    """
    place, _, name = spec.rpartition(":")
    module = _from_file(Path(place)) if place.endswith(".py") else _from_import(place)
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{place} has no {name!r}", _candidates(module))
        found = getattr(found, part)
    return found


def model_factory(spec: str) -> Callable[[], nn.Module]:
    """A function that makes the model, from a class, a factory or an instance of `nn.Module`.

    Raises:
        UsageError: as `named_object`, or what it finds makes no module; also from the factory.
    """
    found = unwrap_exported(named_object(spec))
    if isinstance(found, nn.Module):
        return lambda: found
    if not callable(found):
        raise UsageError(
            f"{spec} is neither a class nor a function but {type(found).__name__}",
            "Name a torch.nn.Module class, or a function without arguments that returns one.",
        )
    return lambda: _made(found, spec)


def _made(factory: Callable[..., Any], spec: str) -> nn.Module:
    try:
        model = unwrap_exported(factory())
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{spec}() raised {shortened(error)}", _arguments(factory)) from error
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{spec}() returned {type(model).__name__}, not a torch.nn.Module",
            "Return the module itself.",
        )
    return model


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "Give a path from the current folder.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be loaded as Python", "Name a .py file.")
    # As for `python file.py`: what lies beside the file can be imported by it.
    sys.path.insert(0, str(path.resolve().parent))
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look a class's module up by name.
    sys.modules.setdefault(path.stem, module)
    loader = spec.loader

    def load() -> ModuleType:
        loader.exec_module(module)
        return module

    return _imported(load, str(path))


def _from_import(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    return _imported(lambda: importlib.import_module(name), name)


def _imported(load: Callable[[], ModuleType], name: str) -> ModuleType:
    try:
        return load()
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{name} cannot be imported: {shortened(error)}",
            "Mend the error, or run from the folder that the module is in.",
        ) from error


def _candidates(module: ModuleType) -> str:
    own = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, nn.Module)
        and value.__module__ == module.__name__
    ]
    return f"Its modules are {', '.join(own)}." if own else "Name a class or a function in it."


def _arguments(factory: Callable[..., Any]) -> str:
    try:
        required = [
            p.name
            for p in inspect.signature(factory).parameters.values()
            if p.default is p.empty and p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY}
        ]
    except (TypeError, ValueError):
        required = []
    if not required:
        return "Mend the error, then try again."
    return f"It needs {', '.join(required)}: name a function without arguments that gives them."


def shortened(error: BaseException, longest: int = 300) -> str:
    """An error's type and the first line of what it says."""
    text = str(error).strip().partition("\n")[0]
    text = text if len(text) <= longest else text[:longest] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
