"""Provenance of a result."""

import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest

from inspect_cost.values.provenance import describe_run, installed_version


def test_a_run_has_its_versions_its_time_and_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["inspect-cost", "sing", "--format", "json"])
    run = describe_run()
    assert list(run) == [
        "tool",
        "version",
        "torch",
        "python",
        "platform",
        "processor",
        "created",
        "command",
    ]
    assert run["version"] == version("inspect-cost")
    assert run["command"] == ["sing", "--format", "json"]
    age = datetime.now(UTC) - datetime.fromisoformat(run["created"])
    assert timedelta(0) <= age < timedelta(minutes=1)


def test_versions_of_what_is_not_installed_are_none() -> None:
    assert installed_version("torch") == version("torch")
    assert installed_version("no-such-distribution") is None
