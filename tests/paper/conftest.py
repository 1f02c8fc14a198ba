"""The paper, recomputed once for all tests."""

from typing import Any

import pytest

from inspect_cost.paper.as_data import as_data
from inspect_cost.paper.reproduction import Reproduction, reproduce


@pytest.fixture(scope="session")
def paper() -> Reproduction:
    return reproduce()


@pytest.fixture(scope="session")
def data(paper: Reproduction) -> dict[str, Any]:
    return as_data(paper)
