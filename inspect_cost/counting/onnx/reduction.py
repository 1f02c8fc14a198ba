"""Rules for reductions, softmaxes, running sums and top-k.

How many numbers a result is reduced from follows from both sizes, so that axes need not be read.
"""

from collections.abc import Callable
from math import prod

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.formulas import reduction as formula
from inspect_cost.formulas.pointwise import ADD, MUL, SPECIAL
from inspect_cost.values.cost import FREE, OpCost

Formula = Callable[[int, int], OpCost]
#: Last version in which softmax flattens all dimensions from its axis on.
FLATTENING_SOFTMAX = 12


def reduce_with(rows_of_n: Formula) -> Rule:
    """Return the rule of a reduction; reducing integers, or nothing at all, is free."""

    def rule(call: NodeCall) -> OpCost | None:
        x, rows = call.x, call.out.size
        return rows_of_n(rows, x.size // rows) if x.floating and rows and x.size else FREE

    return rule


def sum_of_squares(rows: int, n: int) -> OpCost:
    """Count `x_1**2 + ... + x_n**2`."""
    return MUL * (rows * n) + formula.summation(rows, n)


def log_sum(rows: int, n: int) -> OpCost:
    """Count `log(x_1 + ... + x_n)`."""
    return formula.summation(rows, n) + SPECIAL * rows


def apply_by_row(rows_of_n: Formula) -> Rule:
    """Return the rule of a softmax or similar over one axis; see `FLATTENING_SOFTMAX`."""

    def rule(call: NodeCall) -> OpCost | None:
        sizes = call.x.sizes
        flattening = call.version <= FLATTENING_SOFTMAX
        axis = call.get("axis", 1 if flattening else -1) % max(len(sizes), 1)
        n = prod(sizes[axis:]) if flattening else prod(sizes[axis : axis + 1])
        return rows_of_n(call.x.size // n, n) if call.x.size else FREE

    return rule


def accumulate(step: OpCost) -> Rule:
    """Return the rule of a running total: n - 1 steps per row; None if the axis is not known."""

    def rule(call: NodeCall) -> OpCost | None:
        sizes = call.x.sizes
        axis = 0 if len(sizes) == 1 else call.operand(1).scalar
        if not call.x.floating or not call.x.size:
            return FREE
        return None if axis is None else step * (call.x.size - call.x.size // sizes[int(axis)])

    return rule


def top_k(call: NodeCall) -> OpCost | None:
    """Count `k * n` comparisons per row by convention; k = n is a sort, `n * ceil(log2(n))`."""
    axis = call.get("axis", -1)
    n, k = call.x.sizes[axis], call.out.sizes[axis]
    if not (call.x.floating and call.x.size):
        return FREE
    rows = call.x.size // n
    return formula.sort(rows, n) if k == n else formula.top_k(rows, n, k)


_ONNX: dict[str, Rule] = {
    "ReduceSum": reduce_with(formula.summation),
    "ReduceMean": reduce_with(formula.mean),
    "ReduceProd": reduce_with(formula.product),
    "ReduceMax": reduce_with(formula.extremum),
    "ReduceMin": reduce_with(formula.extremum),
    "ReduceL1": reduce_with(formula.norm1),
    "ReduceL2": reduce_with(formula.norm2),
    "ReduceSumSquare": reduce_with(sum_of_squares),
    "ReduceLogSum": reduce_with(log_sum),
    "ReduceLogSumExp": reduce_with(formula.log_sum_exp),
    "ArgMax": reduce_with(formula.extremum),
    "ArgMin": reduce_with(formula.extremum),
    "Softmax": apply_by_row(formula.softmax),
    "LogSoftmax": apply_by_row(formula.log_softmax),
    "Hardmax": apply_by_row(formula.extremum),
    "CumSum": accumulate(ADD),
    "CumProd": accumulate(MUL),
    "TopK": top_k,
}

REDUCTIONS: dict[str, Rule] = {f"onnx.{name}": rule for name, rule in _ONNX.items()}
