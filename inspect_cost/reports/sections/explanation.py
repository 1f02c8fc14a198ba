"""Explanations: the calls behind a cost, with their shapes and formulas."""

from collections.abc import Iterable, Iterator

from inspect_cost.counting.explanation import CostExplanation, ExplainedCall, Operand
from inspect_cost.reports.document import Block, Cell, Document, Fact, Facts, Heading, Prose
from inspect_cost.reports.sections.count import count_cell, describe_intensity
from inspect_cost.reports.view import View
from inspect_cost.values.cost import OpCost
from inspect_cost.values.units import exact, percent, si

#: How classes of operations are named; the others as they are.
TITLES = {"macs": "MACs"}


def compose_explanation(explanation: CostExplanation, view: View) -> Document:
    """Return the totals, then a part for each call that computes, then what only moves data."""
    del view
    title = explanation.path or explanation.model
    kind = "" if title == explanation.type else f"{explanation.type}, "
    heading = Heading(
        title,
        remarks=(f"{kind}policy {explanation.policy}",),
        lines=tuple(describe_shapes(explanation.inputs, explanation.outputs)),
    )
    computing = [call for call in explanation.calls if call.cost is None or call.cost.flops]
    moving = [call for call in explanation.calls if call.cost is not None and not call.cost.flops]
    return Document.of(
        title,
        [heading, Facts(tuple(list_totals(explanation)))],
        *(present_call(call, explanation) for call in computing),
        present_moving(moving),
    )


def list_totals(explanation: CostExplanation) -> Iterator[Fact]:
    """Yield the sums over all calls, and what the policy "valid" leaves of them."""
    least = " at least" if explanation.uncounted else ""
    yield Fact(f"MACs{least}", count_cell(explanation.macs, "MAC"), si(explanation.macs, "MAC"))
    flops = explanation.flops
    yield Fact(f"FLOPs{least}", count_cell(flops, "FLOP"), describe_kinds(explanation.cost))
    moved = explanation.bytes_moved
    yield Fact("Bytes moved", count_cell(moved, "B"), describe_intensity(explanation))
    yield from list_saving(explanation.cost, explanation.valid_cost)


def present_call(call: ExplainedCall, explanation: CostExplanation) -> Iterator[Block]:
    """Yield one call: what it was given, and how each class of its operations follows."""
    where = call.module if call.module != explanation.path else ""
    times = f"{exact(call.times)} times" if call.times > 1 else ""
    yield Heading(
        call.operator,
        remarks=tuple(filter(None, (f"in {where}" if where else "", times))),
        lines=tuple(describe_shapes(call.operands, call.results)),
        level=2,
    )
    yield Facts(tuple(list_facts(call)))


def list_facts(call: ExplainedCall) -> Iterator[Fact]:
    """Yield operations and bytes of one call."""
    if call.cost is None:
        yield Fact("cost", Cell("not known", style="error"), "no total has it")
    else:
        yield from list_operations(call, call.cost)
    yield Fact("Bytes moved", count_cell(call.bytes_moved, "B"))
    if call.cost and call.valid_cost and call.valid_cost != call.cost:
        yield from list_saving(call.cost, call.valid_cost)


def list_operations(call: ExplainedCall, cost: OpCost) -> Iterator[Fact]:
    """Yield the number of operations of each class, and the formula that gives it."""
    for kind, number in {"macs": cost.macs, **cost.flops_by_class}.items():
        formula = call.formulas.get(kind)
        text = f"= {formula.symbols}\n= {formula.numbers}" if formula else ""
        if number:
            yield Fact(TITLES.get(kind, kind), count_cell(number), text)


def describe_shapes(given: Iterable[Operand], made: Iterable[Operand]) -> Iterator[Cell]:
    """Yield what goes in and what comes out, where that is known."""
    for word, operands in (("from", given), ("to", made)):
        text = ", ".join(map(str, operands))
        if text:
            yield Cell(f"{word} {text}", style="remark")


def describe_kinds(cost: OpCost) -> str:
    """Return the FLOPs' parts: 2 x MACs and each class that occurs."""
    kinds = (f"{exact(n)} {name}" for name, n in cost.flops_by_class.items() if n)
    return ", ".join((f"{exact(2 * cost.macs)} in MACs", *kinds))


def list_saving(cost: OpCost, valid: OpCost) -> Iterator[Fact]:
    """Yield the MACs without taps on padding and masked scores, and what that leaves out."""
    skipped = cost.macs - valid.macs
    text = f"MACs; {exact(skipped)} fewer, {percent(skipped, cost.macs)}"
    if cost.flops == valid.flops:
        text = "MACs; no taps on padding and no masked scores are known"
    elif not skipped:
        text = f"MACs; {exact(cost.flops - valid.flops)} FLOPs fewer"
    yield Fact("Under valid", count_cell(valid.macs, "MAC"), text)


def present_moving(calls: Iterable[ExplainedCall]) -> Iterator[Block]:
    """Yield the operators that move or view data and compute nothing."""
    times: dict[str, int] = {}
    for call in calls:
        times[call.operator] = times.get(call.operator, 0) + call.times
    if times:
        listed = ", ".join(f"{name} ({exact(n)})" for name, n in times.items())
        yield Prose((Cell(f"Without arithmetic: {listed}.", style="remark"),))
