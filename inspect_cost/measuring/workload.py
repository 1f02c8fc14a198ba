"""`Workload`: a call that can be made anew wherever it is measured, and what it yields."""

from collections.abc import Callable
from dataclasses import dataclass

from inspect_cost.calls.call import Call
from inspect_cost.values.identity import Output
from inspect_cost.values.notes import Note


@dataclass(frozen=True)
class Pilot:
    """A shorter version of a call, tried first to predict the time and memory of the whole.

    Attributes:
        make: makes the shorter call; it can be pickled.
        ratio: time of the whole call over that of this one; memory grows alike.
        description: the shorter call in words: "a pilot of 512 samples".
    """

    make: Callable[[], Call]
    ratio: float
    description: str


@dataclass(frozen=True)
class Workload:
    """What is measured; it can be pickled.

    Attributes:
        make: makes the call, here and in fresh processes.
        output: what one call yields; None if nobody said.
        batch: inferences in one call.
        device: where it runs.
        native_backend: the backend that runs the call as `make` makes it.
        stepwise: whether it makes one element after another; other backends would unroll every
            step. The model reports how far a call is if it has an attribute ``progress``.
        pilot: a shorter call to try first; None if the whole is known to be short.
        notes: in what the call differs from the one that is counted.
    """

    make: Callable[[], Call]
    output: Output | None = None
    batch: int = 1
    device: str = "cpu"
    native_backend: str = "eager"
    stepwise: bool = False
    pilot: Pilot | None = None
    notes: tuple[Note, ...] = ()

    @property
    def audio_s(self) -> float | None:
        """Seconds of audio that one call makes, a batch together; None if it makes none."""
        return self.output.units if self.output is not None and self.output.is_audio else None
