"""`crosscheck`: a call counted by us and by the peers, and the differences explained."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from inspect_cost.calls.arguments import share_keywords
from inspect_cost.calls.call import Call
from inspect_cost.calls.positional import fill_values, move, move_to_cpu
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.count import count_call
from inspect_cost.crosschecking.comparison import compare
from inspect_cost.crosschecking.explanation import explain
from inspect_cost.crosschecking.isolation import run_isolated
from inspect_cost.crosschecking.peers import PEERS, Peer
from inspect_cost.crosschecking.results import CrossCheck, PeerCount, PeerResult, to_whole
from inspect_cost.values.errors import CountError, UsageError
from inspect_cost.values.notes import Note
from inspect_cost.values.progress import Progress, ignore_progress

#: Seconds that each peer may take.
TIMEOUT_S = 120.0


@share_keywords
def crosscheck(
    target: Call | Callable[..., Any],
    /,
    *args: Any,
    timeout_s: float = TIMEOUT_S,
    **kwargs: Any,
) -> CrossCheck:
    """Count one call of a model, let other counters count it, and explain how they differ.

    fvcore, thop, torch's FlopCounterMode and our own count of the exported ONNX graph run one
    after the other, each in a process of its own: the model is not touched, and a peer that
    fails, dies or takes too long is a row of the result.

    A function that has a parameter ``timeout_s`` of its own is passed in a call:
    ``crosscheck(inspect_cost.Call.of(model, x, timeout_s=...))``.

    Args:
        target: a module, a bound method of one, a function, a `functools.partial`, or an
            `inspect_cost.Call`. Peers that need values are given random weights if it has none and
            memory permits.
        *args: arguments of the call; none beside a `Call`, which has its own.
        timeout_s: seconds that each peer may take.
        **kwargs: keyword arguments of the call.

    Returns:
        Our report and the peers' results. The parts of each difference, those without a reason
        included, add up to it.

    Raises:
        UsageError: ``target`` cannot be called, or ``timeout_s`` may be meant for it.
        CountError: we cannot count the call.
    """
    if not timeout_s > 0:
        raise UsageError(f"`timeout_s` is {timeout_s}", "Give seconds above 0.", field="timeout_s")
    call = target if isinstance(target, Call) else Call.of(target, *args, **kwargs)
    report = count_call(call)
    return CrossCheck(report, crosscheck_call(report, call, timeout_s))


def crosscheck_call(
    report: CostReport,
    call: Call,
    timeout_s: float = TIMEOUT_S,
    progress: Progress = ignore_progress,
) -> tuple[PeerResult, ...]:
    """Return what each peer says of a call that we have counted.

    Args:
        report: our count.
        call: what was counted.
        timeout_s: seconds that each peer may take.
        progress: called with the share that is done.
    """
    here = move_to_cpu(call.as_module())
    results = []
    for done, peer in enumerate(PEERS, start=1):
        results.append(_crosscheck_peer(peer, report, here, timeout_s))
        progress(done / len(PEERS))
    return tuple(results)


def _crosscheck_peer(peer: Peer, report: CostReport, call: Call, timeout_s: float) -> PeerResult:
    """Return one row, whatever becomes of the peer."""
    row = PeerResult(peer.name, peer.version, peer.unit)
    if peer.version is None:
        return replace(row, failure=f"not installed: pip install {peer.distribution}")
    start = time.perf_counter()
    try:
        counted: PeerCount = run_isolated(lambda: _count(peer, call), timeout_s)
    except CountError as error:
        return replace(row, failure=str(error), duration_s=time.perf_counter() - start)
    module = call.module if call.module is not None else nn.Module()
    parts, rest = explain(compare(report, counted, peer), peer, module)
    return replace(
        row,
        count=counted,
        difference=to_whole(counted.macs - report.macs),
        explanations=parts,
        unexplained=rest,
        duration_s=time.perf_counter() - start,
    )


def _count(peer: Peer, call: Call) -> PeerCount:
    """Return the peer's count without values if the call has none and that will do, else with."""
    if call.has_values:
        return peer.count(call)
    try:
        return peer.count(move(call, "meta"))
    except Exception:  # noqa: BLE001 - whatever a peer raises on tensors without values
        note = Note(
            "random-weights", "Run on random weights, because it could not do without values."
        )
    counted = peer.count(fill_values(call))
    return replace(counted, notes=(*counted.notes, note))
