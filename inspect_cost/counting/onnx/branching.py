"""The operator If: the branch that is counted, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from onnx import GraphProto

from inspect_cost.counting.onnx.call import MisfitError, NodeCall
from inspect_cost.counting.onnx.ledger import Ledger
from inspect_cost.counting.onnx.marking import get_mark
from inspect_cost.counting.onnx.outcomes import (
    NeedsValuesError,
    Values,
    drop_contents,
    find_executed,
)
from inspect_cost.values.notes import Note

if TYPE_CHECKING:
    from inspect_cost.counting.onnx.graph import Walk

Tried = tuple[Ledger, Values] | MisfitError


def branch(walk: "Walk", call: NodeCall, module: str) -> Values:
    """Follow If: the branch that a known condition takes, else the only one that fits, else one.

    Where values decide that are not known, it is the costlier branch, with a note.
    """
    taken, other = call.get("then_branch"), call.get("else_branch")
    outcome = _find_condition(walk, call)
    if outcome is not None:
        walk.ledger.trace(get_mark(call.node), call, int(outcome))
        return walk.follow_graph(taken if outcome else other, [], module)
    if walk.in_every_iteration:
        raise NeedsValuesError(call.label)
    walk.settings.find_unsettled(call, call.x.depends_on)
    tried = [_try_branch(walk, graph, module) for graph in (taken, other)]
    chosen, note = _choose_branch(call, tried)
    walk.settings.choose(call, chosen == 0, call.x)
    ledger, returned = tried[chosen]  # type: ignore[misc]  # it is no error
    walk.ledger.add(ledger)
    walk.ledger.trace(get_mark(call.node), call, 1 - chosen)
    walk.ledger.notes[note] = None
    # The other branch may return other contents, so that none are known.
    return drop_contents(returned, call.x.depends_on)


def _find_condition(walk: "Walk", call: NodeCall) -> bool | None:
    """Return the condition of an If, from a run if nothing that was made up decides it."""
    known = call.x.scalar
    if known is not None:
        return bool(known)
    outcome = find_executed(walk, call, call.x.depends_on)
    return None if outcome is None else bool(outcome)


def _try_branch(walk: "Walk", graph: GraphProto, module: str) -> Tried:
    """Return what a branch costs and returns, or why the shapes cannot enter it."""
    ledger = Ledger()
    try:
        return ledger, walk.with_ledger(ledger).follow_graph(graph, [], module)
    except MisfitError as error:
        return error


def _choose_branch(call: NodeCall, tried: Sequence[Tried]) -> tuple[int, Note]:
    """Return the branch to count, and why.

    Raises:
        MisfitError: neither fits.
    """
    names = ("then", "else")
    errors = [each for each in tried if isinstance(each, MisfitError)]
    if len(errors) == len(tried):
        raise errors[0]
    if errors:
        chosen = 1 if isinstance(tried[0], MisfitError) else 0
        text = (
            f"{call.label} (If): its branch {names[chosen]} was counted, since the shapes do not "
            f"fit the other: {errors[0]}."
        )
        return chosen, Note("excluded-branch", text)
    flops = [ledger.flops for ledger, _ in tried]  # type: ignore[misc]  # no errors are left
    chosen = 0 if flops[0] >= flops[1] else 1
    text = (
        f"{call.label} (If) depends on values: its costlier branch, {names[chosen]}, was counted."
        f"{_advise_values(call.x.depends_on)}"
    )
    return chosen, Note("costlier-branch", text, "warning")


def _advise_values(depends_on: frozenset[str]) -> str:
    names = " and ".join(sorted(depends_on))
    return f" Values of {names} in `inputs` decide it." if names else ""
