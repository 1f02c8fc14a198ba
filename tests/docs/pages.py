"""The documentation as tests read it: its pages, their code blocks, inline code and links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = tuple(sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: where it is.
        line: number of its first line of code.
        language: as its fence says; "" if it does not.
        text: the code.
    """

    page: Path
    line: int
    language: str
    text: str


def list_blocks(page: Path, *languages: str) -> list[Block]:
    """Return a page's blocks of code in some languages, or all of them."""
    return [block for block in _find_blocks(page) if not languages or block.language in languages]


def _find_blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        yield Block(page, line, match[1], match[2])


def read_prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _BLOCK.sub("", page.read_text())


def list_links(page: Path) -> list[str]:
    """Return the targets of a page's links."""
    return _LINK.findall(read_prose(page))


def list_inline_code(page: Path) -> list[str]:
    """Return what a page has in backticks."""
    return _CODE.findall(read_prose(page))


def list_anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    titles = _HEADING.findall(read_prose(page))
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def name_page(page: Path) -> str:
    """Return a page's path in the repository, for the names of tests."""
    return str(page.relative_to(ROOT))
