"""Compare counters in one run: how exact and how fast they are, and what they leave changed.

    python -m benchmarks.counting [--env DIR] [--threads 2] [--quick] [TOOL ...]

Peers are installed from PyPI into an environment that is made once in --env and that sees the
packages of this one, so that all use the same torch. Each trial of each tool has a process of its
own. The cases have closed-form MACs (cases.py). Times are multiples of the model's plain forward
in the same process, on a machine with nothing else to do.
"""

import argparse
import json
import os
import site
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.counting.tools import APART, INSTALLED, TOOLS

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "inspect-cost"
SILENT_ERROR = 0.01  # a larger error that the tool does not report is silent
TRIAL_LIMIT_S = 1200

Results = list[dict[str, Any]]


def make_environment(folder: Path) -> Path:
    """Return the Python of an environment with the peers, made unless it exists."""
    python = folder / "bin" / "python"
    done = folder / "peers.txt"
    wanted = "\n".join(INSTALLED)
    if done.exists() and done.read_text() == wanted:
        return python
    print(f"making {folder}", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "outer.pth").write_text("\n".join(site.getsitepackages()))
    pip = [str(python), "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt")]
    for name in INSTALLED:
        apart = ["--no-deps", "--target", str(folder / APART)] if name == APART else []
        if subprocess.run([*pip, *apart, name], check=False).returncode:  # noqa: S603 - our own
            print(f"{name} cannot be installed, and is left out", file=sys.stderr)
    done.write_text(wanted)
    return python


def run_trial(python: Path, kind: str, tool: str, *arguments: str) -> Results:
    """Run a trial of a tool and return its results, up to where it died if it did."""
    paths = [str(ROOT), *([str(python.parents[1] / APART)] if tool == APART else [])]
    print(f"{tool}: {kind} {' '.join(arguments)}", file=sys.stderr)
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            [str(python), "-m", "benchmarks.counting.trials", kind, tool, *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths[::-1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TRIAL_LIMIT_S,
            check=False,
            text=True,
        )
        lines = done.stdout
    except subprocess.TimeoutExpired as late:
        lines = (late.stdout or b"").decode()
    return [json.loads(line) for line in lines.splitlines()]


def is_exact(result: dict[str, Any]) -> bool:
    """Return whether the MACs are the true ones, and the tool reports none missing."""
    return bool(result.get("macs") == result["truth"] and not result["incomplete"])


def is_silent(result: dict[str, Any]) -> bool:
    """Return whether the MACs are wrong and the tool does not report it."""
    if "macs" not in result or result["incomplete"]:
        return False
    return bool(abs(result["macs"] - result["truth"]) > SILENT_ERROR * max(1, result["truth"]))


def make_summary_row(tool: str, exactness: Results, speed: Results, threads: Results) -> list[str]:
    """Return the summary of one tool."""
    judged = select_cases(exactness)
    cases = [r for r in exactness if r.get("truth")]
    free = [r for r in exactness if r.get("truth") == 0]
    touched = sorted({what for r in exactness if "truth" in r for what in r["touched"]})
    after = next((r["touched"] for r in exactness if r["case"] == "raising"), ["died"])
    right = threads[0] if threads else {"right": 0, "of": "?"}
    return [
        tool,
        f"{sum(map(is_exact, cases))} of {len(cases)}",
        f"{sum(map(is_exact, free))} of {len(free)}",
        str(sum(map(is_silent, judged))),
        str(sum("error" in r for r in judged)),
        *(format_multiple(r) for r in speed),
        *["-"] * (3 - len(speed)),
        f"{right['right']} of {right['of']}",
        ", ".join(touched) or "nothing",
        ", ".join(after) or "nothing",
    ]


def select_cases(results: Results) -> Results:
    """Return the results without that of the model that raises."""
    return [result for result in results if "truth" in result]


def format_multiple(result: dict[str, Any]) -> str:
    """Return the time of counting over that of the forward."""
    if "error" in result:
        return "fails"
    return f"{result['counting_s'] / result['forward_s']:.2f}"


def make_case_table(found: dict[str, Results]) -> Table:
    """Return a table of MACs over the truth, by case and tool."""
    table = Table("case", *found, title="MACs over the truth; ~ if the tool reports some missing")
    names = [result["case"] for result in select_cases(next(iter(found.values())))]
    for name in names:
        by_tool = [
            next((r for r in results if r["case"] == name), {}) for results in found.values()
        ]
        table.add_row(name, *map(format_share, by_tool))
    return table


def format_share(result: dict[str, Any]) -> str:
    """Return a result as a share of the truth, or as a failure."""
    if "macs" not in result:
        return "fails"
    sign = "~" if result["incomplete"] else ""
    if not result["truth"]:
        return sign + ("0" if not result["macs"] else f"{result['macs']:,.0f}")
    ratio = result["macs"] / result["truth"]
    return sign + ("1" if result["macs"] == result["truth"] else f"{ratio:.4g}")


def make_llama_table(python: Path) -> Table:
    """Return a table of large models without weights; the peer needs an explicit mask."""
    table = Table("model", "tool", "parameters", "MACs", "seconds", "MB added", title="No weights")
    for size in ("Llama-7B", "Llama-70B"):
        for tool, masked in (("inspect-cost", "plain"), ("FlopCounterMode", "masked")):
            runs = [r for _ in range(3) for r in run_trial(python, "llama", tool, size, masked)]
            best = min(runs, key=lambda r: r["seconds"], default=None)
            if best is None or "error" in best:
                table.add_row(size, tool, "-", "-", "-", best["error"] if best else "died")
                continue
            numbers = (f"{best['params']:,}", f"{best['macs']:,.0f}", f"{best['seconds']:.2f}")
            table.add_row(size, f"{tool}, {masked}", *numbers, f"{best['added_mb']:.1f}")
    return table


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tools", nargs="*", default=list(TOOLS), metavar="TOOL")
    parser.add_argument("--env", type=Path, default=CACHE / "bench-counting")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--quick", action="store_true", help="no large models, and no table of cases"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.tools) - TOOLS.keys()
    if unknown:
        parser.error(f"no tool {', '.join(unknown)}; there are {', '.join(TOOLS)}")
    return options


def main() -> None:
    """Print the tables."""
    options = parse_arguments()
    os.environ["BENCH_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(options.threads)
    python = make_environment(options.env.resolve())
    heads = ("exact", "0 is 0", "silent", "fails", "ResNet-50", "GPT-2", "LSTM", "threads")
    table = Table("tool", *heads, "touched", "touched when it raises")
    table.title = "Cases exact, and counting time over the plain forward's"
    found = {}
    for tool in options.tools:
        found[tool] = run_trial(python, "exactness", tool)
        speed, threads = (run_trial(python, kind, tool) for kind in ("speed", "threads"))
        table.add_row(*make_summary_row(tool, found[tool], speed, threads))
    console = Console(width=160)
    console.print(table)
    if not options.quick:
        console.print(make_case_table(found))
        console.print(make_llama_table(python))


if __name__ == "__main__":
    main()
