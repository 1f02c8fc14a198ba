"""What not every installation has; a test that needs it is skipped where it is missing."""

import os
import shutil
import sysconfig
from pathlib import Path

import pytest

from inspect_cost.measuring.backends.compiled import CPP_COMPILERS


def needs_grid() -> None:
    """A zone's current intensity: ``inspect-cost[grid]``."""
    pytest.importorskip("ecologits")


def needs_html() -> None:
    """Interactive figures: ``inspect-cost[html]``, which is two packages."""
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")


def needs_compiler() -> None:
    """`torch.compile`: a C++ compiler, and Python's headers, which Linux packages separately."""
    named = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ([named] if named else CPP_COMPILERS)):
        pytest.skip("there is no C++ compiler")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        pytest.skip("there are no headers of Python")
