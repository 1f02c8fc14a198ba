"""Leaving the process as it was: random states and compilation, on one thread or on many."""

import gc
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Self, TypeVar

import torch
from torch.utils import _python_dispatch

from inspect_cost.values.errors import CountError

T = TypeVar("T")

COMPILER = "torch._dynamo"


class Shared:
    """A context manager of process-wide state that overlapping users share.

    The first user enters it and the last leaves it. If each entered it alone, one that leaves in
    between would restore the state under the others, and the last would restore theirs.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[None]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._users = 0
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        with self._lock:
            if not self._users:
                self._entered.enter_context(self._make())
            self._users += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._entered.close()


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """Python's, NumPy's and torch's generators continue afterwards as if nothing was drawn."""
    python, cpu = random.getstate(), torch.get_rng_state()
    numpy = sys.modules.get("numpy.random")  # where it was never imported, nothing is kept
    numpy_state = numpy.get_state() if numpy else None
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python)
        if numpy:
            numpy.set_state(numpy_state)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


@contextmanager
def _eager() -> Iterator[None]:
    """Functions under `torch.compile` run as they were written.

    Nothing can have been compiled where the compiler was never imported; importing it takes
    longer than most counts.
    """
    if COMPILER not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def eagerly(call: Callable[[], T]) -> T:
    """Call; once more, with the compiler told to stay out, if it was imported only meanwhile.

    `torch.cond` and its kin import and use it where they are first called.
    """
    imported = COMPILER in sys.modules
    try:
        return call()
    except CountError:
        if imported or COMPILER not in sys.modules:
            raise
    with torch.compiler.set_stance("force_eager"):
        return call()


@contextmanager
def _dispatch_flags_kept() -> Iterator[None]:
    """Torch's record that some dispatch mode is active, which modes on two threads leave wrong.

    Compiled code consults it, and would run uncompiled for the rest of the process.
    """
    flags = {name: flag for name, flag in vars(_python_dispatch).items() if _is_mode_flag(name)}
    try:
        yield
    finally:
        vars(_python_dispatch).update(flags)


def _is_mode_flag(name: str) -> bool:
    return name.startswith("_is_in_") and isinstance(vars(_python_dispatch)[name], bool)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Python searches for no garbage meanwhile: a count makes many small objects that it keeps.

    Each search would go through all of them again. Nor does what an activation's memory is held
    by then depend on when one happens.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _kept() -> Iterator[None]:
    with _random_states_kept(), _dispatch_flags_kept(), _eager(), _uncollected():
        yield


#: Process-wide state during a count.
UNTOUCHED = Shared(_kept)
