"""Names come from files, and may hold anything: no format passes on what has a meaning in it."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import Storage
from inspect_cost.reports import render
from inspect_cost.values.notes import Note
from tests.reports.examples import COUNT

NAMES = (
    "a|b",
    "`code` <img src=x onerror=alert(1)>",
    "**bold** _italic_ [link](https://example.org)",
    "# heading",
    "1. list",
    "- item",
    "<!-- hidden",
    "$math$ &amp; ~~gone~~",
    "back\\slash\\|",
    "&lt;script&gt;",
    "\"quoted\" 'name'",
    "trailing \\",
)
#: Names with what is replaced in them -> how they are read.
REPLACED = {"two\nlines": "twolines", "esc\x1b[2Jape": "esc\N{REPLACEMENT CHARACTER}[2Jape"}


def name_modules(*names: str) -> CostReport:
    modules = tuple((name.replace(".", ""), name, Storage(params=1)) for name in names)
    notes = tuple(Note("", name) for name in names)
    return replace(COUNT, modules=(("", "Net", Storage()), *modules), notes=notes, tallies=())


def read_markdown(text: str) -> list[Token]:
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return [*tokens, *(child for token in tokens for child in token.children or ())]


@pytest.mark.parametrize("name", NAMES)
def test_markdown_shows_a_name_as_it_is(name: str) -> None:
    tokens = read_markdown(render(name_modules(name), "markdown"))
    meaningful = {"html_block", "link_open", "em_open", "code_inline", "s_open", "image"}
    assert not meaningful & {token.type for token in tokens}
    html = {token.content for token in tokens if token.type == "html_inline"}
    assert html <= {"<br>"}
    cells = [read_text(token) for token in tokens if token.type == "inline"]
    assert cells.count(name) == count_places(name)
    assert sum(token.type == "th_open" for token in tokens) == 3 + 7
    assert not [token for token in tokens if token.type == "heading_open" and token.tag != "h2"]


def read_text(token: Token) -> str:
    children = [child.content for child in token.children or () if child.type.startswith("text")]
    return "".join(children).strip("\N{EM SPACE}")


def count_places(name: str) -> int:
    """Return how often a name is shown: as type, in the note, and unless it is a path as name."""
    return 2 if "." in name else 3


@pytest.mark.parametrize("name", REPLACED)
def test_markdown_and_terminals_get_no_control_characters(name: str) -> None:
    count = name_modules(name)
    tokens = read_markdown(render(count, "markdown"))
    assert REPLACED[name] in [read_text(token) for token in tokens if token.type == "inline"]
    assert "\x1b" not in render(count, "table")
    assert "\x1b" not in render(count, "notebook")


class Reader(HTMLParser):
    """What a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_show_a_name_as_it_is(name: str) -> None:
    reader = Reader()
    reader.feed(render(name_modules(name), "notebook"))
    reader.close()
    assert reader.open == []
    assert reader.tags <= {"div", "table", "tr", "th", "td", "b", "br", "pre"}
    assert reader.attributes == {"style"}
    assert reader.texts.count(name) == count_places(name)


def test_code_is_fenced_safely() -> None:
    tally = replace(COUNT.tallies[-1], operator="own.```\n# `x")
    count = replace(COUNT, tallies=(tally,))
    (fence,) = (t for t in read_markdown(render(count, "markdown")) if t.type == "fence")
    assert "own.```" in fence.content
    assert fence.content.rstrip().endswith("OpCost()")
