"""What other processes do is foreign; what this one and its children do is not."""

import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no annotations
import pytest

from inspect_cost.measuring.protocol.disturbance import (
    IDLE_FIELDS,
    describe_foreign_load,
    read_foreign_cpu_s,
)

#: A child that works for so long, says so, and waits.
CHILD = """
import time
while time.process_time() < 0.5: pass
print(flush=True)
input()
"""


def busy_s() -> float:
    times = psutil.cpu_times()._asdict()
    return float(sum(seconds for name, seconds in times.items() if name not in IDLE_FIELDS))


@pytest.mark.alone
def test_own_work_and_that_of_children_is_not_foreign() -> None:
    """The system's time before and after each reading bounds what others had, however busy."""
    early, foreign, late, own = busy_s(), read_foreign_cpu_s(), busy_s(), time.process_time()
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-S", "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        while time.process_time() - own < 0.5:
            pass
        spent = psutil.Process(child.pid).cpu_times()
        theirs = spent.user + spent.system
        ours = time.process_time() - own + theirs
        least = busy_s() - late - ours
        found = read_foreign_cpu_s() - foreign
        most = busy_s() - early - ours
        assert least - 0.15 <= found <= most + 0.15
        assert theirs >= 0.45
        child.kill()


#: A child that has a child of its own, works as long as it, and ends.
FAMILY = """
import subprocess, sys, time
if len(sys.argv) == 1: subprocess.run([sys.executable, "-S", __file__, "last"], check=True)
while time.process_time() < 0.4: pass
"""


@pytest.mark.alone
def test_work_of_children_that_have_ended_is_not_foreign(tmp_path: Path) -> None:
    script = tmp_path / "family.py"
    script.write_text(FAMILY)
    early, foreign, late, own = busy_s(), read_foreign_cpu_s(), busy_s(), time.process_time()
    subprocess.run([sys.executable, "-S", str(script)], check=True)  # noqa: S603 - our own
    own_s = time.process_time() - own
    before = busy_s()
    found = read_foreign_cpu_s() - foreign
    # Of the machine's time, 0.8 s and what this process took were not foreign.
    assert found <= busy_s() - early - own_s - 0.8 + 0.15
    assert found >= before - late - own_s - 1.6 - 0.15


@pytest.mark.parametrize(
    ("foreign_s", "duration_s", "words"),
    [
        (1.01, 10.0, None),  # a tenth of a core, and two ticks
        (1.03, 10.0, "other processes kept 0.1 cores busy"),
        (0.02, 0.05, None),  # what the ticks alone may show
        (0.03, 0.0006, None),  # ticks are no share of so short a stretch
        (0.19, 0.19, None),
        (0.21, 0.21, "other processes kept 1.0 cores busy"),
        (5.0, 2.0, "other processes kept 2.5 cores busy"),
        (9.0, 2.0, "other processes kept 4.0 cores busy"),  # of four
    ],
)
def test_a_tenth_of_a_core_is_tolerated(
    monkeypatch: pytest.MonkeyPatch, foreign_s: float, duration_s: float, words: str | None
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert describe_foreign_load(foreign_s, duration_s) == words
