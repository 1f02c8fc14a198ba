"""Only `subjects` knows which kinds of subject there are: no other file asks what a name is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "inspect_cost"
CLASSES = {"PresetSubject", "PythonSubject", "OnnxSubject"}
MODULES = {f"inspect_cost.subjects.{name}" for name in ("preset", "python", "onnx", "loading")}
CATALOGUE = {"model_zoo.PRESETS", "model_zoo.preset", "model_zoo.names"}
#: Files that look at names for a reason of their own.
EXCEPTIONS = {
    "cli/generate.py": "audio comes from presets alone",
    "cli/zoo.py": "lists the presets",
    "counting/count.py": "count() takes the path of an ONNX file, and no other name",
    "engine/standings.py": "the paper is about presets",
    "reports/results.py": "lists the catalogue",
}


def find_branches(path: Path) -> Iterator[str]:
    """Yield what in a file asks for the kind of a subject, or of its name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield f"imports {node.module}"
        elif isinstance(node, ast.Name) and node.id in CLASSES:
            yield f"names {node.id}"
        elif isinstance(node, ast.Compare) and _looks_for_colon(node):
            yield '":" in ...'
        elif isinstance(node, ast.Constant) and node.value in {".onnx", ".pt2"}:
            yield f"looks for {node.value}"
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in CATALOGUE:
            yield f"asks {ast.unparse(node)}"


def _looks_for_colon(node: ast.Compare) -> bool:
    colon = isinstance(node.left, ast.Constant) and node.left.value == ":"
    return colon and any(isinstance(op, (ast.In, ast.NotIn)) for op in node.ops)


#: Sensors have names with colons, and nothing to do with subjects.
APART = {"subjects", "sensors"}
FILES = [path for path in sorted(ROOT.rglob("*.py")) if path.parent.name not in APART]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_branch_on_the_kind(path: Path) -> None:
    if str(path.relative_to(ROOT)) not in EXCEPTIONS:
        assert list(find_branches(path)) == []


def test_the_search_finds_branches(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(
        "from inspect_cost.subjects.preset import PresetSubject\n"
        'own = ":" in model or model.endswith(".onnx") or model in model_zoo.PRESETS\n'
        "isinstance(subject, PresetSubject)\n"
    )
    assert len(list(find_branches(path))) == 5
