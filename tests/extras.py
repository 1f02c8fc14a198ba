"""Optional parts of an installation; a test that needs one is skipped where it is missing."""

import pytest


def needs_grid() -> None:
    """A zone's current intensity: ``inspect-cost[grid]``."""
    pytest.importorskip("ecologits")


def needs_html() -> None:
    """Interactive figures: ``inspect-cost[html]``, which is two packages."""
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
