"""A document for a terminal, drawn by rich: colours where there are some, plain text elsewhere."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import singledispatch
from io import StringIO
from types import MappingProxyType

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

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
from inspect_cost.reports.view import View

#: Style -> rich's words for it.
STYLES: Mapping[Style, str] = MappingProxyType(
    {
        "": "",
        "heading": "bold",
        "strong": "bold",
        "remark": "dim",
        "bar": "cyan",
        "command": "bold default",
        "advice": "cyan",
        "good": "bold green",
        "caution": "bold yellow",
        "warning": "yellow",
        "bad": "red",
        "error": "bold red",
    }
)
#: Columns that the names of a tree get before others are cut.
TREE_NAMES = 40
UNLIMITED = 100_000


def write_terminal(document: Document, view: View) -> str:
    """Return the document as lines of the view's width, or wider if a table needs it."""
    sink = StringIO()
    console = Console(
        file=sink,
        width=max(view.width, *map(find_width, document.parts), 1),
        force_terminal=view.color,
        no_color=not view.color,
        color_system="truecolor" if view.color else None,
        highlight=False,
        markup=False,  # a name may have brackets
        emoji=False,  # or colons
    )
    console.print(Group(*draw_parts(document)))
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines())


def draw_parts(document: Document) -> Iterator[RenderableType]:
    """Yield the blocks of each part, and an empty line between parts."""
    for number, part in enumerate(document.parts):
        if number:
            yield Text()
        yield from map(draw, part)


def find_width(part: tuple[Block, ...]) -> int:
    """Return the width of a line that the tables of a part insist on."""
    return max((find_table_width(block) for block in part if isinstance(block, Table)), default=0)


def find_table_width(table: Table) -> int:
    """Return the width below which cells would be cut; broken columns need their least only."""
    if not table.min_width:
        return 0
    whole = [n for n, column in enumerate(table.columns) if not column.wrap]
    rows = tuple(Row(tuple(row.cells[n] for n in whole)) for row in table.rows)
    unbroken = draw_table(Table(tuple(table.columns[n] for n in whole), rows))
    paper = Console(width=UNLIMITED)
    needed = Measurement.get(paper, paper.options, unbroken).maximum
    needed += sum(column.min_width + 1 for column in table.columns if column.wrap)
    return max(table.min_width, needed)


@singledispatch
def draw(block: Block) -> RenderableType:
    """Return a block as rich draws it."""
    raise TypeError(f"{type(block).__name__} is no block")


@draw.register
def draw_heading(block: Heading) -> RenderableType:
    """Draw the title in bold, with what is beside and below it."""
    text = Text(replace_controls(block.text), style=STYLES["heading"])
    for number, remark in enumerate(block.remarks):
        text.append(f"{' ' if number else '  '}{remark}", style="default")
    for line in block.lines:
        text.append(f"\n{line.text}", style=STYLES[line.style])
    return text


@draw.register
def draw_prose(block: Prose) -> RenderableType:
    """Draw lines that go on at the margin if they are broken."""
    return Group(*(draw_cell(line, " " * block.indent) for line in block.lines))


@draw.register
def draw_notes(block: Notes) -> RenderableType:
    """Draw lines that keep their indentation if they are broken."""
    return shift(Group(*map(draw_cell, block.lines)), block.indent)


@draw.register
def draw_code(block: Code) -> RenderableType:
    """Draw lines indented by two."""
    lines = block.text.splitlines()
    return Group(*(Text(f"  {line}", style=STYLES["command"]) for line in lines))


@draw.register
def draw_facts(block: Facts) -> RenderableType:
    """Draw names in bold, values, and remarks in grey."""
    numbers = block.align == "right"
    remarks = any(row.remark for row in block.rows)
    grid = Grid.grid(padding=(0, 3 if numbers else 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(justify=block.align, no_wrap=numbers)
    if remarks:
        grid.add_column(style=STYLES["remark"])
    for row in block.rows:
        grid.add_row(Text(row.name), draw_cell(row.value), *([Text(row.remark)] if remarks else []))
    return shift(grid, 2)


@draw.register
def draw_table(block: Table) -> RenderableType:
    """Draw columns with two spaces between them."""
    grid = make_grid() if block.has_header else Grid.grid(padding=(0, 2))
    for column in block.columns:
        add_column(grid, column, column.min_width)
    for row in block.rows:
        grid.add_row(*map(draw_cell, row.cells), style=STYLES[row.style] or None)
    return shift(grid, block.indent)


@draw.register
def draw_tree(block: Tree) -> RenderableType:
    """Draw a table with indented names; if a line is too short, names are cut, never digits."""
    labels = ["  " * row.depth + row.cells[0].text for row in block.rows]
    grid = make_grid()
    names, *others = block.columns
    add_column(grid, names, min(max(map(len, labels), default=0), TREE_NAMES))
    for column in others:
        add_column(grid, column, column.min_width)
    for label, row in zip(labels, block.rows, strict=True):
        cells = map(draw_cell, row.cells[1:])
        grid.add_row(Text(replace_controls(label)), *cells, style=STYLES[row.style] or None)
    return grid


@draw.register
def draw_definitions(block: Definitions) -> RenderableType:
    """Draw terms, and paragraphs indented by four."""
    return Wrapped(block)


@dataclass(frozen=True)
class Wrapped:
    """Definitions, broken into lines as Python's textwrap does."""

    block: Definitions

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, self.block.max_width)
        first, others = " " * 4, " " * (4 + self.block.hanging)
        for entry in self.block.entries:
            yield Text(entry.term)
            for cell in entry.texts:
                lines = textwrap.wrap(
                    cell.text, width, initial_indent=first, subsequent_indent=others
                )
                yield Text("\n".join(lines), style=STYLES[cell.style])


def make_grid() -> Grid:
    """Make a table with bold headers and no lines."""
    return Grid(box=None, padding=(0, 1), pad_edge=False, header_style="bold")


def add_column(grid: Grid, column: Column, min_width: int) -> None:
    """Add a column to a table."""
    grid.add_column(
        column.name,
        justify=column.align,
        no_wrap=not column.wrap,
        min_width=min_width or None,
        style=STYLES[column.style],
        overflow="crop" if column.style == "bar" else "ellipsis",
    )


def draw_cell(cell: Cell, prefix: str = "") -> Text:
    """Return a cell's text in its style."""
    return Text(prefix + replace_controls(cell.text), style=STYLES[cell.style])


def shift(content: RenderableType, columns: int) -> RenderableType:
    """Return something drawn that many columns to the right."""
    return Padding(content, (0, 0, 0, columns)) if columns else content
