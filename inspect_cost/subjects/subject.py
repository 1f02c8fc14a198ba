"""`Subject`: what a user names, and what every kind of it can be asked for.

Subjects are frozen and can be pickled, so that a fresh process, or another machine, can open them.
Making one is cheap and imports no torch; counting or running it does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from inspect_cost.calls.inputs import InputSpec
from inspect_cost.values.errors import Unsupported, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from inspect_cost.calls.call import Call
    from inspect_cost.counting.law import CostLaw
    from inspect_cost.counting.options import CountOptions
    from inspect_cost.counting.report import CostReport
    from inspect_cost.exporting.onnx import Exported
    from inspect_cost.measuring.workload import Workload
    from inspect_cost.values.identity import Identity, Phase


@dataclass(frozen=True)
class Request:
    """What a user asks for, before anybody knows what kind of thing the name is.

    Attributes:
        name: "flowavenet", "net.py:Net", "model.onnx".
        input_len: samples to generate, or the L in the shapes of inputs; None unless given.
        inputs: shapes or values of inputs.
        axes: name of an axis in those shapes, or one that a file leaves open -> its size.
        settings: values of a configuration that differ from the published ones.
        trip_counts: name of a Loop of an ONNX graph -> how often it runs.
        batch: inferences in one call.
        verify: whether the count of an ONNX file is compared with what onnxruntime executes.
        shared: whether several subjects are given the same, each of which takes what it has.
    """

    name: str
    input_len: int | None = None
    inputs: tuple[InputSpec, ...] = ()
    axes: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    trip_counts: Mapping[str, int] = field(default_factory=dict)
    batch: int = 1
    verify: bool = False
    shared: bool = False

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the parameters that were given beside the name."""
        defaults = Request("")
        names = ("input_len", "inputs", "axes", "settings", "trip_counts", "batch", "verify")
        return tuple(n for n in names if getattr(self, n) != getattr(defaults, n))

    def check(self) -> None:
        """Refuse sizes below 1, which would give a report on nothing.

        Raises:
            UsageError: `input_len` or `batch` is one.
        """
        for name in ("input_len", "batch"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise UsageError(
                    f"`{name}` {size} is not above 0", "Give a whole number from 1.", field=name
                )


@dataclass(frozen=True)
class Conditions:
    """Conditions that a call runs under.

    Attributes:
        device: "cpu", "cuda:1".
        dtype: type of parameters and float32 inputs, by name; None for the model's own.
        threads: CPU threads; None for torch's choice.
        seed: seed of random weights and inputs.
    """

    device: str = "cpu"
    dtype: str | None = None
    threads: int | None = None
    seed: int = 0


class Subject(Protocol):
    """What a user names. What a kind cannot do, it refuses with `Unsupported`."""

    @property
    def identity(self) -> "Identity":
        """Name, title and source; a title of "" stands for the model's class."""

    @property
    def phases(self) -> tuple["Phase", ...]:
        """The kinds of call that it makes, usually one."""

    def count(self, phase: "Phase", options: "CountOptions") -> "CostReport":
        """Count one call of a phase."""

    def law(self, phase: "Phase", options: "CountOptions", period: int | None = None) -> "CostLaw":
        """Find the cost of a phase as a polynomial in the length."""

    def call(self, phase: "Phase", conditions: Conditions) -> "Call":
        """Make the call of a phase with real values."""

    def workload(self, phase: "Phase", conditions: Conditions) -> "Workload":
        """Describe the call of a phase for measuring."""

    def peer_call(self, phase: "Phase") -> "Call":
        """Make the call of a phase for other counters, without values if possible."""

    def export(
        self, phase: "Phase", output: "Path", *, weights: "Path | None" = None, seed: int = 0
    ) -> "Exported":
        """Write the call of a phase as an ONNX file."""


@dataclass(frozen=True)
class SubjectKind:
    """One kind of subject.

    Attributes:
        title: the kind in words: "presets of the zoo".
        written: how a name of this kind is written, for messages.
        claims: whether a name is of this kind.
        takes: the parameters of a `Request` that make sense for it.
        make: makes the subject.
        refusals: parameter that makes no sense for it -> what is wrong, and what to do instead;
            {name} stands for the subject's.
        names: the names of this kind that are known, for near matches.
    """

    title: str
    written: str
    claims: Callable[[str], bool]
    takes: frozenset[str]
    make: Callable[[Request], Subject]
    refusals: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    names: Callable[[], Sequence[str]] = tuple

    def open(self, request: Request) -> Subject:
        """Make the subject that a request names.

        Raises:
            UsageError: a size is below 1; as `Unsupported`, a parameter was given that makes no
                sense for this kind.
        """
        for parameter in request.given:
            if parameter not in self.takes:
                raise self.refuse(parameter, request.name)
        request.check()
        return self.make(request)

    def refuse(self, parameter: str, name: str) -> Unsupported:
        """Return the error that a parameter makes no sense for a subject of this kind."""
        default = (f"`{parameter}` is not for {self.title}", f"Leave `{parameter}` out.")
        message, advice = self.refusals.get(parameter, default)
        return Unsupported(message.format(name=name), advice, field=parameter)


def load_late(home: str, name: str) -> Callable[[Request], Subject]:
    """Return a function that makes a subject of a class which is imported only then.

    Args:
        home: the module, which may import torch.
        name: the class in it; its classmethod ``of`` takes a `Request`.
    """

    def make(request: Request) -> Subject:
        made: Subject = getattr(import_module(home), name).of(request)
        return made

    return make


def describe_batch(batch: int) -> str:
    """Return a batch of more than one in words."""
    return f", {batch:,} in a batch" if batch > 1 else ""
