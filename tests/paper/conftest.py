"""The paper, recomputed once for all tests."""

from typing import Any

import pytest

from inspect_cost.engine.standings import CountedPresets
from inspect_cost.paper.reproduction import reproduce
from inspect_cost.paper.results import Reproduction


@pytest.fixture(scope="session")
def presets() -> CountedPresets:
    return CountedPresets()


@pytest.fixture(scope="session")
def paper(presets: CountedPresets) -> Reproduction:
    return reproduce(presets)


@pytest.fixture(scope="session")
def data(paper: Reproduction) -> dict[str, Any]:
    return paper.to_dict()
