"""Documents: what stands between results and formats.

A section turns a result into blocks, a format turns blocks into text, and neither knows the other.
Cells keep the number that they show, so that a format may write it in its own way.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, Self

Alignment = Literal["left", "right"]
#: What a text is; how that looks is for each format to decide.
Style = Literal[
    "",
    "heading",
    "strong",
    "remark",
    "bar",
    "command",
    "advice",
    "good",
    "caution",
    "warning",
    "bad",
    "error",
]


@dataclass(frozen=True)
class Cell:
    """A piece of text, and the value that it shows.

    Attributes:
        text: as people read it, perhaps of several lines.
        value: exact; None if the text shows none, or nothing is known.
        unit: of the value: "J", "MAC"; "" of a plain number.
        kind: how the value came about: "counted", "measured", "estimated" or "reported", or "".
        style: what the text is.
    """

    text: str = ""
    value: int | float | str | None = None
    unit: str = ""
    kind: str = ""
    style: Style = ""


@dataclass(frozen=True)
class Heading:
    """A title.

    Attributes:
        text: the title itself.
        remarks: what stands beside it.
        lines: what stands right below it.
        level: 1 for the document's, 2 for a part's.
    """

    text: str
    remarks: tuple[str, ...] = ()
    lines: tuple[Cell, ...] = ()
    level: int = 1


@dataclass(frozen=True)
class Prose:
    """Lines of text. Those of a list are items of it; others are sentences."""

    lines: tuple[Cell, ...]
    indent: int = 0
    listed: bool = False


@dataclass(frozen=True)
class Notes:
    """Remarks, one a line; those with more indentation explain the ones before them."""

    lines: tuple[Cell, ...]
    indent: int = 0


@dataclass(frozen=True)
class Code:
    """Source text to copy, in Python unless its language is another."""

    text: str
    language: str = "python"


@dataclass(frozen=True)
class Fact:
    """A name with its value; a fact without a name adds to the one before it."""

    name: str
    value: Cell = Cell()
    remark: str = ""


@dataclass(frozen=True)
class Facts:
    """Names with values and remarks; the values are numbers if they are aligned to the right."""

    rows: tuple[Fact, ...]
    align: Alignment = "right"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its header, perhaps of several lines; "" for none.
        align: of header and cells.
        wrap: whether its cells may be broken into lines.
        min_width: characters that it needs at least, where characters are counted.
        style: of its cells.
    """

    name: str = ""
    align: Alignment = "left"
    wrap: bool = False
    min_width: int = 0
    style: Style = ""


@dataclass(frozen=True)
class Row:
    """A row of a table; in a tree, `depth` levels below its root."""

    cells: tuple[Cell, ...]
    style: Style = ""
    depth: int = 0


@dataclass(frozen=True)
class Table:
    """Rows of cells under columns, without a header if no column has a name.

    Attributes:
        columns: as many as each row has cells.
        rows: from top to bottom.
        indent: characters to its left, where characters are counted.
        min_width: characters of a line that it must get, and more if its cells would be cut; 0 if
            it fits into any.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    indent: int = 0
    min_width: int = 0

    @property
    def has_header(self) -> bool:
        """Whether any column has a name."""
        return any(column.name for column in self.columns)


@dataclass(frozen=True)
class Tree:
    """A table whose first column names the nodes of a tree, parents first."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Definition:
    """A term with paragraphs on it."""

    term: str
    texts: tuple[Cell, ...]


@dataclass(frozen=True)
class Definitions:
    """Terms with paragraphs below them.

    Attributes:
        entries: in their order.
        hanging: characters by which all lines of a paragraph but the first are indented further.
        max_width: characters of a line at most, where characters are counted.
    """

    entries: tuple[Definition, ...]
    hanging: int = 0
    max_width: int = 96


Block = Heading | Prose | Notes | Code | Facts | Table | Tree | Definitions


@dataclass(frozen=True)
class Document:
    """A result as blocks of text and tables.

    Attributes:
        title: for whoever files it; the text itself begins with a heading of its own.
        parts: blocks that belong together; parts are set apart from each other.
    """

    title: str
    parts: tuple[tuple[Block, ...], ...]

    @classmethod
    def of(cls, title: str, *parts: Iterable[Block]) -> Self:
        """Make a document of its parts, leaving out empty ones."""
        filled = (tuple(part) for part in parts)
        return cls(title, tuple(part for part in filled if part))

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of all parts."""
        return tuple(block for part in self.parts for block in part)

    def map_texts(self, change: Callable[[str], str]) -> Self:
        """Return the document with a change made to every text in it."""
        return replace(self, parts=_map_texts(self.parts, change))


def _map_texts(part: Any, change: Callable[[str], str]) -> Any:
    if isinstance(part, str):
        return change(part)
    if isinstance(part, tuple):
        return tuple(_map_texts(each, change) for each in part)
    if not is_dataclass(part) or isinstance(part, type):
        return part
    return replace(
        part, **{each.name: _map_texts(getattr(part, each.name), change) for each in fields(part)}
    )


def make_cells(*texts: str, style: Style = "") -> tuple[Cell, ...]:
    """Return a cell for each text."""
    return tuple(Cell(text, style=style) for text in texts)
