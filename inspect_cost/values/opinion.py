"""Mean opinion scores: their scale, and their ratio to the ground truth's score."""

from math import hypot

from inspect_cost.values.quantity import Quantity

#: The end of the usual scale, from bad (1) to excellent (5): ITU-T P.800.
BEST_MOS = 5


def is_on_scale(mos: Quantity) -> bool:
    """Return whether a mean opinion score is above 0 and at most the best one."""
    return 0 < mos.value <= BEST_MOS


def mos_ratio(mos: Quantity, truth: Quantity) -> Quantity:
    """Return `%MOS = mos / truth` (eq. 8 of Douwes, Esling & Briot 2021).

    The interval is propagated to first order, for independent errors.
    """
    value = mos.value / truth.value
    spread = value * hypot(*(score.half_width / score.value for score in (mos, truth)))
    ends = (value - spread, value + spread) if spread else None
    return Quantity(value, "", mos.kind, mos.source, ends)


def complement(share: Quantity) -> Quantity:
    """Return `1 - share`; the 2021 paper minimises 1 - %MOS."""
    ends = share.ci95 and (1 - share.ci95[1], 1 - share.ci95[0])
    return Quantity(1 - share.value, share.unit, share.kind, share.source, ends)
