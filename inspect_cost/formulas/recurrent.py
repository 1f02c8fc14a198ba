"""Recurrent cells, for one step of one sequence: H hidden units, I inputs, P recurrent inputs.

P is H, or the size of the projected state (Sak, Senior & Beaufays 2014). The equations are those
of torch's documentation, where a gate has one bias for the input and one for the state.
"""

from inspect_cost.formulas.contraction import matmul
from inspect_cost.formulas.pointwise import ADD, COMPARE, MUL, SPECIAL
from inspect_cost.values.cost import FREE, OpCost


def _gates(count: int, H: int, I: int, P: int, *, biased: bool) -> OpCost:
    """`W x` and `U h` of ``count`` gates with their biases, not yet added to each other."""
    products = matmul(1, I, count * H) + matmul(1, P, count * H)
    return products + (ADD * (2 * count * H) if biased else FREE)


def lstm_step(H: int, I: int, P: int | None = None, *, biased: bool = True) -> OpCost:
    """LSTM with forget gate (Hochreiter & Schmidhuber 1997): MACs and `21 H`, `13 H` unbiased.

    `i, f, o = sigmoid(W x + U h)`, `g = tanh(W x + U h)`; `c = f c + i g`; `h = o tanh(c)`; and
    `h = V h` if P is given.
    """
    preactivation = _gates(4, H, I, P or H, biased=biased) + ADD * (4 * H)
    state = SPECIAL * (4 * H) + (2 * MUL + ADD) * H + (SPECIAL + MUL) * H
    return preactivation + state + (matmul(1, H, P) if P else FREE)


def gru_step(H: int, I: int, *, biased: bool = True) -> OpCost:
    """GRU (Cho et al. 2014): MACs and `17 H`, `11 H` unbiased.

    `r, z = sigmoid(W x + U h)`; `n = tanh(W x + r (U h))`; `h = (1 - z) n + z h`.
    """
    gates = _gates(3, H, I, H, biased=biased) + ADD * (2 * H) + SPECIAL * (2 * H)
    candidate = (MUL + ADD + SPECIAL) * H
    return gates + candidate + (ADD + 2 * MUL + ADD) * H


def elman_step(H: int, I: int, *, biased: bool = True, relu: bool = False) -> OpCost:
    """Elman network (1990): `h = tanh(W x + U h)`, or relu instead of tanh."""
    activation = COMPARE if relu else SPECIAL
    return _gates(1, H, I, H, biased=biased) + (ADD + activation) * H
