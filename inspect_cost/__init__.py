"""What one inference of a PyTorch model costs, counted exactly, measured, and ranked.

    >>> import torch, inspect_cost
    >>> report = inspect_cost.count(torch.nn.Linear(3, 5), torch.zeros(2, 3))
    >>> report.params, report.macs, report.flops
    (20, 30, 70)

Names are loaded when first used: importing this package does not import torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

#: Public name -> the module that defines it. A new name is one line here, and an import below for
#: type checkers, which cannot read a table; a test compares the two.
PUBLIC = {
    "Call": "inspect_cost.calls.call",
    "CarbonEstimate": "inspect_cost.carbon.estimate",
    "CostLaw": "inspect_cost.counting.law",
    "CostReport": "inspect_cost.counting.report",
    "CountError": "inspect_cost.values.errors",
    "CountOptions": "inspect_cost.counting.options",
    "CrossCheck": "inspect_cost.crosschecking.results",
    "FlopWeights": "inspect_cost.values.cost",
    "InspectCostError": "inspect_cost.values.errors",
    "CostExplanation": "inspect_cost.counting.explanation",
    "Inspection": "inspect_cost.reports.inspection",
    "Measurement": "inspect_cost.measuring.measurement",
    "MeasurementError": "inspect_cost.values.errors",
    "MismatchError": "inspect_cost.values.errors",
    "NoLawError": "inspect_cost.values.errors",
    "Note": "inspect_cost.values.notes",
    "OpCost": "inspect_cost.values.cost",
    "Output": "inspect_cost.values.identity",
    "Policy": "inspect_cost.values.policy",
    "Quantity": "inspect_cost.values.quantity",
    "UsageError": "inspect_cost.values.errors",
    "build": "inspect_cost.counting.torch.building",
    "cost_law": "inspect_cost.counting.torch.law_search",
    "count": "inspect_cost.counting.count",
    "count_block": "inspect_cost.counting.torch.live.block",
    "count_onnx": "inspect_cost.counting.onnx.count",
    "crosscheck": "inspect_cost.crosschecking.run",
    "estimate_training_carbon": "inspect_cost.carbon.estimate",
    "explain": "inspect_cost.engine.explaining",
    "inspect": "inspect_cost.engine.inspecting",
    "load": "inspect_cost.reports.data",
    "load_publications": "inspect_cost.publications.publication",
    "measure": "inspect_cost.measuring.measure",
    "measure_block": "inspect_cost.measuring.block",
    "rank": "inspect_cost.ranking.ranking",
    "resolve": "inspect_cost.subjects",
    "windowed_convolution": "inspect_cost.counting.torch.module_costs",
}

if TYPE_CHECKING:
    from inspect_cost.calls.call import Call as Call
    from inspect_cost.carbon.estimate import CarbonEstimate as CarbonEstimate
    from inspect_cost.carbon.estimate import estimate_training_carbon as estimate_training_carbon
    from inspect_cost.counting.count import count as count
    from inspect_cost.counting.explanation import CostExplanation as CostExplanation
    from inspect_cost.counting.law import CostLaw as CostLaw
    from inspect_cost.counting.onnx.count import count_onnx as count_onnx
    from inspect_cost.counting.options import CountOptions as CountOptions
    from inspect_cost.counting.report import CostReport as CostReport
    from inspect_cost.counting.torch.building import build as build
    from inspect_cost.counting.torch.law_search import cost_law as cost_law
    from inspect_cost.counting.torch.live.block import count_block as count_block
    from inspect_cost.counting.torch.module_costs import (
        windowed_convolution as windowed_convolution,
    )
    from inspect_cost.crosschecking.results import CrossCheck as CrossCheck
    from inspect_cost.crosschecking.run import crosscheck as crosscheck
    from inspect_cost.engine.explaining import explain as explain
    from inspect_cost.engine.inspecting import inspect as inspect
    from inspect_cost.measuring.block import measure_block as measure_block
    from inspect_cost.measuring.measure import measure as measure
    from inspect_cost.measuring.measurement import Measurement as Measurement
    from inspect_cost.publications.publication import load_publications as load_publications
    from inspect_cost.ranking.ranking import rank as rank
    from inspect_cost.reports.data import load as load
    from inspect_cost.reports.inspection import Inspection as Inspection
    from inspect_cost.subjects import resolve as resolve
    from inspect_cost.values.cost import FlopWeights as FlopWeights
    from inspect_cost.values.cost import OpCost as OpCost
    from inspect_cost.values.errors import CountError as CountError
    from inspect_cost.values.errors import InspectCostError as InspectCostError
    from inspect_cost.values.errors import MeasurementError as MeasurementError
    from inspect_cost.values.errors import MismatchError as MismatchError
    from inspect_cost.values.errors import NoLawError as NoLawError
    from inspect_cost.values.errors import UsageError as UsageError
    from inspect_cost.values.identity import Output as Output
    from inspect_cost.values.notes import Note as Note
    from inspect_cost.values.policy import Policy as Policy
    from inspect_cost.values.quantity import Quantity as Quantity

__version__ = version("inspect-cost")
__all__ = list(PUBLIC)


def __getattr__(name: str) -> object:
    """Load a public name from the module that defines it (PEP 562)."""
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(PUBLIC[name]), name)


def __dir__() -> list[str]:
    """Return the names of this module, those not yet loaded included."""
    return sorted([*globals(), *PUBLIC])
