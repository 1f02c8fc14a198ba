"""Imports run one way, and what must stay light does."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Part of the package -> the parts that it may import; what is absent may import nothing of it.
ALLOWED: dict[str, set[str]] = {
    "values": set(),
    "formulas": {"values"},
    "calls": {"values"},
    "counting": {"calls", "formulas", "values"},
    "hardware": {"values"},
    "measuring": {"calls", "hardware", "values"},
    "exporting": {"calls", "values"},
    "crosschecking": {"calls", "counting", "exporting", "values"},
    "carbon": {"hardware", "values"},
    "publications": {"carbon", "values"},
    "ranking": {"values"},
    "figures": {"ranking", "values"},
    "paper": {"carbon", "figures", "publications", "ranking", "values"},
    "subjects": {"calls", "counting", "exporting", "measuring", "values", "model_zoo"},
}

#: The values that reports are made of, and what renders them; nothing that runs a model.
ALLOWED["reports"] = {*ALLOWED, "model_zoo"} - {"calls", "exporting", "figures", "subjects"}
ALLOWED["engine"] = {*ALLOWED, "model_zoo"}  # which alone puts everything together
ALLOWED["cli"] = {*ALLOWED, "model_zoo"}
ALLOWED["__main__"] = {"cli"}
ALLOWED["__init__"] = set(ALLOWED)  # names alone


def imported(path: Path) -> set[str]:
    """Modules that a file imports, by their full names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts(names: set[str]) -> set[str]:
    """The parts of this project among imported modules."""
    own = {name.split(".")[1] for name in names if name.startswith("inspect_cost.")}
    known = {part for part in own if part in ALLOWED}
    return known | ({"model_zoo"} if any(n.split(".")[0] == "model_zoo" for n in names) else set())


FILES = sorted((ROOT / "inspect_cost").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    part = path.relative_to(ROOT / "inspect_cost").parts[0].removesuffix(".py")
    assert parts(imported(path)) <= ALLOWED[part] | {part}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "model_zoo").glob("*.py")), ids=lambda path: path.name
)
def test_the_zoo_imports_torch_only(path: Path) -> None:
    # Loading a checkpoint needs safetensors, imported when a file of that kind is given.
    allowed = {"safetensors"} if path.name == "generation.py" else set()
    outside = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names
    assert outside <= {"torch", "model_zoo"} | allowed


@pytest.mark.parametrize("folder", ["formulas", "."])
def test_arithmetic_and_reports_need_no_torch(folder: str) -> None:
    if folder == ".":
        places = ("values/cost", "counting/report", "values/units", "reports/inspection")
        files = [ROOT / "inspect_cost" / f"{place}.py" for place in places]
        files += (ROOT / "inspect_cost" / "cli").glob("*.py")
    else:
        files = list((ROOT / "inspect_cost" / folder).glob("*.py"))
    for path in files:
        top_level = ast.parse(path.read_text()).body
        names = {
            name.split(".")[0]
            for node in top_level
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for name in ([a.name for a in node.names] + [getattr(node, "module", "") or ""])
        }
        assert "torch" not in names


def test_importing_the_packages_does_not_import_torch() -> None:
    script = "import sys, inspect_cost, model_zoo; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=False)  # noqa: S603
    assert done.returncode == 0


def test_counting_flowavenet_is_light() -> None:
    """Beside importing torch: no compiler, no symbolic algebra, and less than 300 MB."""
    script = """
import resource, sys, torch
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
from inspect_cost.cli import main
assert main(["flowavenet", "--no-measure", "--format", "json", "-o", "/dev/null"]) == 0
heavy = {"torch._dynamo", "torch._inductor", "sympy"} & set(sys.modules)
assert not heavy, heavy
print(peak() - before)
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 300
