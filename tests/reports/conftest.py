"""One result of each type that has a document, made once."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest
import torch
from torch import nn

import model_zoo
from inspect_cost import cost_law, rank
from inspect_cost.carbon.estimate import estimate_training_carbon
from inspect_cost.engine.standings import CountedPresets, find_preset_standing
from inspect_cost.paper.reproduction import reproduce
from inspect_cost.ranking.candidates import Candidate
from inspect_cost.ranking.comparison import compare
from inspect_cost.ranking.objectives import choose_objectives
from inspect_cost.reports.results import Catalogue, Conventions, Laws, TrainingCarbon
from inspect_cost.values.conventions import CONVENTIONS
from inspect_cost.values.quantity import Quantity
from tests.reports.examples import (
    COUNT,
    CROSSCHECK,
    DIAGNOSIS,
    EXPLANATION,
    INSPECTION,
    MEASUREMENT,
)


@pytest.fixture(scope="session")
def results() -> Mapping[str, object]:
    """Type's name -> a result of it."""
    presets = CountedPresets()
    law = cost_law(nn.Linear(3, 5), lambda n: torch.zeros(n, 3))
    carbon = estimate_training_carbon("4 x P100", "12+10+30")
    candidates = [
        Candidate("a", {"params": Quantity(2**60 + 1, "", "counted", ""), "mos": score(3.9)}),
        Candidate("b", {"params": Quantity(7, "", "counted", ""), "mos": score(2.8)}),
        Candidate("c", {"params": Quantity(8, "", "reported", ""), "mos": score(2.7)}),
        Candidate("d", {"params": Quantity(9, "", "counted", "")}),
    ]
    made: dict[str, object] = {
        "CarbonEstimate": carbon,
        "Catalogue": Catalogue(tuple(model_zoo.PRESETS.values())),
        "Comparison": compare(candidates, choose_objectives(["params"], ["mos"]), draws=100),
        "Conventions": Conventions(CONVENTIONS),
        "CostExplanation": EXPLANATION,
        "CostLaw": law,
        "CostReport": COUNT,
        "CrossCheck": CROSSCHECK,
        "Diagnosis": DIAGNOSIS,
        "Inspection": INSPECTION,
        "Laws": Laws({"linear": law}),
        "Measurement": MEASUREMENT,
        "Ranking": rank([(1, 2), (2, 1), (3, 3), (None, 1)], draws=100),
        "Reproduction": reproduce(presets),
        "Standing": find_preset_standing("wavegan", presets),
        "TrainingCarbon": TrainingCarbon({"a": carbon, "b": None}),
    }
    return MappingProxyType(made)


def score(value: float) -> Quantity:
    return Quantity(value, "", "reported", "", (value - 0.2, value + 0.2))
