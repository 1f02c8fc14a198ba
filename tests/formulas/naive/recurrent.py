"""Recurrent cells, and layers made of them, by the equations in torch's documentation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.formulas.naive.contraction import dot
from tests.formulas.scalars import Real, maximum, sigmoid, tanh

Vector = Sequence[Real]
State = tuple[Vector, ...]


@dataclass(frozen=True)
class Weights:
    """One direction of one layer: W x + b is the input's share of the gates, U h + c the state's.

    V projects the state, where there is such a matrix.
    """

    W: np.ndarray
    U: np.ndarray
    b: np.ndarray | None = None
    c: np.ndarray | None = None
    V: np.ndarray | None = None

    def shares(self, x: Vector, h: Vector, gates: int) -> list[tuple[Vector, Vector]]:
        """Return both shares of each gate, not yet added to each other."""
        units = len(self.W) // gates
        of_x = [_affine(self.W, self.b, x, row) for row in range(len(self.W))]
        of_h = [_affine(self.U, self.c, h, row) for row in range(len(self.U))]
        parts = [slice(gate * units, (gate + 1) * units) for gate in range(gates)]
        return [(of_x[part], of_h[part]) for part in parts]


def _affine(matrix: np.ndarray, bias: np.ndarray | None, x: Vector, row: int) -> Real:
    y = dot(matrix[row], x)
    return y if bias is None else y + bias[row]


def each(activation: Callable[[Real], Real], shares: tuple[Vector, Vector]) -> Vector:
    """Return `activation(W x + U h)` of a gate's units."""
    return [activation(x + h) for x, h in zip(*shares, strict=True)]


def lstm(weights: Weights, x: Vector, state: State) -> State:
    """Return `h = o tanh(c)`, projected if there is a projection, and `c = f c + i g`."""
    h, c = state
    shares = weights.shares(x, h, gates=4)
    i, f, o = (each(sigmoid, shares[gate]) for gate in (0, 1, 3))
    g = each(tanh, shares[2])
    c = [f[k] * c[k] + i[k] * g[k] for k in range(len(c))]
    h = [o[k] * tanh(c[k]) for k in range(len(c))]
    if weights.V is not None:
        h = [dot(row, h) for row in weights.V]
    return h, c


def gru(weights: Weights, x: Vector, state: State) -> State:
    """Return `h = (1 - z) n + z h` with `n = tanh(W x + r (U h))`."""
    (h,) = state
    shares = weights.shares(x, h, gates=3)
    r, z = each(sigmoid, shares[0]), each(sigmoid, shares[1])
    of_x, of_h = shares[2]
    n = [tanh(of_x[k] + r[k] * of_h[k]) for k in range(len(h))]
    return ([(1 - z[k]) * n[k] + z[k] * h[k] for k in range(len(h))],)


def elman(weights: Weights, x: Vector, state: State) -> State:
    """Return `h = tanh(W x + U h)`."""
    return (each(tanh, weights.shares(x, state[0], gates=1)[0]),)


def elman_relu(weights: Weights, x: Vector, state: State) -> State:
    """Return `h = relu(W x + U h)`."""
    (shares,) = weights.shares(x, state[0], gates=1)
    return (each(lambda v: maximum(v, 0.0), shares),)


Cell = Callable[[Weights, Vector, State], State]


def run(cell: Cell, weights: Weights, xs: Sequence[Vector], gates: int) -> list[Vector]:
    """Return the states h of one sequence, starting from zeros."""
    units = len(weights.W) // gates
    outputs = units if weights.V is None else len(weights.V)
    zero: Any = 0.0  # a constant, which is read like any `Real`
    state: State = ([zero] * outputs, [zero] * units) if gates == 4 else ([zero] * units,)
    states = []
    for x in xs:
        state = cell(weights, x, state)
        states.append(state[0])
    return states


def layers(
    cell: Cell,
    gates: int,
    xs: Sequence[Vector],
    parameters: Mapping[str, np.ndarray],
    *,
    depth: int = 1,
    bidirectional: bool = False,
) -> Sequence[Vector]:
    """Stack layers; the backward direction reads from the end, and both directions are joined."""
    for layer in range(depth):
        joined = run(cell, _weights(parameters, f"l{layer}"), xs, gates)
        if bidirectional:
            reverse = _weights(parameters, f"l{layer}_reverse")
            backward = run(cell, reverse, xs[::-1], gates)[::-1]
            joined = [[*a, *b] for a, b in zip(joined, backward, strict=True)]
        xs = joined
    return xs


def _weights(parameters: Mapping[str, np.ndarray], suffix: str) -> Weights:
    """Pick the weights of one direction by torch's names."""
    return Weights(
        W=parameters[f"weight_ih_{suffix}"],
        U=parameters[f"weight_hh_{suffix}"],
        b=parameters.get(f"bias_ih_{suffix}"),
        c=parameters.get(f"bias_hh_{suffix}"),
        V=parameters.get(f"weight_hr_{suffix}"),
    )
