"""Losses: the cost of one element or one sample, before losses are averaged or summed."""

from inspect_cost.formulas.pointwise import ADD, COMPARE, LOG_SIGMOID, MUL, SPECIAL
from inspect_cost.formulas.reduction import log_sum_exp
from inspect_cost.values.cost import FREE, OpCost

SQUARED_ERROR = ADD + MUL  # (x - y)^2
HUBER = ADD + 2 * COMPARE + 2 * MUL  # d = |x - y|, then c d^2 or, if larger, as many for a line
SOFT_MARGIN = MUL + 2 * ADD + 2 * SPECIAL  # log(1 + exp(-(y x)))
CROSS_ENTROPY = 2 * SPECIAL + 4 * ADD + 2 * MUL  # -(t log x + (1 - t) log(1 - x))
LOGITS = LOG_SIGMOID + MUL + 2 * ADD  # (1 - t) x - log sigmoid(x)
POSITIVE_WEIGHT = 2 * MUL + 2 * ADD  # (1 + (w - 1) t) log sigmoid(x)
LIKELIHOOD = ADD  # -x of the sample's class
MARGIN = 2 * ADD + COMPARE  # max(0, m - x of the class + x of another)


def multi_margin(samples: int, classes: int, *, squared: bool, weighted: bool) -> OpCost:
    """The margins of all other classes, averaged over the classes (Weston & Watkins 1999)."""
    others = samples * max(0, classes - 1)
    margins = (MARGIN + (MUL if squared else FREE) + (MUL if weighted else FREE)) * others
    return margins + OpCost(add=max(0, others - samples), div=samples)


def multi_label_margin(pairs: int, samples: int) -> OpCost:
    """Margins for samples with several labels: one for each pair of a label and another class."""
    return MARGIN * pairs + OpCost(add=max(0, pairs - samples), div=samples)


def connectionist_temporal(steps: int, states: int, samples: int) -> OpCost:
    """Forward variables in logarithms (Graves et al. 2006, eq. 6); by convention all cost the same.

    In each step after the first, each state takes the log-sum-exp of the three states that lead
    to it and adds its own log-probability. At the end two states are combined, and negated.

    Args:
        steps: steps of the longest signal.
        states: `2 S + 1` for S labels, summed over samples.
        samples: number of signals.
    """
    recursion = (log_sum_exp(1, 3) + ADD) * (max(0, steps - 1) * states)
    return recursion + (log_sum_exp(1, 2) + ADD) * samples
