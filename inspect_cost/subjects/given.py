"""A call that a program has in hand, for everything that subjects can be asked for."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from inspect_cost.calls.call import FORWARD, Call
from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.count import count_call
from inspect_cost.measuring.measure import prepare_call
from inspect_cost.measuring.workload import Workload
from inspect_cost.subjects.subject import Conditions
from inspect_cost.values.errors import Unsupported
from inspect_cost.values.identity import Identity, Output, Phase

if TYPE_CHECKING:
    from inspect_cost.exporting.onnx import Exported


@dataclass(frozen=True)
class GivenCall:
    """A call of the caller's own model, which has no name that could be resolved.

    Attributes:
        given: the call.
        output: what it yields; None if nobody said.
    """

    given: Call
    output: Output | None = None

    @property
    def identity(self) -> Identity:
        """The class of the model, or the name of the function."""
        return Identity(self.given.title, self.given.title)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The call, by its method and the shapes of its arguments."""
        method = "forward" if self.given.method == FORWARD else f"call of {self.given.method}"
        return (Phase(description=f"{method} of {self.given.shapes}", output=self.output),)

    def count(self, phase: Phase, options: CountOptions) -> CostReport:
        """Count it."""
        del phase
        return count_call(self.given, options)

    def law(self, phase: Phase, options: CountOptions, period: int | None = None) -> CostLaw:
        """Refuse: one call has one length."""
        del phase, options, period
        raise Unsupported(
            "one call has one length, and no law of it",
            "Give a function from a length to inputs: inspect_cost.cost_law(model, make_inputs).",
        )

    def call(self, phase: Phase, conditions: Conditions) -> Call:
        """Return it on a device and in a type."""
        del phase
        return prepare_call(self.given, conditions.device, conditions.dtype)

    def workload(self, phase: Phase, conditions: Conditions) -> Workload:
        """Describe it for measuring; fresh processes get it pickled."""
        return Workload(
            make=partial(self.call, phase, conditions),
            output=self.output,
            device=conditions.device,
        )

    def peer_call(self, phase: Phase) -> Call:
        """Return it with a module behind it."""
        del phase
        return self.given.as_module()

    def export(
        self, phase: Phase, output: Path, *, weights: Path | None = None, seed: int = 0
    ) -> "Exported":
        """Write it as an ONNX file."""
        # The exporter, and onnxruntime with it, is loaded only here.
        from inspect_cost.exporting.onnx import export_call  # noqa: PLC0415

        del weights, seed
        return export_call(self.given, output, phase.description)
