"""Quantisation to integers of few bits, and back (Jacob et al. 2018, eq. 1: `r = S (q - Z)`)."""

from inspect_cost.formulas.pointwise import ADD, CLAMP, COMPARE, DIV, MUL, SPECIAL
from inspect_cost.formulas.reduction import extremum
from inspect_cost.values.cost import OpCost

QUANTIZE = DIV + SPECIAL + ADD + CLAMP  # clamp(round(r / S) + Z, low, high)
DEQUANTIZE = ADD + MUL  # S (q - Z)
FAKE_QUANTIZE = QUANTIZE + DEQUANTIZE
RESCALE = MUL  # the constant S_x S_w times a sum of integer products
REQUANTIZE = MUL + SPECIAL + ADD + CLAMP  # from sums at one scale to integers at another
SCALE_AND_ZERO = MUL + ADD  # s q + z, of a weight of four bits


def range_of(elements: int) -> OpCost:
    """The minimum and maximum of all elements, which set the scale and the zero point."""
    return extremum(1, elements) * 2 if elements else OpCost()


def choose_scale(elements: int) -> OpCost:
    """The range of the numbers at hand, extended to include 0."""
    return range_of(elements) + COMPARE * 2


def dynamic_quantization(elements: int) -> OpCost:
    """Quantisation by the scale that the numbers at hand ask for."""
    return choose_scale(elements) + QUANTIZE * elements
