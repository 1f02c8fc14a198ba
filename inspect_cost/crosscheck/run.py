"""`crosscheck`: a call counted by us and by the peers, and the differences explained."""

import time
from collections.abc import Callable
from dataclasses import replace
from types import MethodType
from typing import Any

from torch import nn

from inspect_cost.cost import CostReport
from inspect_cost.counting.count import count
from inspect_cost.counting.substitute import uncompiled
from inspect_cost.crosscheck.calls import Call
from inspect_cost.crosscheck.comparison import compare
from inspect_cost.crosscheck.explanation import explained
from inspect_cost.crosscheck.isolation import isolated
from inspect_cost.crosscheck.peers import PEERS, Peer
from inspect_cost.crosscheck.results import CrossCheck, PeerCount, PeerResult, whole
from inspect_cost.errors import CountError

#: Seconds that each peer may take.
TIMEOUT_S = 120.0


def crosscheck(
    model: nn.Module | Callable[..., Any], /, *args: Any, timeout_s: float = TIMEOUT_S, **kwargs: Any
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
    report = count(model, *args, **kwargs)
    bound = isinstance(model, MethodType)
    module: Any = model.__self__ if isinstance(model, MethodType) else model
    method = model.__name__ if isinstance(model, MethodType) and bound else "forward"
    call = Call(uncompiled(module), method, args, kwargs)
    return CrossCheck(report, crosschecked(report, call, timeout_s))


def crosschecked(
    report: CostReport, call: Call, timeout_s: float = TIMEOUT_S
) -> tuple[PeerResult, ...]:
    """What each peer says of a call that we have counted."""
    here = call.on_cpu()
    return tuple(_result(peer, report, here, timeout_s) for peer in PEERS)


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
