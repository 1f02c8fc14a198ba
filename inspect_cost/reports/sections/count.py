"""What one call costs by its shapes: the totals, and what no total has."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from inspect_cost.counting.explanation import CostExplanation
from inspect_cost.counting.report import CostReport
from inspect_cost.reports.document import (
    Block,
    Cell,
    Code,
    Fact,
    Facts,
    Notes,
    Prose,
    make_cells,
)
from inspect_cost.values.cost import CONVENTIONAL, FlopWeights
from inspect_cost.values.identity import Output
from inspect_cost.values.notes import codes
from inspect_cost.values.units import exact, si

#: Classes of FLOPs that stand in one line.
CLASSES_A_LINE = 4
#: Modules named for one uncounted operator.
NAMED_MODULES = 3


def present_totals(
    count: CostReport,
    output: Output | None = None,
    weights: FlopWeights | None = None,
    *more: Fact,
) -> Iterator[Block]:
    """Yield parameters, MACs, FLOPs and bytes of the whole call.

    Args:
        count: what they are of.
        output: what the call yields, for amounts per unit of it.
        weights: the user's own, for a further total.
        *more: facts to put below.
    """
    least = "" if count.complete else " at least"
    rest = "" if count.complete else "see below: no total has them"
    yield Facts(
        (
            Fact("Parameters", count_cell(count.params), describe_storage(count)),
            Fact(
                f"MACs{least}",
                count_cell(count.macs, "MAC"),
                describe_rate(count.macs, "MAC", output),
            ),
            Fact(
                f"FLOPs{least}",
                count_cell(count.flops, "FLOP"),
                describe_rate(count.flops, "FLOP", output),
            ),
            Fact("", Cell(), describe_classes(count)),
            *weigh(count, weights),
            Fact("Bytes moved", count_cell(count.bytes_moved, "B"), describe_intensity(count)),
            describe_peak(count),
            *describe_state(count),
            Fact("Uncounted", describe_coverage(count), rest),
            *more,
        )
    )


def count_cell(number: int, unit: str = "") -> Cell:
    """Return a counted number with all its digits."""
    return Cell(exact(number), number, unit, "counted")


def weigh(count: CostReport, weights: FlopWeights | None) -> Iterator[Fact]:
    """Yield the FLOPs by the user's own weights, if there are any."""
    if weights is None:
        return
    differing = {n: w for n, w in asdict(weights).items() if w != getattr(CONVENTIONAL, n)}
    named = ", ".join(f"{name} = {weight}" for name, weight in differing.items())
    total = count.cost.weighted_flops(weights)
    yield Fact("  weighted", count_cell(total, "FLOP"), f"with {named or 'nothing'}")


def describe_storage(count: CostReport) -> str:
    """Return size and types of the parameters, and how many are left once weight norm is folded."""
    storage = count.storage
    text = f"{si(storage.param_bytes, 'B')}, {' + '.join(storage.dtypes) or 'none'}"
    if storage.weight_norm_lengths:
        text += f"; {exact(storage.folded_params)} with weight norm folded"
    return text


def describe_rate(amount: int, unit: str, output: Output | None) -> str:
    """Return the amount with an SI prefix, and per unit of what the call yields."""
    text = si(amount, unit)
    if output:
        text += f"; {si(output.per_unit(amount), unit)} per {name_unit(output)}"
    return text


def name_unit(output: Output) -> str:
    """Return what costs are given per: "second of audio", "token"."""
    return "second of audio" if output.is_audio else output.unit


def describe_classes(count: CostReport) -> str:
    """Return the FLOPs' parts: 2 x MACs and each class that occurs, a few to a line."""
    parts = [f"{si(n)} {name}" for name, n in count.flops_by_class.items() if n]
    starts = range(0, len(parts), CLASSES_A_LINE)
    lines = [", ".join(parts[start : start + CLASSES_A_LINE]) for start in starts]
    other = count.flops - 2 * count.macs
    return f"{si(2 * count.macs)} in MACs, {si(other)} other\n" + ",\n".join(lines)


def describe_intensity(count: CostReport | CostExplanation) -> str:
    """Return the bytes with an SI prefix, and the FLOPs for each."""
    per_byte = count.arithmetic_intensity
    return si(count.bytes_moved, "B") + (f"; {per_byte:.1f} FLOP/B" if per_byte else "")


def describe_peak(count: CostReport) -> Fact:
    """Return the most bytes of results alive at once."""
    name, peak = "Peak activations", count.peak_activation_bytes
    if peak is None:
        return Fact(name, Cell("not known"), "results of operators alive at once")
    return Fact(name, count_cell(peak, "B"), f"{si(peak, 'B')} of results alive at once")


def describe_state(count: CostReport) -> Iterator[Fact]:
    """Yield the bytes that an optimizer keeps, if one was counted."""
    state, size = count.optimizer_state, count.optimizer_state_bytes
    if state is None or size is None:
        return
    names = " + ".join(state) or "none"
    yield Fact("Optimizer state", count_cell(size, "B"), f"{si(size, 'B')}, {names}")


def describe_coverage(count: CostReport) -> Cell:
    """Return how many kinds of operators are missing from the totals."""
    kinds = len(count.uncounted)
    text = f"{kinds} operator{'s' if kinds > 1 else ''}" if kinds else "nothing"
    return Cell(text, kinds, kind="counted")


def present_uncounted(count: CostReport) -> Iterator[Block]:
    """Yield the operators that no total has, and how to give them a cost."""
    if count.complete:
        return
    title = "Uncounted operators, whose arithmetic is in no total:"
    yield Prose((Cell(title, style="error"),))
    yield Prose(tuple(describe_uncounted(count)), indent=2, listed=True)
    yield Prose((Cell("Give an operator a cost from Python:", style="command"),))
    yield Code(write_costs(next(iter(count.uncounted)), of_node="uncounted" in codes(count.notes)))


def write_costs(operator: str, *, of_node: bool) -> str:
    """Return how an operator is given a cost, by the kind of what it does.

    Args:
        operator: its name.
        of_node: whether it is of an ONNX graph, whose nodes are given to costs as one argument.
    """
    call = '"model.onnx"' if of_node else "model, *inputs"
    arguments, n = ("call", "call.out.size") if of_node else ("out, *args, **kw", "out.numel()")
    return "\n".join(
        (
            f'inspect_cost.count({call}, op_costs={{"{operator}": cost}})',
            "# where cost is, if each number of the result sums k products (a contraction):",
            f"lambda {arguments}: OpCost(macs=k * {n})",
            "# or if it is computed by itself, in classes such as add, mul, special:",
            f"lambda {arguments}: OpCost(mul={n})",
            "# or if numbers are only moved or looked up:",
            "OpCost()",
        )
    )


def describe_uncounted(count: CostReport) -> Iterator[Cell]:
    """Yield each operator without a cost, with its calls and the first modules that make them."""
    for name, calls in count.uncounted.items():
        callers = [t.module for t in count.tallies if t.operator == name and not t.counted]
        modules = list(dict.fromkeys(map(count.find_path, callers)))
        where = ", ".join(path or count.model for path in modules[:NAMED_MODULES])
        more = len(modules) - NAMED_MODULES
        rest = f" and {more} more modules" if more > 0 else ""
        yield Cell(f"{name}: {exact(calls)} calls in {where}{rest}", calls, style="error")


def present_footnotes(notes: Iterable[str], policy: str) -> Iterator[Block]:
    """Yield how a count was made."""
    usual = (
        f"Counted from shapes but for what is measured: one call, policy {policy}. "
        "FLOPs = 2 x MACs + other arithmetic: inspect-cost conventions."
    )
    yield Notes(make_cells(*notes, usual, style="remark"))
