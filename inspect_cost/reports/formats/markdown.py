"""A document as GitHub-flavoured Markdown: for an issue, a README, a pull request."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import singledispatch
from itertools import groupby
from types import MappingProxyType

from inspect_cost.reports.document import (
    Block,
    Cell,
    Code,
    Column,
    Definitions,
    Document,
    Facts,
    Heading,
    Notes,
    Prose,
    Row,
    Style,
    Table,
    Tree,
)
from inspect_cost.reports.formats.characters import replace_controls

#: Styles that are written in bold.
BOLD: frozenset[Style] = frozenset({"strong", "good", "caution", "error"})
#: What has a meaning anywhere in a line -> what is written for it.
SPECIAL: Mapping[str, str] = MappingProxyType(
    {
        r"([\\`*\[\]|~$<])": r"\\\1",
        r"(?<!\w)_|_(?!\w)": r"\\_",  # inside a word it has none
        r"&(?=#?\w+;)": "&amp;",
        r"(?<!\w)@(?=\w)": "&#64;",  # somebody who would be notified
        r"(?<!\w)#(?=\d)": "&#35;",  # an issue
    }
)
#: What begins a list, a heading, a quotation or a rule -> what is written for it.
AT_START: Mapping[str, str] = MappingProxyType(
    {r"^([-+=#>])": r"\\\1", r"^(\d{1,9})([.)])(?=\s|$)": r"\1\\\2"}
)
LINE_BREAK = "\\\n"
CELL_BREAK = "<br>"
#: For levels of a tree: plain spaces are dropped from the start of a cell.
LEVEL = "&emsp;"
#: Spaces of indentation that make a level of a list.
LIST_INDENT = 2


def write_markdown(document: Document) -> str:
    """Return the document, with an empty line between blocks."""
    return "\n\n".join(text for part in document.parts for text in write_part(part))


def write_part(part: Iterable[Block]) -> Iterator[str]:
    """Yield the text of each block; lists that follow each other become one."""
    for listed, blocks in groupby(part, key=is_list):
        texts = [write(block) for block in blocks]
        yield from ["\n".join(texts)] if listed else texts


def is_list(block: Block) -> bool:
    """Return whether a block is written as a list."""
    return isinstance(block, Notes) or (isinstance(block, Prose) and block.listed)


@singledispatch
def write(block: Block) -> str:
    """Return a block as Markdown."""
    raise TypeError(f"{type(block).__name__} is no block")


@write.register
def write_heading(block: Heading) -> str:
    """Write it one level below a page's title, and a paragraph of what is beside and below it."""
    title = f"{'#' * (block.level + 1)} {escape(block.text)}"
    remarks = [escape_line(" ".join(block.remarks))] if block.remarks else []
    below = LINE_BREAK.join([*remarks, *map(write_cell, block.lines)])
    return f"{title}\n\n{below}" if below else title


@write.register
def write_prose(block: Prose) -> str:
    """Write a list, or a paragraph whose lines stay apart."""
    if block.listed:
        return "\n".join(f"- {write_cell(line)}" for line in block.lines)
    return LINE_BREAK.join(map(write_cell, block.lines))


@write.register
def write_notes(block: Notes) -> str:
    """Write a list, one level deeper for each further indentation."""
    margin = " " * max(0, block.indent - LIST_INDENT)
    return "\n".join(f"{margin}- {write_cell(line)}" for line in block.lines)


@write.register
def write_code(block: Code) -> str:
    """Write a fenced block; the fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", block.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{block.language}\n{replace_controls(block.text)}\n{fence}"


@write.register
def write_facts(block: Facts) -> str:
    """Write a table without a header: names in bold, values, remarks."""
    remarks = any(row.remark for row in block.rows)
    columns = (Column(), Column(align=block.align), *([Column()] if remarks else []))
    rows = (
        [mark(escape_cell(row.name), "strong"), write_in_table(row.value)]
        + ([escape_cell(row.remark)] if remarks else [])
        for row in block.rows
    )
    return write_rows(columns, rows)


@write.register
def write_table(block: Table) -> str:
    """Write a table; rows that stand out are in bold."""
    return write_rows(block.columns, map(write_row, block.rows))


@write.register
def write_tree(block: Tree) -> str:
    """Write a table whose names are indented by wide spaces."""
    rows = (
        [LEVEL * row.depth + write_in_table(row.cells[0]), *map(write_in_table, row.cells[1:])]
        for row in block.rows
    )
    return write_rows(block.columns, rows)


@write.register
def write_definitions(block: Definitions) -> str:
    """Write terms in bold, each with a list."""
    return "\n\n".join(
        "\n".join([f"{mark(escape(entry.term), 'strong')}\n", *write_items(entry.texts)])
        for entry in block.entries
    )


def write_items(cells: Iterable[Cell]) -> Iterator[str]:
    """Yield items of a list."""
    return (f"- {write_cell(cell)}" for cell in cells)


def write_rows(columns: Iterable[Column], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of texts that are escaped already."""
    columns = tuple(columns)
    header = [escape_cell(column.name.replace("-\n", "")) for column in columns]
    rule = ["---:" if column.align == "right" else "---" for column in columns]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def write_row(row: Row) -> list[str]:
    """Return the cells of a row."""
    return [mark(write_in_table(cell), row.style) for cell in row.cells]


def write_in_table(cell: Cell) -> str:
    """Return a cell of a table."""
    return mark(escape_cell(cell.text), cell.style)


def write_cell(cell: Cell) -> str:
    """Return a line of text."""
    return mark(escape_line(cell.text), cell.style)


def mark(text: str, style: Style) -> str:
    """Return an escaped text in bold if its style asks for it."""
    return f"**{text}**" if text and style in BOLD else text


def escape_cell(text: str) -> str:
    """Return a text that ends no cell and no row; its lines stay apart, and its indentation."""
    level = (len(text) - len(text.lstrip(" "))) // LIST_INDENT
    return LEVEL * level + CELL_BREAK.join(filter(None, map(escape, text.splitlines())))


def escape_line(text: str) -> str:
    r"""Return a text that begins a line, and no list, heading, quotation or rule.

    >>> escape_line("1. x"), escape_line("- y"), escape_line("1.5 z")
    ('1\\. x', '\\- y', '1.5 z')
    """
    return substitute(escape(text), AT_START)


def escape(text: str) -> str:
    r"""Return a text of one line in which no character has a meaning.

    >>> escape("a|b.`c` <i> _d_ e_f")
    'a\\|b.\\`c\\` \\<i> \\_d\\_ e_f'
    """
    return substitute(" ".join(replace_controls(text).split()), SPECIAL)


def substitute(text: str, patterns: Mapping[str, str]) -> str:
    """Return a text with each pattern replaced."""
    for pattern, written in patterns.items():
        text = re.sub(pattern, written, text)
    return text
