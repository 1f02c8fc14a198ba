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

from inspect_cost.values.bounds import Bounds, Given, parse_bounds
from inspect_cost.values.errors import UsageError
from inspect_cost.values.units import G_PER_KG

YEARS = Path(__file__).with_name("data") / "grid_years.csv"
#: As carbontracker 2.4.7 and, for other years of a zone, codecarbon 3.3.2 distribute it.
YEARS_SOURCE = "Our World in Data (Ember; Energy Institute), CC BY 4.0"
UNITS: Mapping[str, float] = {
    **dict.fromkeys(("", "kg", "kg/kWh", "kgCO2e/kWh", "kgCO2eq/kWh"), 1),
    **dict.fromkeys(("g", "g/kWh", "gCO2e/kWh", "gCO2eq/kWh"), 1 / G_PER_KG),
}
#: No grid is above this; whoever gives more has given grams without saying so.
HIGHEST = 5.0
WORLD = ("WOR", "WORLD")
LONGEST_CODE = 3
#: One wrong letter in a code of three passes, one in a code of two does not: half of all such
#: codes would.
ALIKE = 0.6


@dataclass(frozen=True)
class Intensity:
    """Carbon intensity of electricity.

    Attributes:
        kgco2e_per_kwh: the figure, or its range.
        source: who published it, for which zone and year.
        zone: ISO 3166-1 alpha-3 code, "WOR" for the world; "" where a number was given.
        year: the figure's year; None where the source names none.
    """

    kgco2e_per_kwh: Bounds
    source: str
    zone: str = ""
    year: int | None = None


#: In kgCO2e/kWh, where no intensity is given.
DEFAULT_KGCO2E_PER_KWH = 0.437
DEFAULT_SOURCE = "world average of 2018, as in Douwes, Esling & Briot 2021"
DEFAULT = Intensity(
    Bounds.exactly(DEFAULT_KGCO2E_PER_KWH),
    "default: world average of 2018, carbonfootprint.com, as in Douwes, Esling & Briot 2021, eq. 6",
    "WOR",
    2018,
)


def parse_intensity(given: Given) -> Intensity:
    """Parse an intensity in kgCO2e/kWh, or in g/kWh if its unit says so.

    Raises:
        UsageError: it is not a possible number.
    """
    bounds = parse_bounds(given, "intensity", UNITS)
    if bounds.high > HIGHEST:
        raise UsageError(
            f"an `intensity` of {bounds.high:g} kgCO2e/kWh is above any grid's",
            'If it is in grams, write its unit: "437 g/kWh".',
            field="intensity",
        )
    return Intensity(bounds, "given")


def find_zone_intensity(zone: str, year: int | None = None) -> Intensity:
    """Return the intensity of a zone's electricity.

    Without a year it is the figure of ecologits, the most recent one at its release; with a year,
    that of the table in ``data/grid_years.csv``.

    Args:
        zone: ISO 3166-1 code of two or three letters, a country's name in English, or "WOR".
        year: the calendar year.

    Raises:
        UsageError: there is no such zone, or no figure for that year; or ecologits is missing.
    """
    code = _find_zone_code(zone)
    return _find_latest(code, zone) if year is None else _find_year(code, zone, year)


def _find_year(code: str, zone: str, year: int) -> Intensity:
    figures = {
        int(row["year"]): float(row["gco2e_per_kwh"])
        for row in _read_rows()
        if code in row.values()
    }
    if code == DEFAULT.zone:
        figures[2018] = DEFAULT_KGCO2E_PER_KWH * G_PER_KG
    if year not in figures:
        known = ", ".join(map(str, sorted(figures))) or "none"
        raise UsageError(
            f"no intensity is known for zone {zone} in {year}; the years known are {known}",
            "Give another `year`, none for the most recent figure, or an `intensity`.",
            field="year",
        )
    if code == DEFAULT.zone:
        return DEFAULT
    value = Bounds.exactly(round(figures[year] / G_PER_KG, 6))
    return Intensity(value, f"{YEARS_SOURCE}: {code}, {year}", code, year)


def _find_latest(code: str, zone: str) -> Intensity:
    mix = _read_ecologits().get(code)
    if mix is None:
        raise UsageError(
            f"ecologits has no zone {zone}", "Give a `year`, or an `intensity`.", field="zone"
        )
    source = (
        f"ecologits {version('ecologits')}: {code}, from Our World in Data's latest at its release;"
        " it names no year"
    )
    return Intensity(Bounds.exactly(mix), source, code)


@cache
def _read_ecologits() -> Mapping[str, float]:
    """Return zone -> kgCO2e/kWh, from ecologits."""
    try:
        from ecologits.electricity_mix_repository import (  # noqa: PLC0415 - optional, and slow
            electricity_mixes,
        )
    except ImportError as error:
        raise UsageError(
            "a zone's current intensity comes from ecologits, which is not installed",
            "Run pip install 'inspect-cost[grid]', or give a `year` or an `intensity`.",
            field="zone",
        ) from error
    return {mix.zone: mix.gwp for mix in electricity_mixes.list_electricity_mixes()}


@cache
def _read_rows() -> tuple[Mapping[str, str], ...]:
    """Return zone, iso2, name, year, gco2e_per_kwh of each row."""
    with YEARS.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _find_zone_code(zone: str) -> str:
    """Return the alpha-3 code of a zone.

    Raises:
        UsageError: there is no such zone; near matches are shown.
    """
    wanted = zone.strip().upper()
    if wanted in WORLD:
        return WORLD[0]
    codes = _map_codes()
    if wanted in codes:
        return codes[wanted]
    if len(wanted) == LONGEST_CODE and wanted in _read_ecologits():
        return wanted
    raise UsageError(
        f"no zone is called {zone!r}",
        f"{_suggest_zones(wanted, codes)}Give an ISO 3166 code such as FR or USA, or WOR.",
        field="zone",
    )


@cache
def _map_codes() -> Mapping[str, str]:
    """Return the alpha-3 code of each code and each name, in capitals."""
    codes = {"UK": "GBR"}  # as everybody writes it, though ISO does not
    for row in _read_rows():
        codes.update(dict.fromkeys((row["zone"], row["iso2"], row["name"].upper()), row["zone"]))
    return codes


def _suggest_zones(wanted: str, codes: Mapping[str, str]) -> str:
    """Ask for the zones that are spelled almost like one; "" if there are none."""
    # A code is compared with codes of its length, a name with names.
    alike = [n for n in codes if len(n) == len(wanted) or min(len(n), len(wanted)) > LONGEST_CODE]
    near = get_close_matches(wanted, alike, n=3, cutoff=ALIKE)
    names = {row["zone"]: row["name"] for row in _read_rows()}
    shown = dict.fromkeys(f"{codes[n]} ({names[codes[n]]})" for n in near)
    return f"Did you mean {', '.join(shown)}? " if near else ""
