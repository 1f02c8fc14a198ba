"""Running an exported graph beside the model: the same inputs have to give the same outputs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # has no stubs
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from inspect_cost.exporting.writing import Traceable
from inspect_cost.values.errors import CountError, MismatchError, one_line

#: Largest difference that rounding may make, relative to the largest output: phases that are summed
#: over seconds come close to a tenth of it.
TOLERANCE = 1e-2
#: Least scale of an output, so that one of zeros can be compared.
SMALLEST = 1e-30


def run_by_torch(traceable: Traceable) -> list[Tensor]:
    """Return the tensors of the call's result, in the order of the graph's outputs.

    Raises:
        CountError: the call failed.
    """
    try:
        with torch.no_grad():
            result = traceable.run()
    except Exception as error:
        raise CountError(
            f"the forward failed: {one_line(error)}",
            "Give the inputs that it takes.",
            field="inputs",
        ) from error
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]


def check_against_torch(path: Path, traceable: Traceable, expected: Sequence[Tensor]) -> float:
    """Return the largest difference of the graph's outputs, relative to the largest of each.

    Args:
        path: the ONNX file.
        traceable: the call that it was made from.
        expected: what torch computes.

    Raises:
        MismatchError: onnxruntime cannot run the graph, or it computes something else.
    """
    difference = compute_difference(expected, run_by_onnxruntime(path, traceable))
    if not difference <= TOLERANCE:  # also if it is not a number
        raise MismatchError(
            f"the exported graph's outputs differ by {difference:.1e} of the largest from "
            "torch's; it was not kept",
            f"Rounding explains {TOLERANCE:.0e} at most: the exporter took it for another.",
        )
    return difference


def run_by_onnxruntime(path: Path, traceable: Traceable) -> list[Any]:
    """Return the outputs of an ONNX file, as arrays.

    Raises:
        MismatchError: onnxruntime cannot run it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_inputs()]
        return list(session.run(None, _feed(names, traceable)))
    except Exception as error:
        raise MismatchError(
            f"onnxruntime cannot run the exported graph: {one_line(error)}; it was not kept",
            "Export by hand, with another opset, and count the file.",
        ) from error


def _feed(names: Sequence[str], traceable: Traceable) -> dict[str, Any]:
    """Return the inputs of a graph by name: by their own if they have one, else in their order."""
    by_name = {
        **traceable.kwargs,
        **dict(zip(traceable.input_names or (), traceable.args, strict=False)),
    }
    rest = iter(() if traceable.input_names else traceable.args)
    return {n: (by_name[n] if n in by_name else next(rest)).detach().numpy() for n in names}


def compute_difference(expected: Sequence[Tensor], got: Sequence[Any]) -> float:
    """Return the largest difference, relative to each output's largest number."""
    if [tuple(e.shape) for e in expected] != [tuple(np.shape(g)) for g in got]:
        return float("inf")
    largest = 0.0
    for e, g in zip(expected, got, strict=True):
        reference = e.detach().numpy().astype(np.float64)
        if reference.size:
            scale = max(float(np.abs(reference).max()), SMALLEST)
            off = float(np.abs(reference - np.asarray(g)).max()) / scale
            largest = off if not off <= largest else largest  # not a number stays
    return largest
