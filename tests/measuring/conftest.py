"""Long sweeps run when they are asked for: ``pytest -m slow tests/measuring``."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is slow unless the marker was named."""
    if "slow" in config.getoption("-m"):
        return
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="a long sweep: ask for it with -m slow"))
