"""The ONNX front: the model exported by torch, and the graph counted through our formulas.

The formulas are ours, so this checks what they are applied to: two ways of following one model.
"""

from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from inspect_cost.crosschecking.calls import Call
from inspect_cost.crosschecking.results import Entry, PeerCount
from inspect_cost.errors import CountError


def count_through_onnx(call: Call) -> PeerCount:
    """MACs of the graph, by operator."""
    count_onnx = _counter()
    model, tensors = call.wrapped()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(model, tensors, path, dynamo=True, verbose=False)
        report = count_onnx(path)
    entries = tuple(
        Entry("", tally.operator, tally.cost.macs, tally.calls, tally.counted)
        for tally in report.by_operator.values()
    )
    return PeerCount(report.macs, entries)


def _counter() -> Any:
    try:
        return import_module("inspect_cost.counting.onnx").count_onnx
    except (ImportError, AttributeError) as error:
        raise CountError(f"not available: {error}") from error
