"""Candidates from tables: files of comma-, semicolon- or tab-separated values."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isnan
from pathlib import Path
from typing import Any, get_args

from inspect_cost.ranking.candidates import Candidate
from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import LARGEST, Kind, Quantity
from inspect_cost.values.text_files import read_text

#: Endings of the names of tables.
SUFFIXES = (".csv", ".tsv")
HOW_TO_WRITE = 'Write 3.9 or "3.9 +- 0.2", with a decimal point; leave it out if unknown.'
#: Headings of the column that names the models.
NAME_COLUMNS = ("name", "model")
MISSING = {"", "-", "na", "n/a", "nan", "none", "null"}
#: What may follow a column's name: half of its 95 % interval, its kind, its source.
CI, KIND, SOURCE = "_ci", "_kind", "_source"
KINDS: tuple[str, ...] = get_args(Kind)
WITH_INTERVAL = re.compile(r"\s*(?:\+-|\+/-|±)\s*")


def read_table(path: Path) -> list[Candidate]:
    """Return the models in a table.

    Raises:
        UsageError: the file cannot be read, or is malformed; the message names file and line.
    """
    found = list(_from_csv(read_text(path), str(path)))
    if not found:
        raise UsageError(f"{path} has no models", "Add a line for each model.")
    return found


def _from_csv(text: str, path: str) -> Iterator[Candidate]:
    """A line for each model; the first line names the columns."""
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        columns = [cell.strip() for cell in next(rows, [])]
        name_column = _name_column(columns, path)
        models = [
            (rows.line_num, _row(columns, cells, f"{path}, line {rows.line_num}"))
            for cells in rows
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise UsageError(f"{path}, line {rows.line_num}: {error}", "Mend that line.") from None
    words = _words(entries for _, entries in models)
    for line, entries in models:
        where = f"{path}, line {line}"
        name = entries.pop(columns[name_column])
        if not name:
            raise UsageError(f"{where}: the model has no name", "Name it.")
        numbers = {key: entry for key, entry in entries.items() if key not in words}
        texts = {key: f"{where}, {key}: {entries[key]!r}" for key in words if entries.get(key)}
        yield Candidate(name, read_entries(numbers, _place(where)), where, texts)


def _place(where: str) -> Callable[[str], str]:
    return lambda key: f"{where}, {key}"


def _name_column(columns: list[str], path: str) -> int:
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise UsageError(f"{path}, line 1: two columns are called {twice[0]!r}", "Rename one.")
    for index, column in enumerate(columns):
        if column.lower() in NAME_COLUMNS:
            return index
    raise UsageError(
        f"{path}, line 1: no column is called name", "The first line is to name the columns."
    )


def _row(columns: list[str], cells: list[str], where: str) -> dict[str, str]:
    if len(cells) != len(columns):
        raise UsageError(
            f"{where}: {len(cells)} cells, and {len(columns)} columns", "Mend that line."
        )
    return {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}


def _words(models: Iterable[Mapping[str, Any]]) -> set[str]:
    """Names of entries that are a number in no model: a class, a remark."""
    names: dict[str, bool] = {}
    for entries in models:
        for name, entry in entries.items():
            names[name] = names.get(name, False) or _is_number(entry)
    return {
        name
        for name, numeric in names.items()
        if not numeric and not name.endswith((KIND, SOURCE)) and name not in {"kind", "source"}
    }


def _is_number(entry: Any) -> bool:
    try:
        return _number(entry, "")[0] is not None
    except UsageError:
        return False


def read_entries(entries: Mapping[str, Any], where: Callable[[str], str]) -> dict[str, Quantity]:
    """Values from a table's entries, with their intervals, kinds and sources beside them.

    Args:
        entries: ``x`` with ``x_ci``, ``x_kind`` and ``x_source``, or ``x`` as "3.9 +- 0.2".
        where: from an entry's name to its place, for messages.

    Raises:
        UsageError: a value is no number, or an interval is negative.
    """
    values: dict[str, Quantity] = {}
    for name, entry in entries.items():
        if _beside(name, entries):
            continue
        number, half_width = _number(entry, where(name))
        if number is None:
            continue
        extra = entries.get(name + CI)
        if extra is not None:
            half_width = _number(extra, where(name + CI))[0]
        if half_width is not None and not 0 <= half_width < float("inf"):
            raise UsageError(
                f"{where(name)}: an interval of +- {half_width:g}", "Give half of its width."
            )
        values[name] = Quantity(
            number,
            "",
            _kind(entries.get(name + KIND) or entries.get("kind"), where(name)),
            str(entries.get(name + SOURCE) or entries.get("source") or where(name)),
            (number - half_width, number + half_width) if half_width else None,
        )
    return values


def _beside(name: str, entries: Mapping[str, Any]) -> bool:
    """Whether an entry says something of another, or of the model."""
    stems = [name.removesuffix(end) for end in (CI, KIND, SOURCE) if name.endswith(end)]
    return name in {"source", "kind", "title"} or any(stem in entries for stem in stems)


def _number(entry: Any, where: str) -> tuple[float | None, float | None]:
    """(number, half of its interval), each None where there is none."""
    if isinstance(entry, (int, float)) and not isinstance(entry, bool):
        return _finite(entry, where), None
    if isinstance(entry, str):
        if entry.strip().lower() in MISSING:
            return None, None
        try:
            number, *half_width = map(float, WITH_INTERVAL.split(entry.strip(), maxsplit=1))
        except ValueError:
            pass
        else:
            return _finite(number, where), half_width[0] if half_width else None
    raise UsageError(f"{where}: {entry!r} is no number", HOW_TO_WRITE)


def _finite(number: float, where: str) -> float | None:
    """The number; None where it is NaN, which is no value."""
    if abs(number) > LARGEST:
        raise UsageError(f"{where}: {number:g} is too large a value", "Leave it out if unknown.")
    return None if isnan(number) else number


def _kind(given: Any, where: str) -> Kind:
    if given in {None, ""}:
        return "reported"
    if given not in KINDS:
        raise UsageError(f"{where}: no kind is called {given!r}", f"Write {', '.join(KINDS)}.")
    return given  # type: ignore[no-any-return]  # it is one of them
