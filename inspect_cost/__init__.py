"""What one inference of a PyTorch model costs, counted exactly.

    >>> import torch, inspect_cost
    >>> report = inspect_cost.count(torch.nn.Linear(3, 5), torch.zeros(2, 3))
    >>> report.params, report.macs, report.flops
    (20, 30, 70)

Names are loaded when first used: importing this package does not import torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspect_cost.cost import CostReport as CostReport
    from inspect_cost.cost import FlopWeights as FlopWeights
    from inspect_cost.cost import OpCost as OpCost
    from inspect_cost.counting.count import count as count
    from inspect_cost.errors import CountError as CountError
    from inspect_cost.measuring.block import measure_block as measure_block
    from inspect_cost.measuring.measure import measure as measure
    from inspect_cost.measuring.measurement import Measurement as Measurement

__version__ = version("inspect-cost")

_HOMES = {
    "CostReport": "inspect_cost.cost",
    "CountError": "inspect_cost.errors",
    "FlopWeights": "inspect_cost.cost",
    "Measurement": "inspect_cost.measuring.measurement",
    "OpCost": "inspect_cost.cost",
    "count": "inspect_cost.counting.count",
    "measure": "inspect_cost.measuring.measure",
    "measure_block": "inspect_cost.measuring.block",
}

__all__ = [
    "CostReport",
    "CountError",
    "FlopWeights",
    "Measurement",
    "OpCost",
    "count",
    "measure",
    "measure_block",
]


def __getattr__(name: str) -> object:
    """Load a public name from the module that defines it (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted([*globals(), *_HOMES])
