"""The hardware check, with a perf that answers as if counters were visible, or not."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: 1.004 times the counted FLOPs per call, plus what the process does otherwise.
SEEING = """
event = names.split(",")
calls = int(command[command.index("--run") + 1]) if "--run" in command else 0
flops = round(7e6 + 1.004 * 2 * 256**3 * calls)
for name in event:
    first = "all" in name or "scalar_single" in name
    print(f"{flops if first else 0};;{name};1000;100.00;;", file=sys.stderr)
"""
BLIND = """
print("<not supported>;;cycles:u;0;100.00;;", file=sys.stderr)
"""
PERF = """#!{python}
import sys
assert sys.argv[1:4] == ["stat", "-x;", "-e"] and sys.argv[5] == "--"
names, command = sys.argv[4], sys.argv[6:]
"""

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists(),
    reason="perf and its events are Linux's, on x86",
)


def validate(folder: Path, perf: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script where ``perf`` is the only one on the path; "" for none."""
    if perf:
        fake = folder / "perf"
        fake.write_text(PERF.format(python=sys.executable) + perf)
        fake.chmod(0o755)
    return subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-m", "scripts.validate_flops", *words],
        cwd=ROOT,
        env={**os.environ, "PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_call_is_the_difference_of_the_repetitions(tmp_path: Path) -> None:
    done = validate(tmp_path, SEEING, "--markdown", "matmul 256")
    assert done.returncode == 0, done.stderr
    *_, row = done.stdout.splitlines()
    assert row == "| matmul 256 | 33,554,432 | 33,688,650 | 1.004 | 100 % MACs |  |"


@pytest.mark.parametrize(
    ("perf", "reason"), [(BLIND, "<not supported>"), ("", "There is no perf here")]
)
def test_where_counters_are_invisible_it_says_so(tmp_path: Path, perf: str, reason: str) -> None:
    done = validate(tmp_path, perf, "matmul 256")
    assert (done.returncode, done.stdout) == (3, "")
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_subject_that_does_not_exist(tmp_path: Path) -> None:
    done = validate(tmp_path, SEEING, "nonsense")
    assert done.returncode == 2
    assert "no subject nonsense; there are matmul 256" in done.stderr
