"""The ONNX front: the model exported by torch, and the graph counted through our formulas.

The formulas are ours, so this checks what they are applied to: two ways of following one model.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from inspect_cost.counting.onnx.count import count_onnx
from inspect_cost.crosschecking.calls import Call, Positional
from inspect_cost.crosschecking.results import Entry, PeerCount
from inspect_cost.exporting.writing import write


def count_through_onnx(call: Call) -> PeerCount:
    """MACs of the graph, by module and operator."""
    model, tensors = call.undecorated().wrapped()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write(model, tensors, {}, path)
        report = count_onnx(path)
    canonical = {id(module): path for path, module in call.model.named_modules()}
    every = call.model.named_modules(remove_duplicate=False)
    known = {path: canonical[id(module)] for path, module in every}
    entries = tuple(
        Entry(_place(t.module, known), t.operator, t.cost.macs, t.calls, t.counted)
        for t in report.tallies
    )
    return PeerCount(report.macs, entries)


def _place(path: str, known: Mapping[str, str]) -> str:
    """The first path of the module that a path of the graph is in, or is below."""
    inner = Positional.inner_path(path)
    while inner not in known:
        inner = inner.rpartition(".")[0]
    return known[inner]
