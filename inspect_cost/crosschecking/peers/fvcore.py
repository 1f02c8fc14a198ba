"""fvcore: traces the forward with torch.jit, and counts the operators of the trace.

It counts a multiply-accumulate as one flop, and norms, resampling and pooling with it.
"""

from collections import Counter
from collections.abc import Callable
from importlib import import_module
from typing import Any

from inspect_cost.calls.call import Call
from inspect_cost.calls.positional import Positional, positional, undecorate
from inspect_cost.crosschecking.results import Entry, PeerCount, to_whole

Handle = Callable[[Any, Any], Any]

#: Ends the names under which the operators' calls are kept beside their flops.
CALLS = " calls"


def count_with_fvcore(call: Call) -> PeerCount:
    """Return its total, and its parts by module and operator."""
    model, tensors = positional(undecorate(call))
    analysis = import_module("fvcore.nn").FlopCountAnalysis(model, tensors)
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    handles: dict[str, Handle] = analysis._op_handles  # noqa: SLF001 - it has no public list
    analysis.set_op_handle(**{name: _count_calls(name, h) for name, h in handles.items()})
    inside = analysis.by_module_and_operator()
    unknown = {path: analysis.unsupported_ops(path) for path in inside}
    entries = [
        *_list_entries(_subtract_inner(inside)),
        *(
            Entry(Positional.inner_path(path), operator, calls=calls, known=False)
            for path, operators in _subtract_inner(unknown).items()
            for operator, calls in operators.items()
        ),
    ]
    return PeerCount(to_whole(sum(entry.macs for entry in entries)), tuple(entries))


def _count_calls(name: str, handle: Handle) -> Handle:
    """Return the operator's rule, which then counts the operator's calls too."""

    def counting(inputs: Any, outputs: Any) -> Counter[str]:
        counts = handle(inputs, outputs)
        if not isinstance(counts, Counter):
            counts = Counter({name: counts})
        return counts + Counter({f"{key}{CALLS}": 1 for key in counts})

    return counting


def _subtract_inner(inside: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    """Return what is directly in each module, from modules with all that is below them."""
    own = {path: Counter(counts) for path, counts in inside.items()}
    for path, counts in inside.items():
        if path:
            own[_find_parent(path, inside)].subtract(counts)
    return {path: +counts for path, counts in own.items()}


def _find_parent(path: str, known: dict[str, Counter[str]]) -> str:
    parent = path.rpartition(".")[0]
    return parent if parent in known else _find_parent(parent, known)


def _list_entries(own: dict[str, Counter[str]]) -> list[Entry]:
    return [
        Entry(Positional.inner_path(path), operator, to_whole(macs), counts[operator + CALLS])
        for path, counts in own.items()
        for operator, macs in counts.items()
        if not operator.endswith(CALLS)
    ]
