"""Gradients of recurrent layers in one kernel: H hidden units, I inputs, T steps of B rows."""

from typing import NamedTuple

from inspect_cost.formulas.backward import SIGMOID, TANH
from inspect_cost.formulas.contraction import matmul
from inspect_cost.formulas.pointwise import ADD, MUL
from inspect_cost.values.cost import FREE, OpCost


class Wanted(NamedTuple):
    """Which gradients of a layer are asked for, and which of its results have one.

    Attributes:
        x: the input's.
        h: the first state's.
        c: the first cell's.
        weights: those of `W` and `U`, and of the biases if there are any.
        states: whether every state is a result with a gradient.
        last_h: whether the last state has one by itself.
        last_c: whether the last cell has one by itself.
    """

    x: bool = False
    h: bool = False
    c: bool = False
    weights: bool = True
    states: bool = True
    last_h: bool = False
    last_c: bool = False


def lstm_gradients(T: int, B: int, H: int, I: int, wanted: Wanted, *, biased: bool) -> OpCost:
    """Gradients of one direction of an LSTM layer, back through its steps.

    Of `c' = f c + i g` and `h = o tanh(c')` a step takes six products; gradients that come in by
    two ways are added up; those of weights are made step by step and added up.
    """
    rows, steps, cell = T * B, max(0, T - 1), B * H
    # In the first step the gradient ends at f, unless that of c is wanted; in the last, h may have
    # none, and so neither o nor tanh(c).
    ends = cell * (T > 0 and not wanted.c)
    through_h = wanted.states or wanted.last_h
    outputs = rows * H - cell * (T > 0 and not through_h)
    spent = (2 * SIGMOID + TANH) * (rows * H) + (SIGMOID + TANH + 2 * MUL) * outputs
    spent += MUL * (4 * rows * H - ends)
    spent += ADD * (cell * (wanted.states * (steps + wanted.last_h)))
    spent += ADD * (cell * (steps + (wanted.last_c and through_h)))
    spent += matmul(B, 4 * H, H) * (T if wanted.h else steps)
    spent += matmul(rows, 4 * H, I) if wanted.x else FREE
    return spent + (_weights(T, rows, H, I, biased=biased) if wanted.weights else FREE)


def _weights(T: int, rows: int, H: int, I: int, *, biased: bool) -> OpCost:
    """`dW = sum(d x^T)`, `dU = sum(d h^T)`, and each bias' `sum(d)`."""
    products = matmul(4 * H, rows, I) + matmul(4 * H, rows, H)
    sums = ADD * (2 * 4 * H * max(0, rows - 1)) if biased else FREE
    return products + sums + ADD * (4 * H * (I + H) * max(0, T - 1))
