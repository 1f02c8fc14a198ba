"""What all tests share."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest
import torch
from hypothesis import settings

from inspect_cost.measuring.sensors import discovery
from inspect_cost.measuring.sensors.powercap import ROOT_VARIABLE
from inspect_cost.measuring.sensors.protocol import Sensors

# As many as CI has: tiny models gain nothing from more, and lose much on a busy machine.
torch.set_num_threads(2)

# A busy machine may take ten times as long as a quiet one.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# Assertions in `prove` are explained like those in the tests.
pytest.register_assert_rewrite("tests.formulas.proof")


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports, compilations and fresh processes have the time that a busy machine takes."""
    monkeypatch.setattr("inspect_cost.measuring.backends.setup.LEAST_LIMIT_S", 900.0)
    monkeypatch.setattr("inspect_cost.measuring.memory.fresh.START_S", 900.0)


@pytest.fixture
def no_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without energy sensors, but for a powercap tree that a test names."""
    monkeypatch.setenv(ROOT_VARIABLE, "/nowhere")
    monkeypatch.setattr(discovery, "CPU_SOURCES", discovery.CPU_SOURCES[:1])
    for other in ("find_nvml_sensors", "find_plugin_sensors"):
        monkeypatch.setattr(discovery, other, lambda *_: Sensors())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Tests run side by side, but a test marked `alone` while the other processes wait."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    how = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    shared = Path(item.config.option.basetemp).parent
    with (shared / "door").open("w") as door, (shared / "room").open("w") as room:
        with held(door, fcntl.LOCK_EX):  # who waits for the room lets nobody pass
            fcntl.flock(room, how)
        return (yield)


@contextmanager
def held(file: TextIO, how: int) -> Iterator[None]:
    """A lock between processes, for a block."""
    fcntl.flock(file, how)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
