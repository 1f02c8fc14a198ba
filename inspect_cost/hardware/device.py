"""A chip as its maker describes it; `cpus` and `gpus` find one by name."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Device:
    """One CPU or GPU; what its data row does not say is None.

    Attributes:
        name: of model and variant, as its maker calls it.
        kind: which table it is in.
        max_power_w: maximum power of the whole chip or board.
        threads: hardware threads that share that power.
        peak_flops: most floating-point operations a second.
        bandwidth_b_per_s: most bytes a second from its memory.
        source: who published the figures, and what they are called there.
        note: what to know about the figures; "" for nothing.
    """

    name: str
    kind: Literal["cpu", "gpu"]
    max_power_w: float
    threads: int | None = None
    peak_flops: float | None = None
    bandwidth_b_per_s: float | None = None
    source: str
    note: str = ""
