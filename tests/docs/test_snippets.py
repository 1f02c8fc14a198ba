"""The Python of the documentation runs, and what its comments say comes out.

The snippets of a page run in their order and in one namespace, which has stand-ins for what a
reader brings. A comment after a statement is checked if it is a literal (the statement's value), if
it begins with "prints " (a line of the output), or if it begins with the name of an error.
"""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import inspect_cost
from inspect_cost import InspectCostError, load_publications
from inspect_cost.cli import main
from inspect_cost.measuring import measure
from tests.docs.pages import PAGES, ROOT, Block, list_blocks, list_inline_code, name_page
from tests.docs.stand_ins import make_names, write_files

ERROR = re.compile(r"([A-Z]\w*Error)\b")
#: Seconds, so that snippets which measure take no longer.
BUDGET_S = 0.5


def read_comment(block: Block, node: ast.stmt) -> str:
    """Return the comment that follows a statement in its last line, or ""."""
    line = block.text.splitlines()[(node.end_lineno or 0) - 1]
    return line.encode()[node.end_col_offset or 0 :].decode().strip().removeprefix("#").strip()


def parse_literal(comment: str) -> Any:
    """Return the value that a comment is; a ValueError or SyntaxError if it is prose."""
    if not comment:
        raise ValueError
    return ast.literal_eval(comment)


def run_statement(
    block: Block, node: ast.stmt, names: dict[str, Any], out: pytest.CaptureFixture[str]
) -> None:
    """Run a statement, and check what its comment says."""
    comment = read_comment(block, node)
    place = f"{name_page(block.page)}, line {block.line + node.lineno - 1}"
    if expected := ERROR.match(comment):
        with pytest.raises(InspectCostError) as caught:
            run_code(node, names, place)
        assert type(caught.value).__name__ == expected[1], place
        return
    value = run_code(node, names, place)
    printed = out.readouterr().out
    if comment.startswith("prints "):
        assert comment.removeprefix("prints ") in map(str.strip, printed.splitlines()), place
    try:
        literal = parse_literal(comment)
    except (ValueError, SyntaxError):
        return
    assert value == literal or value == pytest.approx(literal, rel=1e-10, abs=0), place


def run_code(node: ast.stmt, names: dict[str, Any], place: str) -> Any:
    """Run a statement; return its value if it is an expression."""
    if isinstance(node, ast.Expr):
        return eval(compile(ast.Expression(node.value), place, "eval"), names)  # noqa: S307
    return exec(compile(ast.Module([node], []), place, "exec"), names)  # noqa: S102


WITH_PYTHON = [page for page in PAGES if list_blocks(page, "python")]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_page)
def test_python_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(measure.BUDGET_S, "cpu", BUDGET_S)
    write_files(tmp_path)
    names = make_names()
    for block in list_blocks(page, "python"):
        for node in ast.parse(block.text).body:
            run_statement(block, node, names, capsys)


TOML = [block for page in PAGES for block in list_blocks(page, "toml")]


@pytest.mark.parametrize("block", TOML, ids=lambda block: name_page(block.page))
def test_toml_is_read(block: Block, tmp_path: Path) -> None:
    content = tomllib.loads(block.text)
    if "model" in content:
        (tmp_path / "models.toml").write_text(block.text)
        assert len(load_publications(tmp_path / "models.toml")) == len(content["model"])


def test_the_sample_in_the_readme_is_what_the_tool_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (sample,) = (b for b in list_blocks(ROOT / "README.md", "console") if "Measured:" in b.text)
    command, *lines = sample.text.splitlines()
    assert main([*command.split()[2:], "--no-measure"]) == 0
    printed = capsys.readouterr().out.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("Measured:"))
    end = next(n for n, line in enumerate(lines) if line.startswith("Module "))
    counted = [line for line in lines[:start] + lines[end:] if line.strip() != "..."]
    assert [line for line in counted if line not in printed] == []


def test_public_names_are_documented() -> None:
    named = " ".join(list_inline_code(ROOT / "docs" / "python.md"))
    missing = [n for n in inspect_cost.__all__ if not re.search(rf"\b{n}\b", named)]
    assert missing == []
