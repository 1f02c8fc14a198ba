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
    from inspect_cost.crosschecking.results import CrossCheck as CrossCheck
    from inspect_cost.crosschecking.run import crosscheck as crosscheck
    from inspect_cost.errors import CountError as CountError

__version__ = version("inspect-cost")

_HOMES = {
    "CostReport": "inspect_cost.cost",
    "CountError": "inspect_cost.errors",
    "CrossCheck": "inspect_cost.crosschecking.results",
    "FlopWeights": "inspect_cost.cost",
    "OpCost": "inspect_cost.cost",
    "count": "inspect_cost.counting.count",
    "crosscheck": "inspect_cost.crosschecking.run",
}

__all__ = [
    "CostReport",
    "CountError",
    "CrossCheck",
    "FlopWeights",
    "OpCost",
    "count",
    "crosscheck",
]


def __getattr__(name: str) -> object:
    """Load a public name from the module that defines it (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted([*globals(), *_HOMES])
