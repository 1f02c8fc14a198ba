"""A document as a fragment of HTML for notebooks: complete in itself, and on any background.

There is no script, no style sheet and no link. Text has the colour of the page, and what is grey is
that colour made transparent, so that light and dark themes both show it.
"""

from collections.abc import Iterable, Mapping
from functools import singledispatch
from html import escape
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

#: Style -> CSS. The colours have a contrast of at least 3 with both white and black.
STYLES: Mapping[Style, str] = MappingProxyType(
    {
        "": "",
        "heading": "font-weight:bold",
        "strong": "font-weight:bold",
        "remark": "opacity:.7",
        "bar": "color:#3b8ea5",
        "command": "font-weight:bold",
        "advice": "color:#3b8ea5",
        "good": "font-weight:bold;color:#2e8b57",
        "caution": "font-weight:bold;color:#b8791f",
        "warning": "color:#b8791f",
        "bad": "color:#d64545",
        "error": "font-weight:bold;color:#d64545",
    }
)
PAGE = "font-family:system-ui,sans-serif;font-size:13px;line-height:1.45;text-align:left"
TABLE = (
    "border-collapse:collapse;border:0;margin:0;background:transparent;"
    "font-variant-numeric:tabular-nums"
)
CELL = "border:0;padding:1px 12px 1px 0;vertical-align:top;background:transparent"
RULE = "border-bottom:1px solid rgba(128,128,128,.5)"
#: Style of texts that keep their width, and are scrolled if they are wider than the page.
CODE = "margin:2px 0 2px 1em;padding:0;background:transparent;color:inherit;overflow-x:auto"
#: Space before a part.
GAP = "1em"
#: A space that is not dropped from the start of a line.
SPACE = "&ensp;"


def write_notebook(document: Document) -> str:
    """Return the document as one element."""
    parts = (write_part(part, first=not n) for n, part in enumerate(document.parts))
    return tag("div", "\n".join(parts), PAGE)


def write_part(part: Iterable[Block], *, first: bool) -> str:
    """Return the blocks of a part, set apart from the one before it."""
    return tag("div", "\n".join(map(write, part)), "" if first else f"margin-top:{GAP}")


def tag(name: str, content: str, *styles: str) -> str:
    """Return an element; its content is HTML already."""
    style = ";".join(filter(None, styles))
    return f'<{name} style="{style}">{content}</{name}>' if style else f"<{name}>{content}</{name}>"


@singledispatch
def write(block: Block) -> str:
    """Return a block as HTML."""
    raise TypeError(f"{type(block).__name__} is no block")


@write.register
def write_heading(block: Heading) -> str:
    """Write the title in bold, with what is beside and below it."""
    remarks = f" &ensp;{clean(' '.join(block.remarks))}" if block.remarks else ""
    size = "font-size:1.15em" if block.level == 1 else ""
    title = tag("div", tag("b", clean(block.text)) + remarks, size)
    return "\n".join([title, *map(write_line, block.lines)])


@write.register
def write_prose(block: Prose) -> str:
    """Write one line below the other."""
    return write_lines(block.lines, block.indent)


@write.register
def write_notes(block: Notes) -> str:
    """Write one line below the other."""
    return write_lines(block.lines, block.indent)


@write.register
def write_code(block: Code) -> str:
    """Write text of fixed width."""
    return tag("pre", escape(replace_controls(block.text)), CODE)


@write.register
def write_facts(block: Facts) -> str:
    """Write names in bold, values, and remarks in grey."""
    columns = (Column(style="strong"), Column(align=block.align), Column(style="remark", wrap=True))
    rows = (Row((Cell(row.name), row.value, Cell(row.remark))) for row in block.rows)
    return write_rows(columns, rows)


@write.register
def write_table(block: Table) -> str:
    """Write columns under their names."""
    return write_rows(block.columns, block.rows)


@write.register
def write_tree(block: Tree) -> str:
    """Write columns under their names, the first indented."""
    return write_rows(block.columns, block.rows)


@write.register
def write_definitions(block: Definitions) -> str:
    """Write terms in bold, and paragraphs indented."""
    return "\n".join(
        tag("div", tag("b", clean(entry.term))) + "\n" + write_lines(entry.texts, 4)
        for entry in block.entries
    )


def write_lines(lines: Iterable[Cell], indent: int) -> str:
    """Return lines of text, moved to the right by half an em a character."""
    margin = f"margin-left:{indent / 2:g}em" if indent else ""
    return tag("div", "\n".join(map(write_line, lines)), margin)


def write_line(cell: Cell) -> str:
    """Return a line of text."""
    return tag("div", clean(cell.text), STYLES[cell.style])


def write_rows(columns: Iterable[Column], rows: Iterable[Row]) -> str:
    """Return a table, which is scrolled if it is wider than the page."""
    columns = tuple(columns)
    head = "".join(write_header(column) for column in columns)
    lines = [f"<tr>{head}</tr>"] if any(column.name for column in columns) else []
    lines += [write_row(columns, row) for row in rows]
    return tag("div", tag("table", "\n".join(lines), TABLE), "overflow-x:auto")


def write_header(column: Column) -> str:
    """Return the name of a column."""
    name = clean(column.name.replace("-\n", ""))
    style = f"text-align:{column.align};font-weight:bold;white-space:nowrap"
    return tag("th", name, CELL, RULE, style)


def write_row(columns: tuple[Column, ...], row: Row) -> str:
    """Return a row; its first cell is indented by its depth."""
    styles = [f"{CELL};text-align:{column.align}" for column in columns]
    styles[0] += f";padding-left:{1.2 * row.depth:g}em" if row.depth else ""
    cells = (
        tag("td", write_text(cell, column), style, *find_styles(cell, column, row))
        for cell, column, style in zip(row.cells, columns, styles, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def find_styles(cell: Cell, column: Column, row: Row) -> tuple[str, ...]:
    """Return the CSS of a cell: of its column, its row and itself."""
    whole = "" if column.wrap else "white-space:nowrap"
    return (whole, STYLES[column.style], STYLES[row.style], STYLES[cell.style])


def write_text(cell: Cell, column: Column) -> str:
    """Return the text of a cell; a bar is drawn."""
    if column.style == "bar" and isinstance(cell.value, float):
        width = f"width:{6 * cell.value:.2f}em"
        return tag("div", "", f"height:.7em;margin-top:.35em;background:currentColor;{width}")
    return clean(cell.text)


def clean(text: str) -> str:
    """Return a text in which no character has a meaning; its lines stay apart, and indented."""
    level = len(text) - len(text.lstrip(" "))
    lines = replace_controls(text).splitlines()
    return SPACE * level + "<br>".join(escape(line.lstrip(" ")) for line in lines)
