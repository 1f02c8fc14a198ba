"""ONNX files: one run of a graph, counted as it stands and run by onnxruntime.

Counting needs no torch, so what runs the file is loaded only when it is run.
"""
# ruff: noqa: PLC0415 - see above

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from onnx import GraphProto, TensorProto, ValueInfoProto, helper

from inspect_cost.calls.inputs import InputSpec
from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.onnx.binding import bind_inputs, find_free_inputs, find_open_axes
from inspect_cost.counting.onnx.count import count_onnx
from inspect_cost.counting.onnx.loading import load_model
from inspect_cost.counting.onnx.storage import get_type_name
from inspect_cost.counting.onnx.value import Value
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.subjects.subject import Conditions, Request
from inspect_cost.values.errors import Unsupported, UsageError
from inspect_cost.values.identity import Identity, Phase

if TYPE_CHECKING:
    from torch import Tensor

    from inspect_cost.calls.call import Call
    from inspect_cost.exporting.onnx import Exported
    from inspect_cost.measuring.workload import Workload

#: The type of an input that is given without one.
UNSAID = "float32"


@dataclass(frozen=True)
class OnnxSubject:
    """One run of an ONNX file.

    Attributes:
        name: path of the file.
        inputs: shapes of its inputs, by name or in their order.
        input_len: the L in those; without one, the size of the only axis that is left open.
        trip_counts: name of a Loop's node -> how often it runs, where the graph does not say.
    """

    name: str
    inputs: tuple[InputSpec, ...] = ()
    input_len: int | None = None
    trip_counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Request) -> Self:
        """Make the subject that a request names."""
        return cls(
            name=request.name,
            inputs=request.inputs,
            input_len=request.input_len,
            trip_counts=dict(request.trip_counts),
        )

    @property
    def identity(self) -> Identity:
        """Its path; its title is the file's name."""
        return Identity(self.name, "")

    @property
    def phases(self) -> tuple[Phase, ...]:
        """One run of the graph."""
        given = ", ".join(map(str, self.inputs))
        length = f"L = {self.input_len:,}" if self.input_len is not None else ""
        sizes = ", ".join(filter(None, (given, length)))
        return (Phase(description=" at ".join(filter(None, ("one run", sizes)))),)

    def count(self, phase: Phase, options: CountOptions) -> CostReport:
        """Count one run, without torch.

        Raises:
            UsageError: as `count_onnx`, or what is given does not fit the graph's inputs.
        """
        del phase

        _check_dtype(options.dtype)
        if options != CountOptions(op_costs=options.op_costs):
            raise self._unsupported("`policy`, `attention`, `backward` and `module_costs` are")
        model = load_model(self.name)
        return count_onnx(
            model,
            input_shapes=self._shapes(model.graph),
            op_costs=options.op_costs,
            trip_counts=self.trip_counts,
            title=Path(self.name).stem,
        )

    def law(self, phase: Phase, options: CountOptions, period: int | None = None) -> CostLaw:
        """Refuse: an ONNX graph is counted at the sizes that it is given."""
        del phase, options, period
        raise self._unsupported("cost laws are")

    def call(self, phase: Phase, conditions: Conditions) -> "Call":
        """Open a session of onnxruntime, with random inputs.

        Raises:
            UsageError: there is no such file, or what is given does not fit its inputs.
            MeasurementError: onnxruntime refuses the file, or cannot run it.
        """
        del phase
        from inspect_cost.calls.devices import find_device
        from inspect_cost.measuring.backends.onnxruntime import make_onnx_call

        _check_dtype(conditions.dtype)
        graph = load_model(self.name).graph
        values = bind_inputs(graph, self._shapes(graph))
        feed = {name: _make_tensor(name, value) for name, value in values.items()}
        device = find_device(conditions.device)
        return make_onnx_call(Path(self.name), feed, device, conditions.threads)

    def workload(self, phase: Phase, conditions: Conditions) -> "Workload":
        """Describe the run for measuring.

        Raises:
            Unsupported: a type is given, which the file fixes.
        """
        from inspect_cost.measuring.workload import Workload

        _check_dtype(conditions.dtype)
        return Workload(
            make=partial(self.call, phase, conditions),
            output=phase.output,
            device=conditions.device,
            native_backend="onnxruntime",
        )

    def peer_call(self, phase: Phase) -> "Call":
        """Refuse: other counters take PyTorch models."""
        del phase
        raise self._unsupported("other counters are")

    def export(
        self, phase: Phase, output: Path, *, weights: Path | None = None, seed: int = 0
    ) -> "Exported":
        """Refuse: it is an ONNX file already."""
        del phase, output, weights, seed
        raise Unsupported(
            f"{self.name} is an ONNX file already", f"Copy it, or count it: {self._count}."
        )

    @property
    def _count(self) -> str:
        return f"inspect-cost {self.name}"

    def _unsupported(self, what: str) -> Unsupported:
        return Unsupported(
            f"{what} for PyTorch models, and {self.name} is an ONNX file",
            f"Count the file as it is: {self._count}.",
        )

    def _shapes(self, graph: GraphProto) -> dict[str, Sequence[int] | int]:
        return shape_inputs(self.name, graph, self.inputs, self.input_len)


def _check_dtype(dtype: str | None) -> None:
    if dtype is not None:
        raise Unsupported(
            "`dtype` is for PyTorch models", "Export the model in that type.", field="dtype"
        )


def shape_inputs(
    path: str, graph: GraphProto, inputs: Sequence[InputSpec], length: int | None
) -> dict[str, Sequence[int] | int]:
    """Return the sizes that a user gave, by the names of the graph's inputs and open axes.

    Raises:
        UsageError: they do not fit the graph's inputs.
    """
    entries = find_free_inputs(graph)
    _check_types(inputs, entries)
    shapes: dict[str, Sequence[int] | int] = {
        **_assign_shapes(inputs, [entry.name for entry in entries], length)
    }
    if length is not None and not any(None in spec.shape for spec in inputs):
        shapes[_only_open_axis(path, find_open_axes(graph))] = length
    return shapes


def _check_types(inputs: Sequence[InputSpec], entries: Sequence[ValueInfoProto]) -> None:
    """Refuse a type that is not the file's: the file fixes the types of its inputs."""
    known = {entry.name: entry.type.tensor_type.elem_type for entry in entries}
    for spec in inputs:
        elements = known.get(spec.name or "", TensorProto.UNDEFINED)
        own = get_type_name(elements)
        if spec.dtype not in {UNSAID, own} and elements != TensorProto.UNDEFINED:
            raise UsageError(
                f"the input {spec.name} is of {own}, and {spec.dtype} was given",
                "The file fixes it: give the shape alone.",
                field="inputs",
            )


def _assign_shapes(
    inputs: Sequence[InputSpec], names: Sequence[str], length: int | None
) -> dict[str, tuple[int, ...]]:
    """Return shapes by name; those without a name take the other inputs, in their order."""
    given = [spec.name for spec in inputs if spec.name is not None]
    twice = [name for name in given if given.count(name) > 1]
    if twice:
        raise UsageError(f"the input {twice[0]} is given twice", "Give it once.", field="inputs")
    named = {spec.name: spec.sizes(length) for spec in inputs if spec.name is not None}
    rest = [name for name in names if name not in named]
    unnamed = [spec for spec in inputs if spec.name is None]
    if len(unnamed) > len(rest):
        raise UsageError(
            f"{len(inputs)} inputs are given, and the graph has {len(names)}",
            f"Its inputs are: {', '.join(names) or 'none'}.",
            field="inputs",
        )
    by_order = zip(rest, (spec.sizes(length) for spec in unnamed), strict=False)
    return {**named, **dict(by_order)}


def _only_open_axis(path: str, axes: Sequence[str]) -> str:
    if len(axes) == 1:
        return axes[0]
    if not axes:
        raise UsageError(
            f"{path} leaves no named axis open that `input_len` could set",
            "Leave it out, or say which axis it is: an `inputs` entry NAME=1,L.",
            field="input_len",
        )
    raise UsageError(
        f"{path} leaves several axes open: {', '.join(axes)}",
        "Say which is `input_len`: an `inputs` entry NAME=1,L.",
        field="input_len",
    )


def _make_tensor(name: str, value: Value) -> "Tensor":
    """Make random values of a graph's input, as `InputSpec.tensor` does."""
    import torch

    kind = helper.tensor_dtype_to_np_dtype(value.dtype)
    dtype = getattr(torch, kind.name, None)
    if not isinstance(dtype, torch.dtype) or value.dtype == TensorProto.STRING:
        raise UsageError(
            f"the input {name} is of {TensorProto.DataType.Name(value.dtype)}",
            "Only numbers can be made up here; count the file without measuring it.",
        )
    tensor = InputSpec(name, value.sizes, str(dtype).removeprefix("torch.")).tensor(None)
    if tensor.is_meta:
        raise UsageError(
            "an input is so large that it has a shape only", "Give a smaller one.", field="inputs"
        )
    return tensor
