"""Elementwise arithmetic against the definitions."""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from inspect_cost.formulas import pointwise as formula
from inspect_cost.values.cost import FREE, OpCost
from tests.formulas.naive import pointwise as naive
from tests.formulas.proof import EXACT, SIZE, count_cost, draw_normal, draw_uniform, prove
from tests.formulas.scalars import (
    Real,
    absolute,
    choose,
    compare,
    maximum,
    minimum,
    rsqrt,
    special,
    sqrt,
)


@dataclass(frozen=True)
class Row:
    """One operator: torch's function, its definition, and the cost of one element."""

    call: Callable[..., Tensor]
    reference: Callable[..., Any]
    formula: OpCost | None
    kinds: str = "r"  # of the operands: r real, p positive, c complex, + above 1
    name: str = ""

    def operands(self, *shape: int) -> list[Tensor]:
        """Draw different numbers for each operand."""
        count = len(self.kinds)
        made = {
            "r": draw_normal(*[shape] * count),
            "p": draw_uniform(0.1, 0.9, *[shape] * count),
            "+": draw_uniform(1.1, 3, *[shape] * count),
            "c": draw_normal(*[shape] * count, dtype=torch.complex128),
        }
        return [made[kind][i] for i, kind in enumerate(self.kinds)]

    def __str__(self) -> str:
        return self.name or getattr(self.reference, "__name__", "")


ARITHMETIC = [
    Row(torch.add, lambda x, y: x + y, formula.ADD, "rr", "add"),
    Row(torch.sub, lambda x, y: x - y, formula.ADD, "rr", "sub"),
    Row(lambda x: 3 - x, lambda x: 3 - x, formula.ADD, "r", "rsub"),
    Row(torch.neg, lambda x: -x, formula.ADD, "r", "neg"),
    Row(torch.mul, lambda x, y: x * y, formula.MUL, "rr", "mul"),
    Row(torch.square, lambda x: x * x, formula.MUL, "r", "square"),
    Row(torch.deg2rad, lambda x: math.pi / 180 * x, formula.MUL, "r", "deg2rad"),
    Row(torch.rad2deg, lambda x: 180 / math.pi * x, formula.MUL, "r", "rad2deg"),
    Row(torch.div, lambda x, y: x / y, formula.DIV, "rr", "div"),
    Row(torch.reciprocal, lambda x: 1 / x, formula.DIV, "r", "reciprocal"),
    Row(torch.sqrt, sqrt, formula.SQRT, "p"),
    Row(torch.rsqrt, rsqrt, formula.SQRT, "p"),
    Row(torch.addcmul, naive.addcmul, formula.ADDCMUL, "rrr"),
    Row(torch.addcdiv, naive.addcdiv, formula.ADDCDIV, "rrr"),
    Row(torch.lerp, naive.lerp, formula.LERP, "rrp"),
    Row(lambda x, y, c, s: x * c - y * s, naive.rotate, formula.ROTATION, "rrrr", "rotated"),
    Row(torch.hypot, naive.hypot, formula.HYPOT, "rr"),
    Row(torch.remainder, naive.remainder, None, "rp"),
    Row(torch.fmod, naive.fmod, None, "rp"),
    Row(torch.floor_divide, lambda x, y: naive.floor(x / y), None, "rp", "floor_divide"),
    Row(
        lambda x, y: torch.div(x, y, rounding_mode="floor"),
        lambda x, y: naive.floor(x / y),
        None,
        "rp",
        "div, rounded down",
    ),
    Row(
        lambda x, y: torch.add(x, y, alpha=3), lambda x, y: x + 3 * y, None, "rr", "add with alpha"
    ),
    Row(
        lambda x, a, b: torch.addcmul(x, a, b, value=3),
        lambda x, a, b: x + 3 * (a * b),
        None,
        "rrr",
        "addcmul with value",
    ),
    Row(
        lambda x, a, b: torch.addcdiv(x, a, b, value=3),
        lambda x, a, b: x + 3 * (a / b),
        None,
        "rrr",
        "addcdiv with value",
    ),
]

COMPARISONS = [
    Row(torch.maximum, maximum, formula.COMPARE, "rr"),
    Row(torch.minimum, minimum, formula.COMPARE, "rr"),
    Row(torch.max, maximum, formula.COMPARE, "rr", "max of two"),
    Row(torch.fmin, minimum, formula.COMPARE, "rr", "fmin"),
    Row(torch.abs, absolute, formula.COMPARE),
    Row(torch.min, minimum, formula.COMPARE, "rr", "min of two"),
    Row(torch.fmax, maximum, formula.COMPARE, "rr", "fmax"),
    Row(torch.isnan, lambda x: compare(math.isnan, x), formula.COMPARE, "r", "isnan"),
    Row(torch.isinf, lambda x: compare(math.isinf, x), formula.COMPARE, "r", "isinf"),
    Row(torch.isfinite, lambda x: compare(math.isfinite, x), formula.COMPARE, "r", "isfinite"),
    Row(torch.signbit, lambda x: compare(lambda v: v < 0, x), formula.COMPARE, "r", "signbit"),
    Row(
        torch.copysign,
        lambda x, y: choose((x.value < 0) == (y.value < 0), x, -x.value),
        formula.COMPARE,
        "rr",
        "copysign",
    ),
    Row(
        lambda x, y: x.clone().copysign_(y),
        lambda x, y: choose((x.value < 0) == (y.value < 0), x, -x.value),
        formula.COMPARE,
        "rr",
        "copysign in place",
    ),
    Row(torch.isclose, naive.is_close, formula.IS_CLOSE, "rr"),
    Row(torch.sign, lambda x: compare(lambda v: v > 0, x), None, "p", "sign"),
    Row(
        lambda x: torch.clamp(x, min=-0.5),
        lambda x: maximum(x, -0.5),
        formula.CLAMP_ONE_SIDE,
        "r",
        "clamp from below",
    ),
    Row(
        lambda x: torch.clamp_min(x, -0.5),
        lambda x: maximum(x, -0.5),
        formula.CLAMP_ONE_SIDE,
        "r",
        "clamp_min",
    ),
    Row(
        lambda x: torch.clamp_max(x, 0.5),
        lambda x: minimum(x, 0.5),
        formula.CLAMP_ONE_SIDE,
        "r",
        "clamp_max",
    ),
    Row(
        lambda x: torch.clamp(x, max=0.5),
        lambda x: minimum(x, 0.5),
        formula.CLAMP_ONE_SIDE,
        "r",
        "clamp from above",
    ),
    Row(
        lambda x: torch.clamp(x, -0.5, 0.5),
        lambda x: naive.clamp(x, -0.5, 0.5),
        formula.CLAMP,
    ),
]

COMPARISONS += [
    Row(
        getattr(torch, name),
        partial(compare, getattr(operator, name)),
        formula.COMPARE,
        "rr",
        name,
    )
    for name in ("eq", "ne", "lt", "le", "gt", "ge")
]

ACTIVATIONS = [
    Row(F.relu, naive.relu, formula.RELU),
    Row(F.relu6, lambda x: naive.clamp(x, 0, 6), formula.CLAMP, "r", "relu6"),
    Row(
        lambda x: F.leaky_relu(x, 0.2),
        lambda x: naive.leaky_relu(x, 0.2),
        formula.LEAKY_RELU,
        "r",
        "leaky_relu",
    ),
    Row(
        lambda x: F.threshold(x, 0.1, 20),
        lambda x: choose(x.value > 0.1, x, 20),
        formula.COMPARE,
        "r",
        "threshold",
    ),
    Row(F.silu, naive.silu, formula.SILU),
    Row(F.gelu, naive.gelu, formula.GELU_ERF),
    Row(lambda x: F.gelu(x, approximate="tanh"), naive.gelu_by_tanh, formula.GELU_TANH),
    Row(lambda x: F.elu(x, 2.0), lambda x: naive.elu(x, 2.0), formula.ELU, "r", "elu"),
    Row(lambda x: F.celu(x, 2.0), lambda x: naive.celu(x, 2.0), None, "r", "celu"),
    Row(F.selu, naive.selu, formula.SELU),
    Row(F.softplus, naive.softplus, formula.SOFTPLUS),
    Row(
        lambda x: F.softplus(x, beta=2),
        lambda x: naive.steeper_softplus(x, 2),
        None,
        "r",
        "softplus with beta",
    ),
    Row(F.mish, naive.mish, formula.MISH),
    Row(F.logsigmoid, naive.log_sigmoid, formula.LOG_SIGMOID),
    Row(F.hardtanh, lambda x: naive.clamp(x, -1, 1), formula.HARD_TANH, "r", "hardtanh"),
    Row(F.hardsigmoid, naive.hard_sigmoid, formula.HARD_SIGMOID),
    Row(F.hardswish, naive.hard_swish, formula.HARD_SWISH),
    Row(F.softsign, naive.soft_sign, formula.SOFT_SIGN),
    Row(F.tanhshrink, naive.tanh_shrink, formula.TANH_SHRINK),
    Row(
        lambda x: F.hardshrink(x, 0.3),
        lambda x: naive.hard_shrink(x, 0.3),
        formula.HARD_SHRINK,
        "r",
        "hard_shrink",
    ),
    Row(
        lambda x: F.softshrink(x, 0.3),
        lambda x: naive.soft_shrink(x, 0.3),
        formula.SOFT_SHRINK,
        "r",
        "soft_shrink",
    ),
]

COMPLEX = [
    Row(torch.add, naive.complex_add, formula.COMPLEX_ADD, "cc"),
    Row(torch.sub, naive.complex_sub, formula.COMPLEX_ADD, "cc"),
    Row(torch.neg, naive.complex_neg, formula.COMPLEX_ADD, "c"),
    Row(torch.mul, naive.complex_mul, formula.COMPLEX_MUL, "cc"),
    Row(
        torch.square, lambda z: naive.complex_mul(z, z), formula.COMPLEX_MUL, "c", "complex_square"
    ),
    Row(torch.mul, naive.complex_scale, formula.COMPLEX_SCALE, "rc"),
    Row(
        lambda z: 3 * z,
        lambda z: naive.complex_scale(3.0, z),
        formula.COMPLEX_SCALE,
        "c",
        "three times complex",
    ),
    Row(torch.div, naive.complex_div, formula.COMPLEX_DIV, "cc"),
    Row(torch.div, naive.complex_shrink, formula.COMPLEX_SHARE, "cr"),
    Row(torch.div, naive.real_over_complex, formula.REAL_OVER_COMPLEX, "rc"),
    Row(torch.reciprocal, naive.complex_reciprocal, formula.COMPLEX_RECIPROCAL, "c"),
    Row(torch.add, naive.real_plus_complex, formula.ADD, "rc"),
    Row(torch.abs, naive.complex_abs, formula.COMPLEX_ABS, "c"),
    Row(torch.sgn, naive.complex_sign, formula.COMPLEX_SIGN, "c"),
    Row(torch.angle, naive.complex_angle, formula.COMPLEX_ANGLE, "c"),
    Row(torch.exp, naive.complex_exp, formula.COMPLEX_EXP, "c"),
    Row(torch.log, naive.complex_log, formula.COMPLEX_LOG, "c"),
    Row(lambda z: z**2, lambda z: naive.complex_mul(z, z), formula.COMPLEX_MUL, "c", "z^2"),
    Row(
        torch.addcmul,
        lambda x, a, b: naive.complex_add(x, naive.complex_mul(a, b)),
        None,
        "ccc",
        "complex addcmul",
    ),
    Row(torch.polar, naive.polar, formula.POLAR, "pr"),
]


@pytest.mark.parametrize("row", ARITHMETIC + COMPARISONS + ACTIVATIONS + COMPLEX, ids=str)
@EXACT
@given(m=SIZE, n=SIZE)
def test_each_element_costs_what_the_definition_does(row: Row, m: int, n: int) -> None:
    expected = None if row.formula is None else row.formula * (m * n)
    prove(row.call, naive.elementwise(row.reference), *row.operands(m, n), formula=expected)


@EXACT
@given(rows=SIZE, half=SIZE)
def test_glu_costs_by_its_results_which_are_half_of_its_operands(rows: int, half: int) -> None:
    (x,) = draw_normal((rows, 2 * half))
    prove(F.glu, naive.glu, x, formula=formula.GLU * (rows * half))


@EXACT
@given(m=SIZE, n=SIZE)
def test_parametric_relu_is_one_choice(m: int, n: int) -> None:
    prove(F.prelu, naive.elementwise(naive.prelu), *draw_normal((m, n), (1,)))


@EXACT
@given(m=SIZE, n=SIZE)
def test_broadcast_operands_cost_by_the_result(m: int, n: int) -> None:
    x, y = draw_normal((m, 1), (n,))
    prove(torch.mul, naive.elementwise(lambda a, b: a * b), x, y, formula=formula.MUL * (m * n))


@EXACT
@given(n=SIZE)
def test_in_place_forms_cost_as_the_plain_ones(n: int) -> None:
    x, y = draw_normal((n,), (n,))
    prove(lambda x, y: x.clone().mul_(y), lambda x, y: x * y, x, y, formula=formula.MUL * n)


SPECIAL_FUNCTIONS = [
    Row(getattr(torch, name), getattr(math, name), formula.SPECIAL, kinds)
    for kinds, names in {
        "p": "log log2 log10 log1p asin acos atanh",
        "r": "exp exp2 expm1 sin cos tan atan sinh cosh tanh asinh erf erfc floor ceil trunc",
        "+": "acosh lgamma",
        "rr": "atan2",
    }.items()
    for name in names.split()
] + [
    Row(torch.sigmoid, lambda x: 1 / (1 + math.exp(-x)), formula.SPECIAL, "r", "sigmoid"),
    Row(torch.logit, lambda x: math.log(x / (1 - x)), formula.SPECIAL, "p", "logit"),
    Row(torch.sinc, lambda x: math.sin(math.pi * x) / (math.pi * x), formula.SPECIAL, "p", "sinc"),
    Row(torch.round, round, formula.SPECIAL, "r", "round"),
    Row(torch.i0, np.i0, formula.SPECIAL, "r", "i0"),
    Row(
        torch.logaddexp,
        lambda x, y: math.log(math.exp(x) + math.exp(y)),
        formula.SPECIAL,
        "rr",
        "logaddexp",
    ),
    Row(torch.xlogy, lambda x, y: x * math.log(y), formula.SPECIAL, "pp", "xlogy"),
    Row(
        torch.special.ndtr,
        lambda x: (1 + math.erf(x / math.sqrt(2))) / 2,
        formula.SPECIAL,
        "r",
        "ndtr",
    ),
]


@pytest.mark.parametrize("row", SPECIAL_FUNCTIONS, ids=str)
def test_one_evaluation_of_a_special_function_is_one_by_convention(row: Row) -> None:
    def evaluate(*xs: Real) -> Real:
        return special(lambda *values: float(row.reference(*values)), *xs)

    operands = row.operands(2, 3)
    prove(row.call, naive.elementwise(evaluate), *operands, formula=formula.SPECIAL * 6)


POWERS: list[tuple[float, Callable[[Real], Real]]] = [
    (2, lambda x: x * x),
    (0.5, sqrt),
    (-0.5, rsqrt),
    (-1, lambda x: 1 / x),
    (3, lambda x: special(lambda v: v**3, x)),
    (-2, lambda x: special(lambda v: v**-2, x)),
    (1.7, lambda x: special(lambda v: v**1.7, x)),
]


@pytest.mark.parametrize(("exponent", "reference"), POWERS, ids=[str(p) for p, _ in POWERS])
def test_powers_are_products_roots_and_quotients_where_they_can_be(
    exponent: float, reference: Callable[[Real], Real]
) -> None:
    (x,) = draw_uniform(0.1, 0.9, (2, 3))
    expected = formula.power(exponent) * 6
    prove(lambda x: x**exponent, naive.elementwise(reference), x, formula=expected)
    prove(lambda x: x ** float(exponent), naive.elementwise(reference), x, formula=expected)


@pytest.mark.parametrize("exponent", [0, 1])
def test_powers_of_0_and_1_compute_nothing(exponent: int) -> None:
    (x,) = draw_normal((2, 3))
    assert formula.power(exponent) == count_cost(lambda x: x**exponent, x) == FREE


def test_a_power_by_a_tensor_is_one_evaluation() -> None:
    x, y = draw_uniform(0.1, 0.9, (2, 3), (2, 3))
    power = naive.elementwise(lambda a, b: special(math.pow, a, b))
    prove(torch.pow, power, x, y, formula=formula.power(None) * 6)
    base = naive.elementwise(lambda b: special(lambda v: 3**v, b))
    prove(lambda y: 3**y, base, y, formula=formula.power(None) * 6)


@EXACT
@given(n=SIZE, threshold=st.floats(-1, 1))
def test_where_is_a_choice_besides_the_comparison_that_it_is_made_by(
    n: int, threshold: float
) -> None:
    def reference(x: Real, y: Real) -> Real:
        return choose(bool(compare(lambda v: v > threshold, x).value), x, y)

    x, y = draw_normal((n,), (n,))
    call = lambda x, y: torch.where(x > threshold, x, y)  # noqa: E731
    prove(call, naive.elementwise(reference), x, y, formula=formula.COMPARE * (2 * n))


def test_masked_fill_is_a_choice() -> None:
    x, mask = draw_normal((2, 3))[0], torch.tensor([True, False, True])
    fill = naive.elementwise(lambda x, m: choose(m, 9.0, x))
    prove(lambda x, m: x.masked_fill(m, 9.0), fill, x, mask, formula=formula.COMPARE * 6)


@EXACT
@given(n=SIZE, bins=st.integers(1, 5))
def test_a_histogram_places_each_number(n: int, bins: int) -> None:
    def reference(x: np.ndarray) -> np.ndarray:
        out = np.zeros(bins)
        for number in x:
            inside = bool(compare(lambda v: v >= -1, number).value)
            inside = bool(compare(lambda v: v <= 1, number).value) and inside
            place = special(math.floor, (number - -1.0) * (bins / 2))
            out[min(int(place.value), bins - 1)] += inside
        return out.astype(object)

    (x,) = draw_uniform(-0.9, 0.9, (n,))
    prove(lambda x: torch.histc(x, bins, -1, 1), reference, x, formula=formula.HISTOGRAM * n)


def test_equality_of_two_tensors_compares_each_element() -> None:
    x, y = draw_normal((5,), (5,))
    assert count_cost(torch.equal, x, y) == formula.COMPARE * 5


@pytest.mark.parametrize("call", [torch.add, torch.mul, torch.maximum, torch.eq])
def test_integer_arithmetic_is_free(call: Callable[..., Tensor]) -> None:
    x = torch.arange(6)
    assert count_cost(call, x, x) == FREE


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout1d, nn.AlphaDropout], ids=str)
def test_dropout_is_free_at_inference(kind: Callable[[float], nn.Module]) -> None:
    (x,) = draw_normal((2, 3))
    assert count_cost(kind(0.5), x) == FREE


def test_a_set_is_compared_with_one_by_one() -> None:
    def reference(xs: np.ndarray, among: np.ndarray) -> np.ndarray:
        return np.array(
            [max(compare(lambda a, b: a == b, x, y).value for y in among) for x in xs], dtype=object
        )

    x = torch.arange(5.0)
    prove(torch.isin, reference, x, torch.tensor([1.0, 3.0, 7.0]))
    assert count_cost(torch.isin, x, 3.0) == OpCost(compare=5)
    assert count_cost(torch.isin, x.long(), x.long()) == OpCost()


def test_all_being_close_costs_what_each_being_close_does() -> None:
    x, y = draw_normal((3, 1), (4,))
    assert count_cost(torch.allclose, x, y) == formula.IS_CLOSE * 12
    assert count_cost(torch.isclose, x, y) == formula.IS_CLOSE * 12
