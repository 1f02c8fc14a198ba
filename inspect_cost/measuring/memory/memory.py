"""Memory that one inference takes, as data; `memory_child` measures it."""

from dataclasses import dataclass
from typing import Any

from inspect_cost.values.quantity import Quantity


@dataclass(frozen=True)
class Memory:
    """Of one call, in a process of its own; each None where it is not known.

    Attributes:
        peak_rss_b: most memory that the process had resident during the call, Python, torch and
            the weights included.
        rss_increase_b: how much of that the call added.
        allocator_peak_b: most that torch's CPU allocator had handed out at once to the call's own
            tensors; weights and inputs are not in it.
        cuda_peak_b: most that torch's CUDA allocator had handed out, weights and inputs included.
    """

    peak_rss_b: Quantity | None = None
    rss_increase_b: Quantity | None = None
    allocator_peak_b: Quantity | None = None
    cuda_peak_b: Quantity | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {name: value and value.to_dict() for name, value in vars(self).items()}


def in_bytes(value: int | None, source: str) -> Quantity | None:
    """A measured number of bytes."""
    return None if value is None else Quantity(value, "B", "measured", source)
