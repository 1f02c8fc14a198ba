"""Carbon intensity of electricity: a number, a zone's figure, or a stated default.

A figure is never given without its source and its year, where the source names one.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import version
from pathlib import Path

from inspect_cost.carbon.bounds import Bounds, Given, parsed
from inspect_cost.values.errors import UsageError

YEARS = Path(__file__).with_name("data") / "grid_years.csv"
#: As carbontracker 2.4.7 and, for other years of a zone, codecarbon 3.3.2 distribute it.
YEARS_SOURCE = "Our World in Data (Ember; Energy Institute), CC BY 4.0"
UNITS: Mapping[str, float] = {
    **dict.fromkeys(("", "kg", "kg/kWh", "kgCO2e/kWh", "kgCO2eq/kWh"), 1),
    **dict.fromkeys(("g", "g/kWh", "gCO2e/kWh", "gCO2eq/kWh"), 1e-3),
}
#: Above any grid: who gives more has left out that it is in grams.
HIGHEST = 5.0
WORLD = ("WOR", "WORLD")


@dataclass(frozen=True)
class Intensity:
    """Carbon intensity of electricity.

    Attributes:
        kgco2e_per_kwh: the figure, or its range.
        source: who says so, for which zone and year.
        zone: ISO 3166-1 alpha-3 code, "WOR" for the world; "" where a number was given.
        year: that the figure is for; None where the source names none.
    """

    kgco2e_per_kwh: Bounds
    source: str
    zone: str = ""
    year: int | None = None


DEFAULT = Intensity(
    Bounds.exactly(0.437),
    "default: world average of 2018, carbonfootprint.com, as in Douwes, Esling & Briot 2021, eq. 6",
    "WOR",
    2018,
)


def given_intensity(given: Given) -> Intensity:
    """An intensity that the user gives, in kgCO2e/kWh unless a unit says g/kWh.

    Raises:
        UsageError: it is no possible number.
    """
    bounds = parsed(given, "intensity", UNITS)
    if bounds.high > HIGHEST:
        raise UsageError(
            f"an intensity of {bounds.high:g} kgCO2e/kWh is above any grid's",
            'If it is in grams, write its unit: "437 g/kWh".',
        )
    return Intensity(bounds, "given")


def zone_intensity(zone: str, year: int | None = None) -> Intensity:
    """The intensity of a zone's electricity.

    Without a year it is the figure of ecologits, the most recent one at its release; with a year,
    that of the table in ``data/grid_years.csv``.

    Args:
        zone: ISO 3166-1 code of two or three letters, a country's name in English, or "WOR".
        year: the calendar year.

    Raises:
        UsageError: there is no such zone, or no figure for that year; or ecologits is missing.
    """
    code = _zone_code(zone)
    return _ecologits(code, zone) if year is None else _of_year(code, zone, year)


def _of_year(code: str, zone: str, year: int) -> Intensity:
    figures = {
        int(row["year"]): float(row["gco2e_per_kwh"]) for row in _rows() if code in row.values()
    }
    if code == DEFAULT.zone:
        figures[2018] = DEFAULT.kgco2e_per_kwh.value * 1000
    if year not in figures:
        known = ", ".join(map(str, sorted(figures))) or "none"
        raise UsageError(
            f"no intensity of zone {zone} in {year}: the years known are {known}",
            "Give another --year, none for the most recent figure, or --intensity.",
        )
    if code == DEFAULT.zone:
        return DEFAULT
    value = Bounds.exactly(round(figures[year] / 1000, 6))
    return Intensity(value, f"{YEARS_SOURCE}: {code}, {year}", code, year)


def _ecologits(code: str, zone: str) -> Intensity:
    mix = _ecologits_table().get(code)
    if mix is None:
        raise UsageError(f"ecologits has no zone {zone}", "Give a --year, or --intensity.")
    source = (
        f"ecologits {version('ecologits')}: {code}, from Our World in Data's latest at its release;"
        " it names no year"
    )
    return Intensity(Bounds.exactly(mix), source, code)


@cache
def _ecologits_table() -> Mapping[str, float]:
    """Zone -> kgCO2e/kWh, as ecologits has it."""
    try:
        from ecologits.electricity_mix_repository import (  # noqa: PLC0415 - optional, and slow
            electricity_mixes,
        )
    except ImportError as error:
        raise UsageError(
            "a zone's current intensity comes from ecologits, which is not installed",
            "Run pip install 'inspect-cost[grid]', or give --year or --intensity.",
        ) from error
    return {mix.zone: mix.gwp for mix in electricity_mixes.list_electricity_mixes()}


@cache
def _rows() -> tuple[Mapping[str, str], ...]:
    """zone, iso2, name, year, gco2e_per_kwh of each row."""
    with YEARS.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _zone_code(zone: str) -> str:
    """The alpha-3 code of a zone; near matches are shown where there is none."""
    wanted = zone.strip().upper()
    if wanted in WORLD:
        return WORLD[0]
    codes = {"UK": "GBR"}  # as everybody writes it, though ISO does not
    for row in _rows():
        codes.update(dict.fromkeys((row["zone"], row["iso2"], row["name"].upper()), row["zone"]))
    if wanted in codes:
        return codes[wanted]
    if len(wanted) == 3 and wanted in _ecologits_table():  # noqa: PLR2004 - letters of a code
        return wanted
    # A code is compared with codes of its length, a name with names.
    longest_code = 3
    alike = [n for n in codes if len(n) == len(wanted) or min(len(n), len(wanted)) > longest_code]
    near = get_close_matches(wanted, alike, n=3, cutoff=0.5)
    names = {row["zone"]: row["name"] for row in _rows()}
    shown = dict.fromkeys(f"{codes[n]} ({names[codes[n]]})" for n in near)
    hint = f"Did you mean {', '.join(shown)}? " if near else ""
    raise UsageError(
        f"no zone is called {zone!r}", f"{hint}Give an ISO 3166 code such as FR or USA, or WOR."
    )
