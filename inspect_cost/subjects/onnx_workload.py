"""What is run when an ONNX file is measured: by onnxruntime, with inputs of the sizes counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from onnx import TensorProto, helper
from torch import Tensor

from inspect_cost.calls.call import Call
from inspect_cost.calls.devices import usable_device
from inspect_cost.calls.inputs import InputSpec
from inspect_cost.counting.onnx.binding import bind_inputs
from inspect_cost.counting.onnx.loading import load_model
from inspect_cost.counting.onnx.value import Value
from inspect_cost.measuring.backends.onnxruntime import make_onnx_call
from inspect_cost.measuring.workload import Workload
from inspect_cost.subjects.onnx_inspection import input_shapes
from inspect_cost.subjects.workload import Conditions
from inspect_cost.values.errors import UsageError


@dataclass(frozen=True)
class OnnxWorkload:
    """One run of an ONNX file; it can be pickled.

    Attributes:
        path: of the file.
        inputs: shapes of its inputs, by name or in their order.
        length: the L in those; without one, the size of the only axis that is left open.
        conditions: under which; the file fixes its types and its batch.
        threads: of the CPU, or None for torch's choice.

    Raises:
        UsageError: a condition is the file's own.
    """

    path: str
    inputs: Sequence[InputSpec] = ()
    length: int | None = None
    conditions: Conditions = field(default_factory=Conditions)
    threads: int | None = None

    def __post_init__(self) -> None:
        """Refuse what onnxruntime cannot change in a file."""
        if self.conditions.dtype is not None:
            raise UsageError("--dtype is for PyTorch models", "Export the model in that type.")
        if self.conditions.batch != 1:
            raise UsageError(
                "--batch is for PyTorch models", "Give the batch in a shape: --input NAME=8,1,L."
            )

    def workload(self) -> Workload:
        """Return what is measured."""
        return Workload(self.call, device=self.conditions.device, native_backend="onnxruntime")

    def call(self) -> Call:
        """Return a run of the file's session, and random inputs.

        Raises:
            UsageError: there is no such file, or what is given does not fit its inputs.
            MeasurementError: onnxruntime refuses the file, or cannot run it.
        """
        graph = load_model(self.path).graph
        shapes = input_shapes(self.path, graph, self.inputs, self.length)
        feed = {name: _tensor(name, v) for name, v in bind_inputs(graph, shapes).items()}
        device = usable_device(self.conditions.device)
        return make_onnx_call(Path(self.path), feed, device, self.threads)


def _tensor(name: str, value: Value) -> Tensor:
    """Random values of a graph's input, as `InputSpec.tensor` makes them."""
    kind = helper.tensor_dtype_to_np_dtype(value.dtype)
    dtype = getattr(torch, kind.name, None)
    if not isinstance(dtype, torch.dtype) or value.dtype == TensorProto.STRING:
        raise UsageError(
            f"the input {name} is of {TensorProto.DataType.Name(value.dtype)}",
            "Only numbers are made up here; count the file with --no-measure.",
        )
    tensor = InputSpec(name, value.sizes, str(dtype).removeprefix("torch.")).tensor(None)
    if tensor.is_meta:
        raise UsageError("an input is so large that it has a shape only", "Give a smaller one.")
    return tensor
