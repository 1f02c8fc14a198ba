"""The ONNX front: the model exported by torch, and the graph counted through our formulas.

The formulas are ours, so this checks what they are applied to: two ways of following one model.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from inspect_cost.calls.call import Call
from inspect_cost.calls.positional import Positional, positional, undecorate
from inspect_cost.counting.onnx.count import count_onnx
from inspect_cost.crosschecking.results import Entry, PeerCount
from inspect_cost.exporting.writing import Traceable, write_onnx


def count_through_onnx(call: Call) -> PeerCount:
    """Return the MACs of the graph, by module and operator."""
    model, tensors = positional(undecorate(call))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_onnx(Traceable(model, tensors), path)
        report = count_onnx(path)
    canonical = {id(module): path for path, module in model.model.named_modules()}
    every = model.model.named_modules(remove_duplicate=False)
    known = {path: canonical[id(module)] for path, module in every}
    entries = tuple(
        Entry(_find_place(t.module, known), t.operator, t.cost.macs, t.calls, t.counted)
        for t in report.tallies
    )
    return PeerCount(report.macs, entries)


def _find_place(path: str, known: Mapping[str, str]) -> str:
    """Return the first path of the module that a path of the graph is in, or is below."""
    inner = Positional.inner_path(path)
    while inner not in known:
        inner = inner.rpartition(".")[0]
    return known[inner]
