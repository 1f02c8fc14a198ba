"""The process stays as it was: random states and compilation, on one thread or on many."""

import gc
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
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
def _preserve_random_states() -> Iterator[None]:
    """Let Python's, NumPy's and torch's generators continue as if nothing had been drawn."""
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
def _force_eager() -> Iterator[None]:
    """Run functions under `torch.compile` as they were written.

    Nothing can have been compiled where the compiler was never imported; importing it takes
    longer than most counts.
    """
    if COMPILER not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def run_eagerly(call: Callable[[], T]) -> T:
    """Call; again, with the compiler told to stay out, if only the call imported it.

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
def _preserve_dispatch_flags() -> Iterator[None]:
    """Restore torch's record of active dispatch modes, which modes on two threads leave wrong.

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
def _pause_garbage_collection() -> Iterator[None]:
    """Pause the search for garbage: a count makes many small objects that it keeps.

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


class _Depth:
    """How deeply Python code may nest: a copy of a model takes more than the model itself.

    Attributes:
        usual: the process's limit before any count.
    """

    #: Frames that copying a module takes for each that running it takes, rounded up.
    PREPARING = 5
    #: A module's call takes three frames, and one more of ours when it is counted.
    RUNNING = 4 / 3
    #: Frames for our own rules and shapes below the innermost module.
    SPARE = 100

    usual = sys.getrecursionlimit()

    @classmethod
    @contextmanager
    def raised(cls) -> Iterator[None]:
        """Allow what prepares and finishes a count."""
        cls.usual = sys.getrecursionlimit()
        sys.setrecursionlimit(cls.PREPARING * cls.usual)
        try:
            yield
        finally:
            sys.setrecursionlimit(cls.usual)

    @classmethod
    @contextmanager
    def as_usual(cls) -> Iterator[None]:
        """Allow the model what it may take without a count."""
        sys.setrecursionlimit(int(cls.RUNNING * cls.usual) + cls.SPARE)
        try:
            yield
        finally:
            sys.setrecursionlimit(cls.PREPARING * cls.usual)

    @classmethod
    @contextmanager
    def of_model(cls) -> Iterator[None]:
        """Allow code of the user's what it may take without our frames between its own."""
        before = sys.getrecursionlimit()
        raised = int(cls.RUNNING * before) + cls.SPARE
        sys.setrecursionlimit(raised)
        try:
            yield
        finally:
            if sys.getrecursionlimit() == raised:  # the code may have set another
                sys.setrecursionlimit(before)


run_as_deep_as_usual = _Depth.as_usual


@contextmanager
def refuse_depth() -> Iterator[None]:
    """Turn an overflow of Python's stack into an error that says what to do.

    Raises:
        CountError: there was one.
    """
    try:
        yield
    except RecursionError as error:
        raise CountError(
            "the call nests more deeply than Python allows",
            "Nest fewer modules in one another, or allow more by sys.setrecursionlimit().",
        ) from error


@contextmanager
def _preserve() -> Iterator[None]:
    with (
        _Depth.raised(),
        _preserve_random_states(),
        _preserve_dispatch_flags(),
        _force_eager(),
        _pause_garbage_collection(),
    ):
        yield


_PRESERVED = Shared(_preserve)


def preserve_process_state() -> AbstractContextManager[object]:
    """Return a context that restores random states, the compiler's stance and flags of torch.

    Overlapping counts on several threads share it.
    """
    return _PRESERVED


@contextmanager
def _preserve_around_block() -> Iterator[None]:
    with _Depth.of_model(), _preserve_dispatch_flags(), _force_eager():
        yield


_AROUND_BLOCKS = Shared(_preserve_around_block)


def surround_block() -> AbstractContextManager[object]:
    """Return a context for code that is counted while it runs: without the compiler, and as deep.

    Overlapping blocks on several threads share it.
    """
    return _AROUND_BLOCKS


_COUNTING = ContextVar("counting", default=False)


@contextmanager
def mark_counting() -> Iterator[None]:
    """Mark what runs in this context, on this thread, as the work of a count."""
    token = _COUNTING.set(True)
    try:
        yield
    finally:
        _COUNTING.reset(token)


def is_counting() -> bool:
    """Return whether a count is at work on this thread, of which a block around it is no part."""
    return _COUNTING.get()
