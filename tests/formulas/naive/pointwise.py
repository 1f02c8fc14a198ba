"""Functions of one or a few elements, written as their definitions."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.formulas.scalars import (
    Complex,
    Number,
    Real,
    absolute,
    choose,
    compare,
    exp,
    log,
    maximum,
    minimum,
    sigmoid,
    special,
    sqrt,
    tanh,
)


def elementwise(function: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """Turn a function of numbers into one of arrays, which are broadcast."""

    def over_arrays(*arrays: np.ndarray) -> np.ndarray:
        aligned = np.broadcast_arrays(*arrays)
        out = np.empty(aligned[0].shape, dtype=object)
        for place in np.ndindex(out.shape):
            out[place] = function(*(array[place] for array in aligned))
        return out

    return over_arrays


# --- activations ---


def relu(x: Real) -> Real:
    return maximum(x, 0.0)


def leaky_relu(x: Real, alpha: float) -> Real:
    return choose(x.value > 0, x, alpha * x.value)  # the product is part of it, by convention


def prelu(x: Real, alpha: Real) -> Real:
    return leaky_relu(x, alpha.value)


def clamp(x: Real, low: float, high: float) -> Real:
    return minimum(maximum(x, low), high)


def silu(x: Real) -> Real:
    return x * sigmoid(x)


def gelu(x: Real) -> Real:
    return (0.5 * x) * (1 + special(math.erf, math.sqrt(0.5) * x))


def gelu_by_tanh(x: Real) -> Real:
    cubic = x + 0.044715 * special(lambda v: v**3, x)
    return (0.5 * x) * (1 + tanh(math.sqrt(2 / math.pi) * cubic))


def elu(x: Real, alpha: float) -> Real:
    return choose(x.value > 0, x, alpha * (exp(x) - 1))


def celu(x: Real, alpha: float) -> Real:
    return choose(x.value > 0, x, alpha * (exp(x / alpha) - 1))


def selu(x: Real) -> Real:
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def softplus(x: Real) -> Real:
    return log(1 + exp(x))


def steeper_softplus(x: Real, beta: float) -> Real:
    return log(1 + exp(beta * x)) / beta


def mish(x: Real) -> Real:
    return x * tanh(softplus(x))


def log_sigmoid(x: Real) -> Real:
    return -log(1 + exp(-x))


def hard_sigmoid(x: Real) -> Real:
    return clamp(x + 3, 0, 6) / 6


def hard_swish(x: Real) -> Real:
    return x * hard_sigmoid(x)


def soft_sign(x: Real) -> Real:
    return x / (1 + absolute(x))


def tanh_shrink(x: Real) -> Real:
    return x - tanh(x)


def hard_shrink(x: Real, threshold: float) -> Real:
    """Return x outside of +-threshold: two comparisons, as in clamp."""
    above = compare(lambda v: v > threshold, x).value
    below = compare(lambda v: v < -threshold, x).value
    return x if above or below else Real(0.0, x.tape)


def soft_shrink(x: Real, threshold: float) -> Real:
    """Return what is beyond +-threshold."""
    return x - clamp(x, -threshold, threshold)


def glu(x: np.ndarray) -> np.ndarray:
    """Gate the first half of each row by the second."""
    half = x.shape[-1] // 2
    return elementwise(lambda a, b: a * sigmoid(b))(x[..., :half], x[..., half:])


# --- compound arithmetic ---


def addcmul(x: Real, a: Real, b: Real) -> Real:
    return x + a * b


def addcdiv(x: Real, a: Real, b: Real) -> Real:
    return x + a / b


def lerp(x: Real, y: Real, weight: float | Real) -> Real:
    return x + weight * (y - x)


def rotate(x: Real, y: Real, cosine: Real, sine: Real) -> Real:
    return x * cosine - y * sine


def hypot(x: Real, y: Real) -> Real:
    return sqrt(x * x + y * y)


def floor(x: Real) -> Real:
    return special(math.floor, x)


def remainder(x: Real, divisor: Real) -> Real:
    return x - divisor * floor(x / divisor)


def fmod(x: Real, divisor: Real) -> Real:
    return x - divisor * special(math.trunc, x / divisor)


def is_close(x: Real, y: Real) -> Real:
    tolerance = 1e-8 + 1e-5 * absolute(y)
    return compare(lambda a, b: a <= b, absolute(x - y), tolerance)


# --- complex numbers ---


def complex_add(z: Complex, w: Complex) -> Complex:
    return Complex(z.re + w.re, z.im + w.im)


def complex_sub(z: Complex, w: Complex) -> Complex:
    return Complex(z.re - w.re, z.im - w.im)


def complex_neg(z: Complex) -> Complex:
    return Complex(-z.re, -z.im)


def complex_mul(z: Complex, w: Complex) -> Complex:
    return Complex(z.re * w.re - z.im * w.im, z.re * w.im + z.im * w.re)


def complex_scale(x: Number, z: Complex) -> Complex:
    return Complex(x * z.re, x * z.im)


def complex_shrink(z: Complex, x: Real) -> Complex:
    return Complex(z.re / x, z.im / x)


def squared_modulus(z: Complex) -> Real:
    return z.re * z.re + z.im * z.im


def complex_div(z: Complex, w: Complex) -> Complex:
    """Return z times the conjugate of w, over `|w|^2`."""
    modulus = squared_modulus(w)
    re = z.re * w.re + z.im * w.im
    im = z.im * w.re - z.re * w.im
    return Complex(re / modulus, im / modulus)


def complex_reciprocal(z: Complex) -> Complex:
    """Return the conjugate over `|z|^2`."""
    modulus = squared_modulus(z)
    return Complex(z.re / modulus, -z.im / modulus)


def real_over_complex(x: Real, z: Complex) -> Complex:
    """Return x times the conjugate of z, over `|z|^2`."""
    modulus = squared_modulus(z)
    return Complex(x * z.re / modulus, -(x * z.im) / modulus)


def real_plus_complex(x: Real, z: Complex) -> Complex:
    """Add to the real part only."""
    return Complex(x + z.re, z.im)


def complex_abs(z: Complex) -> Real:
    return sqrt(squared_modulus(z))


def complex_angle(z: Complex) -> Real:
    return special(math.atan2, z.im, z.re)


def polar(r: Real, phi: Real) -> Complex:
    """Return `r (cos phi + i sin phi)`."""
    return Complex(r * special(math.cos, phi), r * special(math.sin, phi))


def complex_exp(z: Complex) -> Complex:
    """Return `e^a (cos b + i sin b)`."""
    return polar(exp(z.re), z.im)


def complex_log(z: Complex) -> Complex:
    """Return `log |z| + i arg z`."""
    return Complex(log(complex_abs(z)), complex_angle(z))


def complex_sign(z: Complex) -> Complex:
    length = complex_abs(z)
    compare(lambda r: r == 0, length)
    return complex_shrink(z, length)
