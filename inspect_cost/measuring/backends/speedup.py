"""How much faster one backend is than another."""

from math import exp, hypot, log

from inspect_cost.measuring.measurement import Measurement
from inspect_cost.values.quantity import Quantity


def compute_speedup(reference: Measurement, other: Measurement) -> Quantity | None:
    """Return latency over latency, with its 95 % interval; None if one of them is unknown.

    The runs are independent, and their intervals are of logarithms: half-widths add up as squares.
    """
    slow, fast = reference.latency_s, other.latency_s
    if slow is None or fast is None or min(slow.value, fast.value) <= 0:
        return None
    ratio, widths = slow.value / fast.value, (_half_width(slow), _half_width(fast))
    source = f"latency of {reference.backend} / latency of {other.backend}"
    if None in widths:
        return Quantity(ratio, "", "measured", source)
    factor = exp(hypot(*(width or 0.0 for width in widths)))
    return Quantity(ratio, "", "measured", source, (ratio / factor, ratio * factor))


def _half_width(latency: Quantity) -> float | None:
    """Return half the width of an interval's logarithm."""
    if latency.ci95 is None or latency.ci95[0] <= 0:
        return None
    return log(latency.ci95[1] / latency.ci95[0]) / 2
