"""What is published of a model, what is counted of it, and one row of both."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path


@dataclass(frozen=True)
class Published:
    """What a table says of one model.

    Attributes:
        table: name of the table.
        model: name of the model in its library.
        setting: what else identifies the row: the size of the image, or the weights.
        params: parameters; exact, or in millions if it has decimals.
        total: what one call takes, as it is written.
        unit: what that is in: "GMAC", or "GFLOP" for two of a multiply-accumulate.
    """

    table: str
    model: str
    setting: str
    params: str
    total: str
    unit: str = "GMAC"


@dataclass(frozen=True)
class Counted:
    """What was counted of one model.

    Attributes:
        params: parameters.
        macs: multiply-accumulates of one call.
        differences: why the published counter's total is another -> its number minus ours.
        form: "" for the model as its library builds it; else what was done to it first.
        built: "without values", or why it was built with weights.
        ran_on: "shapes" or "real values".
        uncounted: operators without a cost.
        error: why it could not be counted, or "".
        seconds: time of building and counting.
    """

    params: int = 0
    macs: int = 0
    differences: Mapping[str, int] = field(default_factory=dict)
    form: str = ""
    built: str = ""
    ran_on: str = ""
    uncounted: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Row:
    """One line of the comparison."""

    published: Published
    counted: Counted


#: Columns of what is published, beside those of the same name that are counted.
_RENAMED = {"params": "published_params", "total": "published_total"}


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Write rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        published = [_RENAMED.get(entry.name, entry.name) for entry in fields(Published)]
        writer.writerow([*published, *(entry.name for entry in fields(Counted))])
        for row in rows:
            cells = {**asdict(row.counted)}
            cells["differences"] = json.dumps(cells["differences"]) if cells["differences"] else ""
            cells["uncounted"] = " ".join(cells["uncounted"])
            writer.writerow([*asdict(row.published).values(), *cells.values()])


def read_rows(path: Path) -> list[Row]:
    """Read what `write_rows` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_read_row(cells) for cells in csv.DictReader(file)]


def _read_row(cells: Mapping[str, str]) -> Row:
    published = Published(
        cells["table"],
        cells["model"],
        cells["setting"],
        cells["published_params"],
        cells["published_total"],
        cells["unit"],
    )
    counted = Counted(
        params=int(cells["params"]),
        macs=int(cells["macs"]),
        differences=json.loads(cells["differences"] or "{}"),
        form=cells["form"],
        built=cells["built"],
        ran_on=cells["ran_on"],
        uncounted=tuple(cells["uncounted"].split()),
        error=cells["error"],
        seconds=float(cells["seconds"]),
    )
    return Row(published, counted)
