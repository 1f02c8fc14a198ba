"""What the documentation names exists: files, modules, links, options, codes of notes."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from inspect_cost.cli import main
from inspect_cost.cli.app import VERBS
from tests.docs.pages import (
    PAGES,
    ROOT,
    Block,
    list_anchors,
    list_blocks,
    list_inline_code,
    list_links,
    name_page,
    read_prose,
)

#: Where a path that a page names may begin.
ROOTS = (ROOT, ROOT / "docs", ROOT / "inspect_cost", ROOT / "model_zoo")
#: Files of readers, and of other tools.
EXAMPLES = {"emissions.csv", "file.json", "file.py", "model.onnx", "net.py", "path/to/file.py"}
DOTTED = re.compile(r"\binspect_cost(?:\.[A-Za-z_]\w*)+")
PATH = re.compile(r"[\w./-]*\w(?:\.(?:py|md|toml|csv|json|txt)|/)")
#: "`KINDS` of `subjects/__init__.py`", "`main` in `cli/app.py`", "`Call` (`calls/call.py`)".
PLACED = re.compile(r"`(\w+)`(?:\*\*)?(?:,| of| in| from)?\s+\(?`([\w/]+\.py)`")
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
COMMAND = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )?inspect-cost (.*)$", re.MULTILINE)

by_page = pytest.mark.parametrize("page", PAGES, ids=name_page)


def exists(path: str) -> bool:
    return any((root / path).exists() for root in ROOTS)


@by_page
def test_files_exist(page: Path) -> None:
    named = {code for code in list_inline_code(page) if PATH.fullmatch(code)}
    assert {path for path in named - EXAMPLES if not exists(path)} == set()


@by_page
def test_names_are_in_the_files_that_they_are_said_to_be_in(page: Path) -> None:
    for name, path in PLACED.findall(read_prose(page)):
        (found,) = (root / path for root in ROOTS if (root / path).exists())
        assert re.search(rf"\b{name}\b", found.read_text()), f"{name} in {path}"


@by_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in list_links(page):
        path, _, anchor = link.partition("#")
        if path.startswith("http"):
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in list_anchors(target), link


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    home, *rest = name.split(".")
    found: object = import_module(home)
    for part in rest:
        home = f"{home}.{part}"
        try:
            found = import_module(home)
        except ModuleNotFoundError:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
    return True


@by_page
def test_dotted_names_exist(page: Path) -> None:
    names = set(DOTTED.findall(page.read_text()))
    assert {name for name in names if not resolves(name)} == {"inspect_cost.sensors"} & names


def list_commands() -> Iterator[tuple[Block, str]]:
    """Yield the command lines in blocks of shell, each without the program's name."""
    for page in PAGES:
        for block in list_blocks(page, "sh", "console"):
            yield from ((block, line) for line in COMMAND.findall(block.text))


def test_commands_have_the_options_that_examples_use(capsys: pytest.CaptureFixture[str]) -> None:
    known: dict[str, set[str]] = {}
    for block, command in list_commands():
        line = command.partition("#")[0]
        verb = line.split()[0] if line.split()[0] in VERBS else ""
        if verb not in known:
            assert main([*filter(None, [verb]), "--help"]) == 0
            known[verb] = set(OPTION.findall(capsys.readouterr().out))
        unknown = set(OPTION.findall(line)) - known[verb]
        assert not unknown, f"{name_page(block.page)}, line {block.line}: {line}"


def find_codes(*folders: str) -> Iterator[str]:
    """Yield the codes of the notes that files in some folders make."""
    for folder in folders:
        for path in (ROOT / "inspect_cost" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Note":
                    code = node.args[0]
                    if isinstance(code, ast.Constant) and isinstance(code.value, str):
                        yield code.value


@pytest.mark.parametrize(
    ("page", "folders"),
    [
        ("counting.md", ("counting", "engine")),
        ("measuring.md", ("measuring",)),
        ("carbon.md", ("carbon",)),
        ("reports.md", ("reports",)),
    ],
)
def test_pages_list_the_codes_of_notes(page: str, folders: tuple[str, ...]) -> None:
    codes = set(find_codes(*folders)) - {""}
    assert codes
    assert codes - set(list_inline_code(ROOT / "docs" / page)) == set()
