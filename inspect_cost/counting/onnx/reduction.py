"""Rules of reductions, softmaxes, running sums and top-k.

How many numbers make one result follows from the sizes of both, so axes need not be read.
"""

from collections.abc import Callable
from math import prod

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.formulas import reduction as formula
from inspect_cost.formulas.pointwise import ADD, MUL, SPECIAL
from inspect_cost.values.cost import FREE, OpCost

Formula = Callable[[int, int], OpCost]
#: Until this version softmax worked on a matrix, from its axis on.
FLATTENING_SOFTMAX = 12


def reduce_with(rows_of_n: Formula) -> Rule:
    """Rule of a reduction; that of integers is free, and reducing nothing as well."""

    def rule(call: NodeCall) -> OpCost | None:
        x, rows = call.x, call.out.size
        return rows_of_n(rows, x.size // rows) if x.floating and rows and x.size else FREE

    return rule


def sum_of_squares(rows: int, n: int) -> OpCost:
    """x_1^2 + ... + x_n^2."""
    return MUL * (rows * n) + formula.summation(rows, n)


def log_sum(rows: int, n: int) -> OpCost:
    """The logarithm of the sum."""
    return formula.summation(rows, n) + SPECIAL * rows


def apply_by_row(rows_of_n: Formula) -> Rule:
    """Rule of a softmax or the like over one axis, or before version 13 over all from it on."""

    def rule(call: NodeCall) -> OpCost | None:
        sizes = call.x.sizes
        flattening = call.version <= FLATTENING_SOFTMAX
        axis = call.get("axis", 1 if flattening else -1) % max(len(sizes), 1)
        n = prod(sizes[axis:]) if flattening else prod(sizes[axis : axis + 1])
        return rows_of_n(call.x.size // n, n) if call.x.size else FREE

    return rule


def accumulate(step: OpCost) -> Rule:
    """Rule of a running total: n - 1 steps a row; None where the axis is not known."""

    def rule(call: NodeCall) -> OpCost | None:
        sizes = call.x.sizes
        axis = 0 if len(sizes) == 1 else call.operand(1).scalar
        if not call.x.floating or not call.x.size:
            return FREE
        return None if axis is None else step * (call.x.size - call.x.size // sizes[int(axis)])

    return rule


def top_k(call: NodeCall) -> OpCost | None:
    """By convention k n comparisons a row; all of them in order is a sort, n ceil(log2 n)."""
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
