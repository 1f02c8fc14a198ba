"""A user's own model: ``package.module:Net`` or ``path/to/file.py:make_model``."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import torch
from torch import nn

from inspect_cost.calls.call import Call, describe_parameters, set_eval
from inspect_cost.calls.inputs import InputSpec, make_arguments
from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.building import build
from inspect_cost.counting.torch.count import count_call
from inspect_cost.counting.torch.failures import explain_obstacle
from inspect_cost.counting.torch.law_search import cost_law
from inspect_cost.measuring.workload import Workload
from inspect_cost.subjects.loading import find_factory
from inspect_cost.subjects.subject import Conditions, Request, describe_batch
from inspect_cost.values.errors import CountError, NoLawError, Unsupported, UsageError
from inspect_cost.values.identity import Identity, Phase
from inspect_cost.values.notes import Note

if TYPE_CHECKING:
    from inspect_cost.exporting.onnx import Exported

T = TypeVar("T")


@dataclass(frozen=True)
class PythonSubject:
    """One forward of a module that the user's code makes.

    Attributes:
        name: where the model is: "file.py:make_model".
        inputs: inputs of its forward.
        input_len: the L in their shapes.
        batch: copies of each input along its first dimension.
        axes: sizes of other names in their shapes.
    """

    name: str
    inputs: tuple[InputSpec, ...] = ()
    input_len: int | None = None
    batch: int = 1
    axes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Request) -> Self:
        """Make the subject that a request names.

        Raises:
            UsageError: no shape has an axis that is given a size.
        """
        named = {size for spec in request.inputs for size in spec.shape}
        for axis in request.axes:
            if axis not in named and not request.shared:
                raise UsageError(
                    f"no shape of an input has an axis {axis}",
                    f"Write its name in a shape, such as ids={axis},L:int64.",
                    field="axes",
                )
        return cls(
            request.name, request.inputs, request.input_len, request.batch, dict(request.axes)
        )

    @property
    def identity(self) -> Identity:
        """Its name; its title is that of the module's class, which nobody knows yet."""
        return Identity(self.name, "")

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Its forward."""
        shapes = ", ".join(map(str, self.inputs)) or "no inputs"
        given = self.input_len is not None and self._has_length
        length = f", L = {self.input_len:,}" if given else ""
        length += "".join(f", {name} = {size:,}" for name, size in self.axes.items())
        return (Phase(description=f"forward of {shapes}{length}{describe_batch(self.batch)}"),)

    def count(self, phase: Phase, options: CountOptions) -> CostReport:
        """Count the forward, of a model made without weights if its factory can do without.

        Raises:
            UsageError: the model cannot be made, or the inputs do not fit its forward.
            CountError: the forward fails.
        """
        del phase
        return self._with_model(lambda model: count_call(self._forward(model), options))

    def law(self, phase: Phase, options: CountOptions, period: int | None = None) -> CostLaw:
        """Find the cost as a polynomial in the L of the inputs' shapes.

        Raises:
            UsageError: as of `count`, or no shape has an L.
            CountError: the forward fails, or no law holds.
        """
        del phase
        if not self._has_length:
            raise UsageError(
                f"no input of {self.name} has a length to find a law in",
                "Write L for it in a shape, such as 1,80,L.",
                field="inputs",
            )

        def find_law(model: nn.Module) -> CostLaw:
            forward = partial(self._forward, model)
            if self.input_len is None:
                forward(1)
            return cost_law(
                set_eval(model), forward, period=period, at=self.input_len, **vars(options)
            )

        return self._with_model(find_law)

    def call(self, phase: Phase, conditions: Conditions) -> Call:
        """Make the forward of the model as its factory makes it.

        Raises:
            UsageError: an input is too large to be given values, or the model has none.
        """
        del phase
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(conditions.seed)
            model = find_factory(self.name)()
        args, kwargs = make_arguments(self.inputs, self.input_len, self.batch, self.axes)
        if any(getattr(value, "is_meta", False) for value in (*args, *kwargs.values())):
            raise UsageError(
                "an input is so large that it has a shape only",
                "Give a smaller one.",
                field="inputs",
            )
        return Call.of(model, *args, **kwargs).to(conditions.device, conditions.dtype)

    def workload(self, phase: Phase, conditions: Conditions) -> Workload:
        """Describe the forward for measuring."""
        return Workload(
            make=partial(self.call, phase, conditions),
            output=phase.output,
            batch=self.batch,
            device=conditions.device,
        )

    def peer_call(self, phase: Phase) -> Call:
        """Make the forward of a model without weights if it can be made so."""
        del phase
        make = find_factory(self.name)
        try:
            model = build(make)
        except UsageError:
            model = make()
        remake = lambda: self._forward(make())  # noqa: E731 - a forked process calls it
        return replace(self._forward(model), remake=remake)

    def export(
        self, phase: Phase, output: Path, *, weights: Path | None = None, seed: int = 0
    ) -> "Exported":
        """Write one forward as an ONNX file.

        Raises:
            UsageError: the model cannot be made, or weights are given.
            CountError: its forward fails, or the exporter cannot do it.
        """
        # The exporter, and onnxruntime with it, is loaded only here.
        from inspect_cost.exporting.onnx import export_call  # noqa: PLC0415

        if weights is not None:
            raise Unsupported(
                "`weights` is for presets of the zoo", "Load them in your factory.", field="weights"
            )
        shapes = ", ".join(map(str, self.inputs)) or "no inputs"
        call = self.call(phase, Conditions(seed=seed))
        return export_call(call, output, f"one forward of {shapes}")

    @property
    def _has_length(self) -> bool:
        return any(None in spec.shape for spec in self.inputs)

    def _forward(self, model: nn.Module, length: int | None = None) -> Call:
        """Make the call of a model's forward; refuse inputs that it does not take."""
        args, kwargs = make_arguments(self.inputs, length or self.input_len, self.batch, self.axes)
        call = Call.of(set_eval(model), *args, **kwargs)
        _check_inputs(self.name, call)
        return call

    def _with_model(self, use: Callable[[nn.Module], T]) -> T:
        """Use the model; an error of its forward names the inputs."""
        try:
            return _without_values_first(find_factory(self.name), use)
        except NoLawError:
            raise
        except CountError as error:
            where = f" in {error.module_path}" if error.module_path else ""
            given = ", ".join(map(str, self.inputs)) or "none"
            raise CountError(
                f"the forward of {self.name} failed{where}: {error}",
                f"The inputs were: {given}. Give others as `inputs`, [name=]SHAPE[:dtype].",
            ) from error


def _without_values_first(make: Callable[[], nn.Module], use: Callable[[nn.Module], T]) -> T:
    """Make the model without its weights if that works, else as the user would."""
    reason = ""
    try:
        return use(build(make))
    except UsageError as error:
        # The user's code is at fault, or cannot do without values: made for real, it shows which.
        if not isinstance(error.__cause__, Exception):
            raise
        reason = explain_obstacle(error)
    except NoLawError:
        raise
    except CountError:
        pass
    result = use(make())
    if reason and isinstance(result, CostReport):
        text = f"The model was built with its weights, because without them: {reason}."
        return replace(result, notes=(*result.notes, Note("real-weights", text)))
    return result


def _check_inputs(name: str, call: Call) -> None:
    """Refuse inputs that the forward does not take, naming those that it wants."""
    try:
        signature = inspect.signature(call.function.forward)  # type: ignore[attr-defined]  # a module
    except (TypeError, ValueError):
        return  # a forward without a signature: calling it will show
    try:
        signature.bind(*call.args, **call.kwargs)
    except TypeError as error:
        raise UsageError(
            f"the inputs do not fit the forward of {name}: {error}",
            f"It takes {describe_parameters(signature)}; give each as an `inputs` entry, "
            "[name=]SHAPE[:dtype].",
            field="inputs",
        ) from None
