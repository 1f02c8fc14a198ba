"""codecarbon's emissions.csv: one line for each run, or several that go on from each other."""

import csv
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path

from inspect_cost.carbon.logged import Logged
from inspect_cost.values.errors import UsageError
from inspect_cost.values.notes import Note
from inspect_cost.values.text_files import read_text

NEEDED = ("energy_consumed", "emissions")
SHARES = ("gpu_energy", "cpu_energy", "ram_energy")


def read_codecarbon(path: Path) -> Logged:
    """Read all runs of the file together.

    Raises:
        UsageError: the file cannot be read, or is malformed; the message names line and cell.
    """
    rows = _select_last_rows(_read_rows(path), path)
    energy, carbon = (sum(_parse_number(row, key, path) for row in rows) for key in NEEDED)
    shares = {key: sum(_parse_number(row, key, path, 0.0) for row in rows) for key in SHARES}
    pues = {_parse_number(row, "pue", path, 1.0) for row in rows}
    _, last = rows[-1]
    by_sensor = shares["gpu_energy"] >= energy / 2 > 0
    version = last.get("codecarbon_version") or "of an unknown version"
    countries = dict.fromkeys(row.get("country_name") or "unknown zone" for _, row in rows)
    notes = [Note("summed", f"{len(rows)} runs are added up.")] if len(rows) > 1 else []
    notes.append(_describe_shares(shares))
    return Logged(
        energy_kwh=energy,
        carbon_kgco2e=carbon,
        pue=pues.pop() if len(pues) == 1 else None,
        kind="measured" if by_sensor else "estimated",
        source=f"codecarbon {version}",
        grid=f"codecarbon {version}: {', '.join(countries)}; it names no year",
        notes=tuple(notes),
    )


def _describe_shares(shares: Mapping[str, float]) -> Note:
    listed = (f"{key.partition('_')[0].upper()} {kwh:.4g} kWh" for key, kwh in shares.items())
    text = (
        f"Energy of {', '.join(listed)}. codecarbon models the RAM's, and the CPU's where it finds "
        "no sensor, which the file does not say; so only energy that is mostly the GPUs' counts as "
        "measured."
    )
    return Note("shares", text)


Row = tuple[int, Mapping[str, str]]


def _read_rows(path: Path) -> list[Row]:
    """Return (line, column -> cell) of each line."""
    reader = csv.reader(read_text(path).splitlines(), strict=True)
    try:
        columns = next(reader, [])
        missing = [name for name in NEEDED if name not in columns]
        if missing:
            raise UsageError(
                f"{path}, line 1: no column {' or '.join(missing)}",
                "Give an emissions.csv as codecarbon writes it.",
            )
        rows: list[Row] = []
        for cells in reader:
            if cells and len(cells) != len(columns):
                raise UsageError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells, "
                    f"and {len(columns)} columns",
                    "Fix that line.",
                )
            rows += [(reader.line_num, dict(zip(columns, cells, strict=True)))] if cells else []
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: {error}", "Fix that line.") from None
    return rows


def _select_last_rows(rows: Iterable[Row], path: Path) -> list[Row]:
    """Return the last row of each run: rows are cumulative, so it is the total."""
    runs = {row.get("run_id") or f"line {line}": (line, row) for line, row in rows}
    if not runs:
        raise UsageError(f"{path} has no runs", "Give a file with at least one line of figures.")
    return list(runs.values())


def _parse_number(of: Row, key: str, path: Path, missing: float | None = None) -> float:
    """Parse a cell; a column that older versions lack or leave empty takes the default."""
    line, row = of
    cell = row.get(key) or ""
    if not cell and missing is not None:
        return missing
    try:
        number = float(cell)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or number < 0:
        raise UsageError(
            f"{path}, line {line}, {key}: {cell!r} is not an energy or an emission",
            "Fix that cell.",
        )
    return number
