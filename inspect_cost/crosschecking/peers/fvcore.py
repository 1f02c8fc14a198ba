"""fvcore: traces the forward with torch.jit, and counts the operators of the trace.

It counts a multiply-accumulate as one flop, and norms, resampling and pooling with it.
"""

from collections import Counter
from collections.abc import Callable
from importlib import import_module
from typing import Any

from inspect_cost.crosschecking.calls import Call, Positional
from inspect_cost.crosschecking.results import Entry, PeerCount, whole

Handle = Callable[[Any, Any], Any]

#: Ends the names under which the operators' calls are kept beside their flops.
CALLS = " calls"


def count_with_fvcore(call: Call) -> PeerCount:
    """Its total, and its parts by module and operator."""
    model, tensors = call.undecorated().wrapped()
    analysis = import_module("fvcore.nn").FlopCountAnalysis(model, tensors)
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    handles: dict[str, Handle] = analysis._op_handles  # noqa: SLF001 - it has no public list
    analysis.set_op_handle(**{name: _with_calls(name, h) for name, h in handles.items()})
    inside = analysis.by_module_and_operator()
    unknown = {path: analysis.unsupported_ops(path) for path in inside}
    entries = [
        *_counted(_own(inside)),
        *(
            Entry(Positional.inner_path(path), operator, calls=calls, known=False)
            for path, operators in _own(unknown).items()
            for operator, calls in operators.items()
        ),
    ]
    return PeerCount(whole(sum(entry.macs for entry in entries)), tuple(entries))


def _with_calls(name: str, handle: Handle) -> Handle:
    """The operator's rule, which also counts the operator's calls."""

    def counting(inputs: Any, outputs: Any) -> Counter[str]:
        counts = handle(inputs, outputs)
        if not isinstance(counts, Counter):
            counts = Counter({name: counts})
        return counts + Counter({f"{key}{CALLS}": 1 for key in counts})

    return counting


def _own(inside: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    """Of modules with all that is below them, what is directly in each."""
    own = {path: Counter(counts) for path, counts in inside.items()}
    for path, counts in inside.items():
        if path:
            own[_parent(path, inside)].subtract(counts)
    return {path: +counts for path, counts in own.items()}


def _parent(path: str, known: dict[str, Counter[str]]) -> str:
    parent = path.rpartition(".")[0]
    return parent if parent in known else _parent(parent, known)


def _counted(own: dict[str, Counter[str]]) -> list[Entry]:
    return [
        Entry(Positional.inner_path(path), operator, whole(macs), counts[operator + CALLS])
        for path, counts in own.items()
        for operator, macs in counts.items()
        if not operator.endswith(CALLS)
    ]
