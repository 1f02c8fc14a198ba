"""`crosscheck`: a call counted by us and by the peers, and the differences explained."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from inspect_cost.calls.call import Call as CountedCall
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.count import count_call
from inspect_cost.crosschecking.calls import Call
from inspect_cost.crosschecking.comparison import compare
from inspect_cost.crosschecking.explanation import explained
from inspect_cost.crosschecking.isolation import isolated
from inspect_cost.crosschecking.peers import PEERS, Peer
from inspect_cost.crosschecking.results import CrossCheck, PeerCount, PeerResult, whole
from inspect_cost.values.errors import CountError

#: Seconds that each peer may take.
TIMEOUT_S = 120.0

#: Told the share that is done.
Progress = Callable[[float], None]


def unseen(_done: float) -> None:
    """No progress is shown."""


def crosscheck(
    model: nn.Module | Callable[..., Any],
    /,
    *args: Any,
    timeout_s: float = TIMEOUT_S,
    **kwargs: Any,
) -> CrossCheck:
    """Count one call of a model, let other counters count it, and explain how they differ.

    fvcore, thop, torch's FlopCounterMode and our own count of the exported ONNX graph run one
    after the other, each in a process of its own: the model is not touched, and a peer that
    fails, dies or takes too long is a row of the result.

    Args:
        model: a module, or a bound method of one, as for `inspect_cost.count`. Peers that need
            values are given random weights where it has none and memory permits.
        *args: the call's arguments.
        timeout_s: seconds that each peer may take.
        **kwargs: the call's keyword arguments.

    Returns:
        Our report and the peers' results. The parts of each difference, those without a reason
        included, add up to it.

    Raises:
        UsageError: ``model`` is neither a module nor a method of one.
        CountError: we cannot count the call.
    """
    counted = CountedCall.of(model, *args, **kwargs).as_module()
    report = count_call(counted)
    module = counted.module if counted.module is not None else nn.Module()
    call = Call(module, counted.method, counted.args, dict(counted.kwargs))
    return CrossCheck(report, crosschecked(report, call, timeout_s))


def crosschecked(
    report: CostReport,
    call: Call,
    timeout_s: float = TIMEOUT_S,
    progress: Progress = unseen,
) -> tuple[PeerResult, ...]:
    """What each peer says of a call that we have counted; ``progress`` is told the share done."""
    here = call.on_cpu()
    results = []
    for done, peer in enumerate(PEERS, start=1):
        results.append(_result(peer, report, here, timeout_s))
        progress(done / len(PEERS))
    return tuple(results)


def _result(peer: Peer, report: CostReport, call: Call, timeout_s: float) -> PeerResult:
    """One row, whatever becomes of the peer."""
    row = PeerResult(peer.name, peer.version, peer.unit)
    if peer.version is None:
        return replace(row, failure=f"not installed: pip install {peer.distribution}")
    start = time.perf_counter()
    try:
        counted: PeerCount = isolated(lambda: _counted(peer, call), timeout_s)
    except CountError as error:
        return replace(row, failure=str(error), duration_s=time.perf_counter() - start)
    parts, rest = explained(compare(report, counted, peer), peer, call.model)
    return replace(
        row,
        count=counted,
        difference=whole(counted.macs - report.macs),
        explanations=parts,
        unexplained=rest,
        duration_s=time.perf_counter() - start,
    )


def _counted(peer: Peer, call: Call) -> PeerCount:
    """The peer's count without values if the call has none and that will do, else with them."""
    if call.has_values:
        return peer.count(call)
    try:
        return peer.count(call.without_values())
    except Exception:  # noqa: BLE001 - whatever a peer raises on tensors without values
        note = "Run on random weights, because it could not do without values."
    counted = peer.count(call.with_values())
    return replace(counted, notes=(*counted.notes, note))
