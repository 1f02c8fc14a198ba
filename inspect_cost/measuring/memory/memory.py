"""Memory that one inference takes, as data; `child` measures it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from inspect_cost.values.quantity import Quantity


@dataclass(frozen=True)
class Memory:
    """Memory of one call in a process of its own; what is unknown is None.

    Attributes:
        peak_rss_b: largest resident set of the process during the call, including Python, torch
            and the weights.
        rss_increase_b: the part of it that the call added.
        allocator_peak_b: most bytes that torch's CPU allocator had handed out at once to the
            call's own tensors, without weights and inputs.
        cuda_peak_b: most bytes that torch's CUDA allocator had handed out, with weights and inputs.
    """

    peak_rss_b: Quantity | None = None
    rss_increase_b: Quantity | None = None
    allocator_peak_b: Quantity | None = None
    cuda_peak_b: Quantity | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {name: value and value.to_dict() for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(**{f.name: Quantity.or_none(written[f.name]) for f in fields(cls)})


def make_bytes(value: int | None, source: str) -> Quantity | None:
    """Return a measured number of bytes as a quantity; None stays None."""
    return None if value is None else Quantity(value, "B", "measured", source)
