"""Gradients: the cost of the backward half of a training step.

Each operator costs what its textbook derivative does, given what the forward half has kept. The
incoming gradient is `g`, the operator's input `x` and its result `y`.
"""

from inspect_cost.formulas.contraction import dot_products
from inspect_cost.formulas.pointwise import ADD, COMPARE, DIV, MUL, SPECIAL
from inspect_cost.values.cost import FREE, OpCost

# --- of activations, for each element ---
THRESHOLD = COMPARE  # g or 0, by x
LEAKY_RELU = COMPARE  # g or alpha g, by the sign of x: one by convention, as in the forward half
HARD_TANH = 2 * COMPARE
SIGMOID = ADD + 2 * MUL  # g (1 - y) y
TANH = ADD + 2 * MUL  # g (1 - y^2)
SILU = SPECIAL + 2 * ADD + 3 * MUL  # g s (1 + x (1 - s)), s = sigmoid(x)
GELU_ERF = 2 * SPECIAL + 2 * ADD + 7 * MUL  # g (0.5 (1 + erf(c x)) + x d exp(-0.5 x^2))
# h = tanh(a (x + b x^3)): g (0.5 (1 + h) + 0.5 x (1 - h^2) (a + c x^2)), x^2 once
GELU_TANH = SPECIAL + 5 * ADD + 11 * MUL
ELU = COMPARE + SPECIAL + 2 * MUL  # g or g (alpha exp(x))
SOFTPLUS = SPECIAL + MUL  # g sigmoid(x)
HARD_SIGMOID = 2 * COMPARE + MUL  # c g between two thresholds, else 0
HARD_SWISH = 2 * COMPARE + DIV + ADD + MUL  # 0, g (x / 3 + 0.5), or g
PRELU = 2 * (COMPARE + MUL)  # of x: g or w g; of w: 0 or g x
LOG_SIGMOID = SPECIAL + MUL  # g sigmoid(-x); the forward half changes the sign
GLU = SPECIAL + ADD + 3 * MUL  # per output: g s and (g s) x (1 - s), s = sigmoid of the gate
DROPOUT = MUL  # g times the scaled mask
MSE_LOSS = ADD + 2 * MUL  # c (x - t) g


def softmax(rows: int, n: int) -> OpCost:
    """`y (g - sum(g y))`, or `y g - y sum(g y)`, which takes as many: `4 n - 1` a row."""
    return (2 * MUL + ADD) * (rows * n) + ADD * (rows * (n - 1))


def log_softmax(rows: int, n: int) -> OpCost:
    """`g - exp(y) * sum(g)`: `4 n - 1` a row."""
    return (SPECIAL + MUL + ADD) * (rows * n) + ADD * (rows * (n - 1))


def negative_log_likelihood(rows: int) -> OpCost:
    """`-g / rows` at each target."""
    return (ADD + DIV) * rows


def normalization(rows: int, n: int) -> OpCost:
    """`(g - mean(g) - z mean(g z)) / sigma` with `z = (x - mean) / sigma`, for rows of n numbers.

    The mean and `1 / sigma` are kept from the forward half. `9 n` a row: `2 n` for z, `n - 1` and
    `2 n - 1` for the sums, two divisions, and `4 n` for the rest.
    """
    sums = (ADD * (2 * n - 2) + MUL * n + 2 * DIV) * rows
    return sums + (2 * ADD + 2 * MUL + ADD + MUL) * (rows * n)


def affine(rows: int, features: int, *, scaled: bool, shifted: bool) -> OpCost:
    """Gradients of `z w + b` with respect to w, b and z, summed over rows of features."""
    sums = ADD * ((rows - 1) * features)
    weight = 2 * MUL * (rows * features) + sums  # g z summed, and g w
    return (weight if scaled else FREE) + (sums if shifted else FREE)


def weight_norm(groups: int, n: int) -> OpCost:
    """Gradients of `w v / ||v||` for groups of n weights, `||v||` being kept.

    With respect to w: `d = g . v / ||v||`; to v: `(w / ||v||) (g - v d / ||v||)`.
    """
    dots = (MUL * n + ADD * (n - 1)) * groups
    return dots + 3 * DIV * groups + (2 * MUL + ADD) * (groups * n)


def convolution(
    macs: int, out: int, features: int, *, of_input: bool, of_weight: bool, of_bias: bool
) -> OpCost:
    """Gradients of a convolution, each of which takes as many MACs as the convolution itself.

    Args:
        macs: MACs of the convolution.
        out: number of its outputs.
        features: number of biases; each one's gradient is the sum over its outputs.
        of_input: whether the input's gradient is computed.
        of_weight: whether the weight's gradient is computed.
        of_bias: whether the bias's gradient is computed.
    """
    products = OpCost(macs=macs * (of_input + of_weight))
    return products + (ADD * (out - features) if of_bias else FREE)


def attention(heads: int, L: int, S: int, E: int, Ev: int) -> OpCost:
    """Gradients of `softmax(Q K^T c) V` with respect to V, P, the scores, Q and K.

    The softmax P is kept. Kernels that recompute it, to save memory, take one more product.
    """
    return masked_attention(heads * L * S, heads * L if S else 0, E, Ev)


def masked_attention(scores: int, rows: int, E: int, Ev: int) -> OpCost:
    """Gradients of attention that computes only the scores that a mask keeps.

    Args:
        scores: kept scores of all heads and queries.
        rows: queries of all heads that keep at least one key.
        E: size of a query.
        Ev: size of a value.
    """
    values = dot_products(2 * scores, Ev)  # P^T G and G V^T
    softmaxes = (2 * MUL + ADD) * scores + ADD * (scores - rows)
    return values + softmaxes + MUL * scores + dot_products(2 * scores, E)


def scatter(elements: int) -> OpCost:
    """Incoming gradients, each added to the place that its value came from."""
    return ADD * elements


def spread(elements: int, taps: int) -> OpCost:
    """Incoming gradients, each weighted and added to ``taps`` inputs."""
    return (MUL + ADD) * (elements * taps)


def average_pool(outputs: int, taken: int) -> OpCost:
    """Incoming gradients, each divided by the size of its window and added to all inputs in it.

    Args:
        outputs: number of the pooling's outputs.
        taken: number of inputs in all windows together.
    """
    return DIV * outputs + ADD * taken
