"""Rules for matrix factorisations."""

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.formulas.linalg import determinant
from inspect_cost.values.cost import FREE, OpCost


def det(call: NodeCall) -> OpCost | None:
    """Count the determinant of each matrix of (..., n, n)."""
    n = call.x.sizes[-1]
    return determinant(n) * call.out.size if n else FREE


LINALG: dict[str, Rule] = {"onnx.Det": det}
