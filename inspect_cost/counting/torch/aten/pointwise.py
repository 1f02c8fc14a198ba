"""Rules of elementwise arithmetic.

Integer and boolean arithmetic (positions, masks, lengths) is not floating-point and is free.
Complex arithmetic is counted in real operations.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.counting.torch.contents import count_values
from inspect_cost.formulas import pointwise as formula
from inspect_cost.formulas.pointwise import ADD, COMPARE, DIV, MUL, SPECIAL, SQRT
from inspect_cost.values.cost import FREE, OpCost


def each(
    real: OpCost, *, complex_: OpCost | None = None, real_and_complex: OpCost | None = None
) -> Rule:
    """Make the rule of an operator that costs the same for each element of its result.

    Args:
        real: cost of one real element.
        complex_: cost of one complex element; None if it is unknown.
        real_and_complex: cost of one complex element if one operand is real; ``complex_`` by
            default.
    """

    def rule(out: Tensor, *args: Any, **kwargs: Any) -> OpCost | None:
        operands = [out, *_pick_tensors((*args, *kwargs.values()))]
        if any(t.is_complex() for t in operands):
            mixed = real_and_complex and any(not _is_complex(x) for x in args[:2])
            cost = real_and_complex if mixed else complex_
            return None if cost is None else cost * count_values(out)
        return real * count_values(out) if any(t.is_floating_point() for t in operands) else FREE

    return rule


def _pick_tensors(values: tuple[Any, ...]) -> Iterator[Tensor]:
    """Yield the tensors among some arguments."""
    return (value for value in values if isinstance(value, Tensor))


def _is_complex(operand: Any) -> bool:
    return operand.is_complex() if isinstance(operand, Tensor) else isinstance(operand, complex)


def add(out: Tensor, a: Any, b: Any, alpha: float = 1, **_out: Any) -> OpCost | None:
    """Count `a + alpha * b`; an alpha of 1 is free."""
    real = ADD + MUL * (abs(alpha) != 1)
    return each(real, complex_=2 * real, real_and_complex=real)(out, a, b)


def addcmul(
    out: Tensor, x: Tensor, a: Tensor, b: Tensor, *, value: float = 1, **_out: Any
) -> OpCost | None:
    """Count `x + value * a * b`."""
    real = formula.ADDCMUL + MUL * (abs(value) != 1)
    scaled = formula.COMPLEX_SCALE * (abs(value) != 1)
    return each(real, complex_=formula.COMPLEX_MUL + formula.COMPLEX_ADD + scaled)(out, x, a, b)


def addcdiv(
    out: Tensor, x: Tensor, a: Tensor, b: Tensor, *, value: float = 1, **_out: Any
) -> OpCost | None:
    """Count `x + value * a / b`."""
    return each(formula.ADDCDIV + MUL * (abs(value) != 1))(out, x, a, b)


def divide(
    out: Tensor, a: Any, b: Any, *, rounding_mode: str | None = None, **_out: Any
) -> OpCost | None:
    """Count `a / b`, with a rounding if there is a rounding mode."""
    mixed = formula.COMPLEX_SHARE if _is_complex(a) else formula.REAL_OVER_COMPLEX
    real = DIV + (SPECIAL if rounding_mode else FREE)
    return each(real, complex_=formula.COMPLEX_DIV, real_and_complex=mixed)(out, a, b)


def softplus(out: Tensor, x: Tensor, beta: float = 1, threshold: float = 20) -> OpCost | None:
    """Count `log(1 + exp(beta * x)) / beta`; a beta of 1 is free."""
    return each(formula.SOFTPLUS + (MUL + DIV) * (beta != 1))(out, x)


def equal(out: bool, a: Tensor, b: Tensor) -> OpCost | None:
    """Count one comparison for each element."""
    return _COMPARE(a, b)


def all_close(out: bool, a: Tensor, b: Tensor, *_tolerances: Any) -> OpCost | None:
    """Count one closeness test for each element; combining them is boolean, and free."""
    return each(formula.IS_CLOSE)(*torch.broadcast_tensors(a, b))


def is_in(out: Tensor, elements: Any, among: Any, **_options: Any) -> OpCost | None:
    """Count a comparison of each element with each of the others, by definition."""
    return each(COMPARE * (among.numel() if isinstance(among, Tensor) else 1))(out, elements, among)


def histogram(out: Tensor, x: Tensor, *_range: Any, **_more: Any) -> OpCost | None:
    """Count finding each element's bin; counting the elements is integer arithmetic, and free."""
    return each(formula.HISTOGRAM)(x)


def power(out: Tensor, base: Any, exponent: Any) -> OpCost | None:
    """Count `base^exponent`."""
    constant = None if isinstance(exponent, Tensor) else exponent
    known: dict[Any, OpCost] = {1: FREE, 2: formula.COMPLEX_MUL}
    return each(formula.power(constant), complex_=known.get(constant))(out, base)


def clamp(out: Tensor, x: Tensor, low: Any = None, high: Any = None) -> OpCost | None:
    """Count one comparison for each given bound."""
    bounds = (low is not None) + (high is not None)
    return each(COMPARE * bounds)(out, x)


def gelu(out: Tensor, x: Tensor, *, approximate: str = "none") -> OpCost | None:
    """Count GELU, exact by erf or approximate by tanh."""
    return each(formula.GELU_TANH if approximate == "tanh" else formula.GELU_ERF)(out, x)


def dropout(out: Tensor, x: Tensor, p: float, train: bool) -> OpCost | None:
    """Count nothing at inference; in training, a choice and a scaling."""
    return each((COMPARE + MUL) if train and p else FREE)(out, x)


def dropout_pair(out: tuple[Tensor, Tensor], x: Tensor, p: float, train: bool) -> OpCost | None:
    """Count `dropout` in the form that returns its mask too."""
    return dropout(out[0], x, p, train)


def first_of(rule: Rule) -> Rule:
    """Apply a rule to the first of an operator's several results."""
    return lambda out, *args, **kwargs: rule(out[0], *args, **kwargs)


def prelu(out: Tensor, x: Tensor, weight: Tensor) -> OpCost | None:
    """Count a choice between x and a learned multiple of it, by the sign of x."""
    return each(formula.LEAKY_RELU)(out, x, weight)


def where(out: Tensor, condition: Tensor, *choices: Any) -> OpCost | None:
    """Count a choice for each element; without choices it lists positions, which is free."""
    return each(COMPARE, complex_=COMPARE)(out, condition, *choices) if choices else FREE


def masked_fill(out: Tensor, x: Tensor, mask: Tensor, value: Any) -> OpCost | None:
    """Count a choice for each element."""
    return where(out, mask, x, value)


_MUL = each(MUL, complex_=formula.COMPLEX_MUL, real_and_complex=formula.COMPLEX_SCALE)
_ADD = each(ADD, complex_=formula.COMPLEX_ADD)
_SPECIAL = each(SPECIAL)
_COMPARE = each(COMPARE)
_CHOICE = each(COMPARE, complex_=2 * COMPARE)

_ARITHMETIC: dict[str, Rule] = {
    "aten.add": add,
    "aten.sub": add,
    "aten.rsub": add,
    "aten.neg": _ADD,
    "aten.mul": _MUL,
    "aten.square": each(MUL, complex_=formula.COMPLEX_MUL),
    "aten.div": divide,
    "aten.reciprocal": each(DIV, complex_=formula.COMPLEX_RECIPROCAL),
    "aten.floor_divide": each(DIV + SPECIAL),
    "aten.remainder": each(DIV + SPECIAL + MUL + ADD),
    "aten.fmod": each(DIV + SPECIAL + MUL + ADD),
    "aten.sqrt": each(SQRT),
    "aten.rsqrt": each(SQRT),
    "aten.pow": power,
    "aten.float_power": power,
    "aten.addcmul": addcmul,
    "aten.addcdiv": addcdiv,
    "aten.lerp": each(formula.LERP),
    "aten.hypot": each(formula.HYPOT),
    "aten.ldexp": each(MUL),
    "aten.deg2rad": each(MUL),
    "aten.rad2deg": each(MUL),
    "aten.polar": lambda out, *_: formula.POLAR * out.numel(),
}

_SPECIAL_FUNCTIONS: dict[str, Rule] = {
    f"aten.{name}": _SPECIAL
    for name in (
        "log log2 log10 log1p exp2 expm1 sin cos tan asin acos atan atan2 sinh cosh tanh asinh "
        "acosh atanh sigmoid erf erfc erfinv lgamma digamma sinc logit logaddexp logaddexp2 xlogy "
        "special_entr special_i0 special_i0e special_i1 special_i1e special_ndtr special_expit "
        "special_xlog1py arctan2 i0 mvlgamma polygamma floor ceil round trunc frac igamma igammac "
        "special_ndtri special_log_ndtr special_erfcx special_zeta special_airy_ai "
        "special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1 "
        "special_modified_bessel_i0 special_modified_bessel_i1 special_modified_bessel_k0 "
        "special_modified_bessel_k1 special_scaled_modified_bessel_k0 "
        "special_scaled_modified_bessel_k1 special_spherical_bessel_j0 nextafter"
    ).split()
} | {
    "aten.exp": each(SPECIAL, complex_=formula.COMPLEX_EXP),
    "aten.log": each(SPECIAL, complex_=formula.COMPLEX_LOG),
}

_COMPARISONS: dict[str, Rule] = {
    f"aten.{name}": _COMPARE
    for name in (
        "lt le gt ge maximum minimum fmax fmin max.other min.other sign signbit "
        "isnan isinf isfinite isposinf isneginf nan_to_num heaviside threshold copysign"
    ).split()
} | {
    "aten.equal": equal,
    "aten.histc": histogram,
    "aten.eq": _CHOICE,
    "aten.ne": _CHOICE,
    "aten.frexp": first_of(each(SPECIAL)),
    "aten.isclose": each(formula.IS_CLOSE),
    "aten.allclose": all_close,
    "aten.isin": is_in,
    "aten.sgn": each(COMPARE, complex_=formula.COMPLEX_SIGN),
    "aten.abs": each(COMPARE, complex_=formula.COMPLEX_ABS),
    "aten.angle": each(COMPARE, complex_=formula.COMPLEX_ANGLE),
    "aten.where": where,
    "aten.masked_fill": masked_fill,
    "aten.clamp": clamp,
    "aten.clip": clamp,
    "aten.clamp_min": _COMPARE,
    "aten.clamp_max": _COMPARE,
    "aten.tril": lambda *_args, **_kwargs: FREE,
    "aten.triu": lambda *_args, **_kwargs: FREE,
}

_ACTIVATIONS: dict[str, Rule] = {
    "aten.relu": each(formula.RELU),
    "aten.relu6": each(formula.CLAMP),
    "aten.leaky_relu": each(formula.LEAKY_RELU),
    "aten.rrelu": each(formula.LEAKY_RELU),
    "aten.rrelu_with_noise": each(formula.LEAKY_RELU),
    "aten.prelu": prelu,
    "aten._prelu_kernel": prelu,
    "aten.gelu": gelu,
    "aten.silu": each(formula.SILU),
    "aten.mish": each(formula.MISH),
    "aten.elu": each(formula.ELU),
    "aten.celu": each(formula.ELU + DIV),
    "aten.selu": each(formula.SELU),
    "aten.softplus": softplus,
    "aten.log_sigmoid": each(formula.LOG_SIGMOID),
    "aten.log_sigmoid_forward": first_of(each(formula.LOG_SIGMOID)),
    "aten.hardtanh": each(formula.HARD_TANH),
    "aten.hardsigmoid": each(formula.HARD_SIGMOID),
    "aten.hardswish": each(formula.HARD_SWISH),
    "aten.hardshrink": each(formula.HARD_SHRINK),
    "aten.softshrink": each(formula.SOFT_SHRINK),
    "aten.glu": each(formula.GLU),
    "aten.dropout": dropout,
    "aten.feature_dropout": dropout,
    "aten.alpha_dropout": dropout,
    "aten.feature_alpha_dropout": dropout,
    "aten.native_dropout": dropout_pair,
}

POINTWISE = _ARITHMETIC | _SPECIAL_FUNCTIONS | _COMPARISONS | _ACTIVATIONS
