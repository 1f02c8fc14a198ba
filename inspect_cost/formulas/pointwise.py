"""Elementwise arithmetic: the cost of one element by the textbook definition, unfused.

An operator on n elements costs n times its entry. Each entry spells out the definition.
"""

from inspect_cost.values.cost import FREE, OpCost

ADD = OpCost(add=1)
MUL = OpCost(mul=1)
DIV = OpCost(div=1)
SQRT = OpCost(sqrt=1)
SPECIAL = OpCost(special=1)
COMPARE = OpCost(compare=1)

# --- activations; alpha, beta, c: constants ---
RELU = COMPARE  # max(x, 0)
LEAKY_RELU = COMPARE  # x or alpha x, by the sign of x: one by convention
CLAMP_ONE_SIDE = COMPARE
CLAMP = 2 * COMPARE  # min(max(x, low), high)
SILU = SPECIAL + MUL  # x sigmoid(x)
GELU_ERF = 3 * MUL + SPECIAL + ADD  # (0.5 x) (1 + erf(c x))
GELU_TANH = 4 * MUL + 2 * SPECIAL + 2 * ADD  # (0.5 x) (1 + tanh(c (x + d x^3))), x^3 by pow
ELU = COMPARE + SPECIAL + ADD + MUL  # x or alpha (exp(x) - 1)
SELU = ELU + MUL  # scale elu(x)
SOFTPLUS = 2 * SPECIAL + ADD  # log(1 + exp(x))
MISH = SOFTPLUS + SPECIAL + MUL  # x tanh(softplus(x))
LOG_SIGMOID = 2 * SPECIAL + 3 * ADD  # -log(1 + exp(-x)): a change of sign is a subtraction
HARD_TANH = CLAMP
HARD_SIGMOID = ADD + CLAMP + DIV  # clamp(x + 3, 0, 6) / 6
HARD_SWISH = HARD_SIGMOID + MUL  # x hardsigmoid(x)
SOFT_SIGN = COMPARE + ADD + DIV  # x / (1 + |x|)
TANH_SHRINK = SPECIAL + ADD  # x - tanh(x)
HARD_SHRINK = 2 * COMPARE  # 0 between two thresholds
SOFT_SHRINK = 2 * COMPARE + ADD
GLU = SPECIAL + MUL  # a sigmoid(b), per output

# --- compound arithmetic ---
ADDCMUL = MUL + ADD  # x + a b
ADDCDIV = DIV + ADD  # x + a / b
LERP = ADD + MUL + ADD  # x + w (y - x)
ROTATION = 2 * MUL + ADD  # x cos - y sin: each of a pair of numbers turned by an angle
HYPOT = 2 * MUL + ADD + SQRT  # sqrt(x^2 + y^2)

IS_CLOSE = 3 * COMPARE + 2 * ADD + MUL  # |x - y| <= a + r |y|
HISTOGRAM = CLAMP + ADD + MUL + SPECIAL  # in range? then floor((x - low) scale)

# --- complex numbers, in real operations ---
COMPLEX_ADD = 2 * ADD
COMPLEX_MUL = 4 * MUL + 2 * ADD  # (a + ib)(c + id)
COMPLEX_DIV = 6 * MUL + 3 * ADD + 2 * DIV  # times the conjugate, over the squared modulus
COMPLEX_SCALE = 2 * MUL  # real times complex
COMPLEX_SHARE = 2 * DIV  # complex over real
COMPLEX_RECIPROCAL = 2 * MUL + 2 * ADD + 2 * DIV  # (c - id) / (c^2 + d^2)
REAL_OVER_COMPLEX = COMPLEX_RECIPROCAL + COMPLEX_SCALE
COMPLEX_ABS = HYPOT
COMPLEX_SIGN = COMPLEX_ABS + COMPARE + COMPLEX_SHARE  # z / |z|, or 0
COMPLEX_ANGLE = SPECIAL
COMPLEX_LOG = COMPLEX_ABS + SPECIAL + COMPLEX_ANGLE  # log |z| + i arg z
COMPLEX_EXP = 3 * SPECIAL + 2 * MUL  # exp(a) (cos b + i sin b)
POLAR = 2 * SPECIAL + 2 * MUL  # r (cos phi + i sin phi)


def power(exponent: float | None) -> OpCost:
    """`x^exponent`: squares, roots and reciprocals as such, any other power as one evaluation.

    Args:
        exponent: the constant exponent, or None if it is a tensor.
    """
    known: dict[float | None, OpCost] = {0: FREE, 1: FREE, 2: MUL, 0.5: SQRT, -0.5: SQRT, -1: DIV}
    return known.get(exponent, SPECIAL)
