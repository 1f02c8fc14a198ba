"""Gradients: the cost of the backward half of a training step.

Each operator costs what its textbook derivative does, given what the forward half has kept. The
incoming gradient is `g`, the operator's input `x` and its result `y`.
"""

from collections.abc import Sequence

from inspect_cost.formulas.contraction import dot_products
from inspect_cost.formulas.pointwise import ADD, CLAMP, COMPARE, DIV, MUL, SPECIAL, SQRT
from inspect_cost.formulas.reduction import log_sum_exp
from inspect_cost.formulas.resampling import antialiased_windows
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
HARD_SHRINK = 2 * COMPARE  # 0 between two thresholds, else g
SOFT_SHRINK = 2 * COMPARE
RANDOM_LEAKY_RELU = MUL  # g times the slope that was drawn, which is 1 above 0
LOGIT = ADD + MUL + DIV  # g / (x (1 - x))
LOGIT_BETWEEN = LOGIT + 2 * COMPARE  # 0 outside of two thresholds

# --- of losses, for each element; c is the constant of the loss and of a mean ---
MSE_LOSS = ADD + 2 * MUL  # c (x - t) g
HUBER = ADD + 2 * COMPARE + 2 * MUL  # c clamp(x - t) g
SOFT_MARGIN = SPECIAL + 4 * MUL  # (c t) sigmoid(-t x) g
CROSS_ENTROPY = 2 * ADD + 3 * MUL + DIV  # c (x - t) / (x (1 - x)) g


def softmax(rows: int, n: int) -> OpCost:
    """`y (g - sum(g y))`, or `y g - y sum(g y)`, which takes as many: `4 n - 1` a row."""
    return ragged_softmax(rows if n else 0, rows * n)


def ragged_softmax(rows: int, elements: int) -> OpCost:
    """Gradients of softmax over rows of any lengths, with ``elements`` numbers in all."""
    return (2 * MUL + ADD) * elements + ADD * max(0, elements - rows)


def log_softmax(rows: int, n: int) -> OpCost:
    """`g - exp(y) * sum(g)`: `4 n - 1` a row."""
    return (SPECIAL + MUL + ADD) * (rows * n) + ADD * (rows * max(0, n - 1))


def negative_log_likelihood(rows: int) -> OpCost:
    """`-g / rows` at each target."""
    return (ADD + DIV) * rows


def multi_margin(samples: int, classes: int, *, squared: bool, weighted: bool) -> OpCost:
    """`c g` for each class within the margin, and minus their sum for the sample's own class.

    By convention all are within it. Squared margins `z` make it `2 c g z`; a weight multiplies
    `c g` once a sample.
    """
    others = samples * max(0, classes - 1)
    margins = (2 * ADD + COMPARE + (MUL if squared else FREE)) * others
    return margins + ADD * others + (1 + weighted) * MUL * samples


def multi_label_margin(pairs: int, samples: int) -> OpCost:
    """`c g`, subtracted at the label of each pair and added at its other class."""
    return (4 * ADD + COMPARE) * pairs + MUL * samples


def connectionist_temporal(steps: int, states: int, samples: int, classes: int) -> OpCost:
    """Gradients with respect to log-probabilities (Graves et al. 2006, eq. 16), alpha being kept.

    The variables beta take the forward recursion, backwards. `alpha + beta` of each state is
    log-added to its class: s. Each class then gets `g (exp(l) - exp(s + loss - l))`.

    Args:
        steps: steps of the longest signal.
        states: `2 S + 1` for S labels, summed over samples.
        samples: number of signals.
        classes: number of classes, the blank included.
    """
    recursion = (log_sum_exp(1, 3) + ADD) * (max(0, steps - 1) * states)
    by_class = (ADD + log_sum_exp(1, 2)) * (steps * states)
    return recursion + by_class + (2 * SPECIAL + 3 * ADD + MUL) * (steps * samples * classes)


def normalization(rows: int, n: int) -> OpCost:
    """`(g - mean(g) - z mean(g z)) / sigma` with `z = (x - mean) / sigma`, for rows of n numbers.

    The mean and `1 / sigma` are kept from the forward half. `9 n` a row: `2 n` for z, `n - 1` and
    `2 n - 1` for the sums, two divisions, and `4 n` for the rest.
    """
    sums = (ADD * max(0, 2 * n - 2) + MUL * n + 2 * DIV) * rows
    return sums + (2 * ADD + 2 * MUL + ADD + MUL) * (rows * n)


def affine(rows: int, features: int, *, scaled: bool, shifted: bool) -> OpCost:
    """Gradients of `z w + b` with respect to w, b and z, summed over rows of features."""
    sums = ADD * (max(0, rows - 1) * features)
    weight = 2 * MUL * (rows * features) + sums  # g z summed, and g w
    return (weight if scaled else FREE) + (sums if shifted else FREE)


def frozen_normalization(
    rows: int, features: int, *, scaled: bool, of_input: bool, of_weight: bool, of_bias: bool
) -> OpCost:
    """Gradients of `(x - mean) r w + b`, where `r = 1 / sqrt(variance + eps)` is of known numbers.

    With respect to x: `g (r w)`; to w: `r sum(g (x - mean))`; to b: `sum(g)`.

    Args:
        rows: numbers of each feature.
        features: features, each with a mean and a variance.
        scaled: whether there is a w.
        of_input: whether the gradient of x is computed.
        of_weight: whether that of w is.
        of_bias: whether that of b is.
    """
    n, sums = rows * features, ADD * (max(0, rows - 1) * features)
    roots = (ADD + SQRT) * features if of_input or of_weight else FREE
    by_input = MUL * n + (MUL * features if scaled else FREE)
    by_weight = (ADD + MUL) * n + sums + MUL * features
    wanted = ((by_input, of_input), (by_weight, of_weight), (sums, of_bias))
    return sum((cost for cost, is_wanted in wanted if is_wanted), roots)


def weight_norm(groups: int, n: int) -> OpCost:
    """Gradients of `w v / ||v||` for groups of n weights, `||v||` being kept.

    With respect to w: `d = g . v / ||v||`; to v: `(w / ||v||) (g - v d / ||v||)`.
    """
    dots = (MUL * n + ADD * max(0, n - 1)) * groups
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
    return products + (ADD * max(0, out - features) if of_bias else FREE)


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
    return values + ragged_softmax(rows, scores) + MUL * scores + dot_products(2 * scores, E)


def scatter(elements: int) -> OpCost:
    """Incoming gradients, each added to the place that its value came from."""
    return ADD * elements


def scatter_by_frequency(elements: int) -> OpCost:
    """Incoming gradients, each divided by how often its place occurs, and added to that place."""
    return DIV * elements + scatter(elements)


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


def antialiased_interpolation(
    planes: int, sizes: Sequence[int], outs: Sequence[int], reach: int
) -> OpCost:
    """Incoming gradients, weighted and added along the height, then along the width."""
    (height, width), (out_height, out_width) = sizes, outs
    along = sum(antialiased_windows(height, out_height, reach)) * out_width
    across = sum(antialiased_windows(width, out_width, reach)) * height
    return (MUL + ADD) * (planes * (along + across))


def _linear_samples(
    points: int, channels: int, dimensions: int, *, of_input: bool, of_points: bool
) -> OpCost:
    """Gradients of linear sampling at points whose pixel coordinates are known.

    Each channel's gradient is spread to `2^d` corners. The gradient of a coordinate sums the
    corners above it minus those below, weighted by the other coordinates, times g, over channels.
    """
    corners: int = 2**dimensions
    coordinates = points * dimensions
    distances = (SPECIAL + 2 * ADD) * coordinates
    weights = MUL * (points * corners * (dimensions - 1))
    slopes = MUL * (coordinates * corners * max(0, dimensions - 2))
    differences = ((corners + 1) * MUL + (corners - 1) * ADD) * (coordinates * channels)
    over_channels = ADD * (coordinates * max(0, channels - 1))
    by_input = weights + spread(points * channels, corners)
    by_points = slopes + differences + over_channels
    return distances + (by_input if of_input else FREE) + (by_points if of_points else FREE)


def linear_grid(
    points: int, channels: int, dimensions: int, *, of_input: bool, of_grid: bool, clamped: bool
) -> OpCost:
    """Gradients of linear sampling at the points of a grid.

    The gradient of a point is scaled to the grid's units, and is 0 where it was ``clamped``.
    """
    samples = _linear_samples(points, channels, dimensions, of_input=of_input, of_points=of_grid)
    ends = (MUL + (CLAMP if clamped else FREE)) * (points * dimensions)
    return samples + (ends if of_grid else FREE)


def aligned_bins(bins: int, samples: int) -> OpCost:
    """Incoming gradients, each divided by its bin's samples and spread to their four neighbours."""
    return DIV * bins + spread(bins * samples, 4)


def deformed_convolution(
    macs: int, out: int, features: int, taps: int, points: int, *, masked: bool
) -> OpCost:
    """Gradients of a deformable convolution, all of them; the interpolated numbers are kept.

    Those of the weight and of the numbers that it multiplied take as many MACs as the convolution.
    The latter's are passed on to the mask, to the points and to the input.

    Args:
        macs: MACs of the convolution.
        out: number of its outputs.
        features: number of biases.
        taps: channels times points, the numbers that were interpolated.
        points: positions that were moved by an offset.
        masked: whether each interpolated number was multiplied by a mask.
    """
    products = convolution(macs, out, features, of_input=True, of_weight=True, of_bias=True)
    moved = ADD * (2 * points)
    channels = taps // points if points else 0
    samples = _linear_samples(points, channels, 2, of_input=True, of_points=True)
    by_mask = 2 * MUL * taps + ADD * max(0, taps - points)  # of the numbers, and of the mask
    return products + moved + samples + (by_mask if masked else FREE)


def distance(pairs: int, n: int, order: float, ends: int) -> OpCost:
    """Gradients of `||x - y||`, which is kept, added to the pair's ``ends``: x alone, or x and y.

    Order 2: `(x - y) (g / ||x - y||)`; 1: g by the sign; infinity: g by the sign where the
    magnitude is the largest. Other orders p: `(x - y) |x - y|^(p - 2) (g / ||x - y||^(p - 1))`.
    """
    if order == 0:
        return FREE
    known = {1: COMPARE, 2: MUL, float("inf"): 3 * COMPARE}
    element = known.get(order, COMPARE + SPECIAL + 2 * MUL)
    pair = {1: FREE, 2: DIV, float("inf"): FREE}.get(order, SPECIAL + DIV)
    return pair * pairs + ((1 + ends) * ADD + element) * (pairs * n)
