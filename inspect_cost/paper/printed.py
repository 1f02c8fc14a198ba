"""The paper's printed figures as data, and remarks on them."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from inspect_cost.publications.publication import Publication, load_publications
from inspect_cost.values.errors import UsageError

DATA = Path(__file__).with_name("data")
CITATION = "Douwes, Esling & Briot 2021, arXiv 2107.02621v1"
MILLION = 1_000_000


@dataclass(frozen=True)
class Figure:
    """A printed figure.

    Attributes:
        text: the figure as printed; its decimals show how far it was rounded.
        scale: the factor from the printed unit to one.
    """

    text: str
    scale: int = 1

    @property
    def value(self) -> float:
        """The number, as an integer if it is whole."""
        number = float(self.text) * self.scale
        return int(number) if number.is_integer() else number

    def agrees(self, exact: float) -> bool:
        """Return whether an exact value gives this figure when rounded as far."""
        decimals = len(self.text.partition(".")[2])
        return f"{exact / self.scale:.{decimals}f}" == f"{float(self.text):.{decimals}f}"


@dataclass(frozen=True)
class PrintedTraining:
    """A row of Table 1; ``days`` is the duration in section 3.1, None where it has hours."""

    model: str
    hardware: str
    p_max_w: Figure
    hours: Figure
    kwh: Figure
    co2e_kg: Figure
    days: float | None


@dataclass(frozen=True)
class PrintedQuality:
    """A row of Table 2, with the presets of the zoo that are the published architecture.

    ``mos_loss`` is 1 - %MOS, None where the table has a dash.
    """

    model: str
    mos_loss: Figure | None
    params: Figure
    preset: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    variants: tuple[str, ...] = ()


@dataclass(frozen=True)
class WhatIf:
    """Another opinion score than the paper's, and where it comes from."""

    model: str
    mos: float
    mos_ci: float | None
    verified: bool
    remark: str


@cache
def load_table1() -> tuple[PrintedTraining, ...]:
    """Return Table 1, training."""
    return tuple(
        PrintedTraining(
            model=row["model"],
            hardware=row["hardware"],
            p_max_w=Figure(row["p_max_w"]),
            hours=Figure(row["hours"]),
            kwh=Figure(row["kwh"]),
            co2e_kg=Figure(row["co2e_kg"]),
            days=row.get("days_in_text"),
        )
        for row in _load_rows("table1.toml", "row")
    )


@cache
def load_table2() -> tuple[PrintedQuality, ...]:
    """Return Table 2, quality and parameters."""
    return tuple(
        PrintedQuality(
            model=row["model"],
            mos_loss=Figure(row["mos_loss"]) if "mos_loss" in row else None,
            params=Figure(row["params_m"], MILLION),
            preset=row["preset"],
            settings=row.get("settings", {}),
            variants=tuple(row.get("variants", ())),
        )
        for row in _load_rows("table2.toml", "row")
    )


@cache
def load_models() -> Mapping[str, Publication]:
    """Return the five models' facts, by name."""
    return {entry.name: entry for entry in load_publications(DATA / "models.toml")}


def add_publications(publications: Iterable[Publication]) -> dict[str, Publication]:
    """Return the five models and further ones, by name.

    Raises:
        UsageError: two publications have one name.
    """
    known = dict(load_models())
    for entry in publications:
        if entry.name in known:
            raise UsageError(f"two publications describe {entry.name}", "Rename one.")
        known[entry.name] = entry
    return known


@cache
def load_remarks() -> Mapping[tuple[str, str], str]:
    """Return (model, quantity) -> a possible reason for a figure that does not follow."""
    rows = _load_rows("remarks.toml", "discrepancy")
    return {(row["model"], row["quantity"]): row["remark"] for row in rows}


@cache
def load_what_ifs() -> tuple[WhatIf, ...]:
    """Return other opinion scores, none of them the paper's."""
    rows = _load_rows("remarks.toml", "what_if")
    return tuple(WhatIf(**{"mos_ci": None, **row}) for row in rows)


def _load_rows(file: str, key: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads((DATA / file).read_text(encoding="utf-8"))[key]
    return rows
