"""Provenance of a result: which versions made it, on which platform, when, with what command."""

import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def describe_run() -> Mapping[str, Any]:
    """Return the tool, its version and those it stands on, the platform, the time, the command."""
    return {
        "tool": "inspect-cost",
        "version": installed_version("inspect-cost"),
        "torch": installed_version("torch"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv[1:],
    }


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
