"""Steps of optimizers by their definitions: what becomes of a parameter, and what is kept of it.

Each takes a parameter, its gradient and the state, which is empty at first, and returns the new
parameter. Numbers of Python, such as powers of a beta, are free; `step` is a number of the state.
"""

from collections.abc import Callable
from math import sqrt as root
from typing import Any

import numpy as np

from tests.formulas.naive.contraction import matmul
from tests.formulas.naive.reduction import over, summation
from tests.formulas.scalars import Real, maximum, rsqrt, sqrt, value

State = dict[str, Any]
Step = Callable[[np.ndarray, np.ndarray, State], np.ndarray]

# With types of results: without, each function is called once more to see what it returns.
ROOTS, RECIPROCAL_ROOTS, MAXIMA = (np.vectorize(f, otypes=[object]) for f in (sqrt, rsqrt, maximum))


def lerp(a: Any, b: Any, weight: float) -> Any:
    return a + (b - a) * weight


def sgd(*, lr: float = 1e-3, momentum: float = 0, nesterov: bool = False, decay: float = 0) -> Step:
    def step(p: np.ndarray, g: np.ndarray, state: State) -> np.ndarray:
        if decay:
            g = g + p * decay
        if momentum:
            known = state.get("buffer")
            buffer = state["buffer"] = g if known is None else known * momentum + g
            g = g + buffer * momentum if nesterov else buffer
        return p - g * lr

    return step


def adam(
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    decay: float = 0,
    decoupled: bool = False,
    amsgrad: bool = False,
) -> Step:
    def step(p: np.ndarray, g: np.ndarray, state: State) -> np.ndarray:
        zero = g * 0 if "m" not in state else None
        t = state["step"] = state.get("step", 0) + _one(g)
        if decay and decoupled:
            p = p * (1 - lr * decay)
        elif decay:
            g = g + p * decay
        m = state["m"] = lerp(state.get("m", zero), g, 1 - betas[0])
        v = state["v"] = state.get("v", zero) * betas[1] + g * g * (1 - betas[1])
        if amsgrad:
            v = state["most"] = MAXIMA(state.get("most", zero), v)
        first, second = (1 - beta ** value(t) for beta in betas)
        return p - m * (lr / first) / (ROOTS(v) / root(second) + eps)

    return step


def adafactor(*, lr: float = 1e-2, beta2: float = -0.8, eps: float = 1e-3, d: float = 1.0) -> Step:
    """A step of Shazeer and Stern's: of a matrix, only means of rows and columns are kept."""
    least = float(np.finfo(np.float64).eps)

    def step(p: np.ndarray, g: np.ndarray, state: State) -> np.ndarray:
        t = state["step"] = state.get("step", 0) + _one(g)
        weight, rate = value(t) ** beta2, min(lr, 1 / value(t) ** 0.5)
        alpha = max(eps, value(norm(p)) / p.size**0.5) * rate
        estimate = factored(g, state, weight) if g.ndim > 1 else whole(g, state, weight)
        update = RECIPROCAL_ROOTS(MAXIMA(estimate, least**2)) * g
        scale = max(1.0, value(norm(update)) / (update.size**0.5 * d))
        return p - update * (alpha / scale)

    def factored(g: np.ndarray, state: State, weight: float) -> np.ndarray:
        for name, axis in (("rows", 1), ("columns", 0)):
            norms = np.expand_dims(over(axis, lambda xs: sqrt(dot_self(xs)))(g), axis)
            mean = norms * norms / g.shape[axis]
            state[name] = lerp(state.get(name, 0.0 * value_of(mean)), mean, weight)
        rows, columns = state["rows"], state["columns"]
        mean_of_rows = summation(list(rows[:, 0])) / len(rows)
        return matmul(rows, columns) / maximum(mean_of_rows, least)

    def whole(g: np.ndarray, state: State, weight: float) -> np.ndarray:
        state["whole"] = lerp(state.get("whole", 0.0 * value_of(g)), g * g, weight)
        estimate: np.ndarray = state["whole"]
        return estimate

    return step


def muon(
    *, lr: float = 1e-3, momentum: float = 0.95, decay: float = 0.1, iterations: int = 5
) -> Step:
    """A step of Jordan's for a matrix: its momentum, made nearly orthogonal."""
    a, b, c = 3.4445, -4.775, 2.0315

    def step(p: np.ndarray, g: np.ndarray, state: State) -> np.ndarray:
        buffer = state["buffer"] = lerp(state.get("buffer", 0.0 * value_of(g)), g, 1 - momentum)
        update = orthogonalized(lerp(g, buffer, momentum))
        rate = lr * root(max(1, p.shape[0] / p.shape[1]))
        return p * (1 - lr * decay) - update * rate

    def orthogonalized(x: np.ndarray) -> np.ndarray:
        if x.shape[0] > x.shape[1]:
            return orthogonalized(x.T).T
        x = x / maximum(norm(x), 1e-7)
        for _ in range(iterations):
            gram = matmul(x, x.T)
            x = x * a + matmul(gram * b + matmul(gram, gram) * c, x)
        return x

    return step


def norm(x: np.ndarray) -> Real:
    return sqrt(dot_self(list(x.flat)))


def dot_self(xs: Any) -> Real:
    return summation([x * x for x in xs])


def value_of(x: np.ndarray) -> np.ndarray:
    """Return an array without its tape."""
    return np.vectorize(value, otypes=[float])(x)


def _one(x: np.ndarray) -> Real:
    return Real(1.0, x.flat[0].tape)
