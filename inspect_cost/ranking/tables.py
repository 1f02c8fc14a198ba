"""Candidates from tables: files of comma-, semicolon- or tab-separated values."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inspect_cost.ranking.candidates import Candidate
from inspect_cost.values.errors import UsageError
from inspect_cost.values.given import CI, is_number, is_text, read_values
from inspect_cost.values.quantity import Quantity
from inspect_cost.values.text_files import read_text

#: Endings of the names of tables.
SUFFIXES = (".csv", ".tsv")
#: Headings of the column that names the models.
NAME_COLUMNS = ("name", "model")
#: A heading that is never a value.
TITLE = "title"
#: Cells without a value.
MISSING = {"", "-", "na", "n/a", "nan", "none", "null"}


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        where: the file and the line, for messages.
        cells: column -> text.
    """

    where: str
    cells: Mapping[str, str]


def read_table(path: Path) -> list[Candidate]:
    """Read the models in a table; its first line names the columns.

    Raises:
        UsageError: the file cannot be read, or is malformed; the message names file and line.
    """
    columns, rows = _split(read_text(path), str(path))
    name_column = _find_name_column(columns, f"{path}, line 1")
    if not rows:
        raise UsageError(f"{path} has no models", "Add a line for each model.")
    remarks = _find_remarks(columns, rows) - {name_column}
    return [_read_row(row, name_column, remarks) for row in rows]


def _split(text: str, path: str) -> tuple[list[str], list[Row]]:
    """Return the columns' names, and the lines that are not blank."""
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    lines = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        columns = [cell.strip() for cell in next(lines, [])]
        rows = list(_pair(columns, ((lines.line_num, cells) for cells in lines), path))
    except csv.Error as error:
        raise UsageError(f"{path}, line {lines.line_num}: {error}", "Fix that line.") from None
    return columns, rows


def _pair(columns: list[str], lines: Iterable[tuple[int, list[str]]], path: str) -> Iterator[Row]:
    for number, cells in lines:
        where = f"{path}, line {number}"
        stripped = [cell.strip() for cell in cells]
        if not any(stripped):
            continue
        if len(cells) != len(columns):
            raise UsageError(
                f"{where}: {len(cells)} cells, but {len(columns)} columns", "Fix that line."
            )
        yield Row(where, dict(zip(columns, stripped, strict=True)))


def _find_name_column(columns: Sequence[str], where: str) -> str:
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise UsageError(f"{where}: two columns are called {twice[0]!r}", "Rename one.")
    for column in columns:
        if column.lower() in NAME_COLUMNS:
            return column
    raise UsageError(f"{where}: no column is called name", "Name the columns in the first line.")


def _find_remarks(columns: Sequence[str], rows: Sequence[Row]) -> set[str]:
    """Return columns that have a number in no row: a class, a remark."""
    return {
        column
        for column in columns
        if not is_text(column) and not any(is_number(row.cells[column]) for row in rows)
    }


def _read_row(row: Row, name_column: str, remarks: set[str]) -> Candidate:
    name = row.cells[name_column]
    if not name:
        raise UsageError(f"{row.where}: the model has no name", "Name it.")
    words = {
        column: f"{row.where}, {column}: {row.cells[column]!r}"
        for column in remarks
        if row.cells[column]
    }
    unused = {name_column, TITLE, *remarks}
    entries = {column: cell for column, cell in row.cells.items() if column not in unused}
    return Candidate(name, _read_values(entries, row.where), row.where, words)


def _read_values(entries: Mapping[str, str], where: str) -> dict[str, Quantity]:
    """Return the values of a row; their default source is their place."""
    blank = {name for name, cell in entries.items() if cell.lower() in MISSING}
    blank |= {name + CI for name in blank}
    try:
        values = read_values({n: cell for n, cell in entries.items() if n not in blank})
    except UsageError as error:
        place = f"{where}, {error.field}"
        raise UsageError(f"{place}: {error}", error.advice, field=error.field) from None
    return {
        name: replace(value, source=value.source or f"{where}, {name}")
        for name, value in values.items()
    }
