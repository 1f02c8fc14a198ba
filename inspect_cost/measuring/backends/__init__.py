"""Backends: means of making the same call. Each is a module with a function `prepare`.

This file imports no torch, so that the command line knows the names without loading it.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspect_cost.calls.call import Call
    from inspect_cost.measuring.backends.setup import Setup

    Prepare = Callable[[Call, Setup], Call]

#: Name of a backend -> the module here that prepares calls for it.
BACKENDS: Mapping[str, str] = MappingProxyType(
    {"eager": "eager", "compile": "compiled", "onnxruntime": "onnxruntime"}
)


def load_backend(name: str) -> "Prepare":
    """Return a backend's function from a call as it is written to the same call by that backend."""
    prepare: Prepare = import_module(f"{__name__}.{BACKENDS[name]}").prepare
    return prepare
