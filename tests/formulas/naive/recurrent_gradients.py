"""Gradients of an LSTM layer, back through its steps, by the chain rule on each number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.formulas.naive.contraction import dot
from tests.formulas.scalars import Real, value

Vector = list[Any]


@dataclass(frozen=True)
class Step:
    """What the forward of one step of one sequence keeps, each a vector."""

    x: Vector
    h: Vector
    c: Vector
    i: Vector
    f: Vector
    g: Vector
    o: Vector
    tanh_c: Vector


def forget(step: Any) -> Vector:
    """Return numbers as they are known after the forward, whose arithmetic is not counted."""
    return list(step)


def add(a: Real | None, b: Real | None) -> Any:
    """Add up gradients of which either may not be there."""
    return b if a is None else a if b is None else a + b


def of_sigmoid(g: Any, y: Real) -> Any:
    return None if g is None else g * ((1 - y) * y)


def of_tanh(g: Any, y: Real) -> Any:
    return None if g is None else g * (1 - y * y)


def times(a: Any, b: Any) -> Any:
    return None if a is None else a * b


def go_back(
    sequences: list[list[Step]],
    U: np.ndarray,
    W: np.ndarray,
    given: Mapping[str, Any],
    wanted: Mapping[str, bool],
) -> dict[str, list[list[list[Any]]] | list[Any]]:
    """Return gradients of the gates by sequence and step, and of x, h and c where wanted.

    Args:
        sequences: steps of each sequence.
        U: weights of the state, (4 H, H).
        W: weights of the input, (4 H, I).
        given: gradients of "states" (T, B, H), "last_h" and "last_c" (B, H), or None.
        wanted: whether "x", "h" and "c" have gradients.
    """
    gates: list[list[Vector]] = []
    found: dict[str, list[Any]] = {"x": [], "h": [], "c": []}
    for b, steps in enumerate(sequences):
        last = len(steps) - 1
        dh: Vector = [None] * U.shape[1]
        dc: Vector = [None] * U.shape[1]
        of_gates: list[Vector] = [[] for _ in steps]
        for t in range(last, -1, -1):
            if t == last:
                dh = [_at(given["last_h"], b, k) for k in range(len(dh))]
                dc = [_at(given["last_c"], b, k) for k in range(len(dc))]
            if given["states"] is not None:
                dh = [add(dh[k], given["states"][t][b][k]) for k in range(len(dh))]
            step = steps[t]
            through = [of_tanh(times(dh[k], step.o[k]), step.tanh_c[k]) for k in range(len(dh))]
            dc = [add(dc[k], through[k]) for k in range(len(dc))]
            do = [of_sigmoid(times(dh[k], step.tanh_c[k]), step.o[k]) for k in range(len(dh))]
            di = [of_sigmoid(dc[k] * step.g[k], step.i[k]) for k in range(len(dc))]
            df = [of_sigmoid(dc[k] * step.c[k], step.f[k]) for k in range(len(dc))]
            dg = [of_tanh(dc[k] * step.i[k], step.g[k]) for k in range(len(dc))]
            of_gates[t] = [*di, *df, *dg, *(0.0 if d is None else d for d in do)]
            if wanted["x"]:
                found["x"].append([dot(W[:, j], of_gates[t]) for j in range(W.shape[1])])
            if t or wanted["c"]:
                dc = [dc[k] * step.f[k] for k in range(len(dc))]
            if t or wanted["h"]:
                dh = [dot(U[:, j], of_gates[t]) for j in range(U.shape[1])]
        gates.append(of_gates)
        found["h"].append(dh)
        found["c"].append(dc)
    return {"gates": gates, **found}


def of_weights(gates: list[list[Vector]], read: list[list[Vector]]) -> np.ndarray:
    """Return `sum(d x^T)`: over the sequences of each step, then over the steps."""
    total: Any = None
    for t in range(len(gates[0])):
        rows, columns = len(gates[0][0]), len(read[0][0])
        made = np.empty((rows, columns), dtype=object)
        for row, column in np.ndindex(rows, columns):
            ds = [sequence[t][row] for sequence in gates]
            made[row, column] = dot(ds, [sequence[t][column] for sequence in read])
        total = made if total is None else total + made
    result: np.ndarray = total
    return result


def of_bias(gates: list[list[Vector]]) -> list[Any]:
    """Return the sum over all steps of all sequences."""
    rows = [step for sequence in gates for step in sequence]
    total = rows[0]
    for row in rows[1:]:
        total = [a + b for a, b in zip(total, row, strict=True)]
    return total


def _at(gradient: Any, b: int, k: int) -> Any:
    return None if gradient is None else gradient[b][k]


def numbers(gradient: Any) -> list[float]:
    """Return a gradient's numbers without their tape."""
    return [value(each) for each in np.asarray(gradient, dtype=object).flat]
