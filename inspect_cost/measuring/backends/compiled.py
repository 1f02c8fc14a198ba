"""The call compiled by `torch.compile`."""

import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from io import StringIO

import torch

from inspect_cost.calls.call import Call
from inspect_cost.measuring.backends.setup import Setup, SetupTimeoutError, try_call
from inspect_cost.measuring.measure import without_wrapper
from inspect_cost.measuring.protocol.time_limit import TimeLimitError, time_limit
from inspect_cost.values.errors import MeasurementError

CPP_COMPILERS = ("g++", "clang++", "c++", "cl")


def prepare(call: Call, setup: Setup) -> Call:
    """Return the compiled call; it is compiled here, outside of all windows.

    Raises:
        MeasurementError: there is no C++ compiler, or the call cannot be compiled.
        SetupTimeoutError: it cannot be compiled in the time given.
    """
    if call.device.type == "cpu" and not _find_cpp_compiler():
        raise MeasurementError("torch.compile needs a C++ compiler, and none is here: install g++")
    with _quiet():
        torch.compiler.reset()
        direct = without_wrapper(call)
        ready = replace(direct, function=torch.compile(direct.function))
        try:
            with ready.inference(setup.threads), time_limit(setup.limit_s):
                try_call(ready, "torch.compile")
        except TimeLimitError:
            torch.compiler.reset()
            raise SetupTimeoutError("torch.compile", setup.limit_s) from None
    return ready


def _find_cpp_compiler() -> str | None:
    named = os.environ.get("CXX")
    candidates = (named,) if named else CPP_COMPILERS
    return next((path for name in candidates if (path := shutil.which(name))), None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the compiler's warnings and prints: what matters is raised."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
