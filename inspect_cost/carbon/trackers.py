"""Training carbon from what a tracker wrote: codecarbon's emissions.csv, carbontracker's logs."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from inspect_cost.carbon.bounds import PLAIN, Bounds, Given, parsed
from inspect_cost.carbon.estimate import CarbonEstimate, chosen_intensity
from inspect_cost.carbon.grid import Intensity
from inspect_cost.errors import UsageError
from inspect_cost.quantity import Kind, Quantity

WH_PER_J = 1 / 3600
PER_KILO = 1e-3
NEEDED = ("energy_consumed", "emissions")
SHARES = ("gpu_energy", "cpu_energy", "ram_energy")

_TIME = r"(\d+):(\d{2}):(\d\d?(?:\.\d+)?)"
_NUMBER = r"([\d.]+(?:[eE][+-]?\d+)?|nan)"
_BLOCK = re.compile(
    r"(Actual|Predicted) consumption(?: for (\d+) epoch\(s\))?:\s*"
    rf"Time:\s*{_TIME}\s*Energy:\s*{_NUMBER} kWh\s*CO2eq:\s*{_NUMBER} g"
)
_PUE = re.compile(r"multiplied by a PUE coefficient of ([\d.]+\d)")
_VERSION = re.compile(r"carbontracker version ([\w.]+)")
_DURATION = re.compile(rf"Duration: {_TIME}")
_POWER = re.compile(r"Average power usage \(W\) for (\w+): (\[[^\]]*\]|[\d.eE+-]+|None)")
OUTPUT, STANDARD = "_carbontracker_output.log", "_carbontracker.log"


@dataclass(frozen=True)
class Logged:
    """What a tracker's file says.

    Attributes:
        energy_kwh: in total, with the overhead of the data centre that the tracker assumed.
        carbon_kgco2e: as logged; None where it is not.
        pue: the overhead in the energy; None where the file does not say.
        kind: measured, if a sensor gave most of the energy.
        source: the tracker.
        grid: where the tracker's intensity is from.
        notes: what to know of the figures.
    """

    energy_kwh: float
    carbon_kgco2e: float | None
    pue: float | None
    kind: Kind
    source: str
    grid: str
    notes: tuple[str, ...]


def carbon_from_codecarbon(
    path: Path,
    *,
    intensity: Given | None = None,
    zone: str | None = None,
    year: int | None = None,
    pue: Given | None = None,
) -> CarbonEstimate:
    """The energy and CO2e in an ``emissions.csv`` of codecarbon, all its runs together.

    Args:
        path: the file.
        intensity: of the grid, instead of codecarbon's.
        zone: whose intensity to take instead of codecarbon's.
        year: of the zone's figure.
        pue: overhead of the data centre, if codecarbon assumed none.

    Raises:
        UsageError: the file is malformed, or an argument contradicts it.
    """
    return _estimate(_read_codecarbon(path), intensity, zone, year, pue)


def carbon_from_carbontracker(
    path: Path,
    *,
    intensity: Given | None = None,
    zone: str | None = None,
    year: int | None = None,
    pue: Given | None = None,
) -> CarbonEstimate:
    """The energy and CO2e in a log of carbontracker, ``..._carbontracker_output.log`` or the other.

    The log beside it, of the same name but for its end, is read too if it is there.

    Args:
        path: the file.
        intensity: of the grid, instead of carbontracker's.
        zone: whose intensity to take instead of carbontracker's.
        year: of the zone's figure.
        pue: overhead of the data centre, if the log has energy without one.

    Raises:
        UsageError: the log has no consumption, or an argument contradicts it.
    """
    return _estimate(_read_carbontracker(path), intensity, zone, year, pue)


def _estimate(
    logged: Logged,
    intensity: Given | None,
    zone: str | None,
    year: int | None,
    pue: Given | None,
) -> CarbonEstimate:
    if pue is not None and logged.pue != 1:
        has = "one of its own" if logged.pue is None else f"a PUE of {logged.pue:g}"
        raise UsageError(f"the energy of {logged.source} includes {has}", "Leave out --pue.")
    overhead = Bounds.exactly(1) if pue is None else parsed(pue, "PUE", PLAIN, least=1)
    energy = overhead * logged.energy_kwh
    own = intensity is None and zone is None and year is None and logged.carbon_kgco2e is not None
    factor = _own_factor(logged) if own else chosen_intensity(intensity, zone, year)
    carbon = energy * factor.kgco2e_per_kwh
    stated = 1.0 if pue is not None else logged.pue
    return CarbonEstimate(
        energy_kwh=Quantity(energy.value, "kWh", logged.kind, logged.source, energy.range),
        carbon_kgco2e=Quantity(
            carbon.value,
            "kgCO2e",
            logged.kind,
            f"energy x intensity ({factor.source})",
            carbon.range,
        ),
        intensity=Quantity(
            factor.kgco2e_per_kwh.value,
            *("kgCO2e/kWh", "reported", factor.source),
            factor.kgco2e_per_kwh.range,
        ),
        pue=None
        if stated is None
        else Quantity(overhead.value * stated, "", "reported", "given" if pue else logged.source),
        formula="CO2e = intensity x logged energy" + (" x PUE" if pue is not None else ""),
        notes=logged.notes,
    )


def _own_factor(logged: Logged) -> Intensity:
    """The intensity that the tracker took; 0 where nothing was consumed."""
    carbon = logged.carbon_kgco2e or 0.0
    value = carbon / logged.energy_kwh if logged.energy_kwh else 0.0
    return Intensity(Bounds.exactly(value), logged.grid)


# --- codecarbon ---


def _read_codecarbon(path: Path) -> Logged:
    rows = _last_of_each_run(_csv_rows(path), path)
    energy, carbon = (sum(_number(row, key, path) for _, row in rows) for key in NEEDED)
    shares = {key: sum(_number(row, key, path, 0.0) for _, row in rows) for key in SHARES}
    pues = {_number(row, "pue", path, 1.0) for _, row in rows}
    _, last = rows[-1]
    by_sensor = shares["gpu_energy"] >= energy / 2 > 0
    version = last.get("codecarbon_version") or "of an unknown version"
    countries = dict.fromkeys(row.get("country_name") or "unknown zone" for _, row in rows)
    notes = [f"{len(rows)} runs are added up."] if len(rows) > 1 else []
    notes.append(
        "Energy of "
        + ", ".join(f"{key.partition('_')[0].upper()} {kwh:.4g} kWh" for key, kwh in shares.items())
        + ". codecarbon models the RAM's, and the CPU's where it finds no sensor, which the file "
        "does not say; so only energy that is mostly the GPUs' counts as measured."
    )
    return Logged(
        energy_kwh=energy,
        carbon_kgco2e=carbon,
        pue=pues.pop() if len(pues) == 1 else None,
        kind="measured" if by_sensor else "estimated",
        source=f"codecarbon {version}",
        grid=f"codecarbon {version}: {', '.join(countries)}; it names no year",
        notes=tuple(notes),
    )


Row = tuple[int, Mapping[str, str]]


def _csv_rows(path: Path) -> list[Row]:
    """(line, column -> cell) of each line."""
    reader = csv.reader(_text(path).splitlines(), strict=True)
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
                    "Mend that line.",
                )
            rows += [(reader.line_num, dict(zip(columns, cells, strict=True)))] if cells else []
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: {error}", "Mend that line.") from None
    return rows


def _last_of_each_run(rows: Iterable[Row], path: Path) -> list[Row]:
    """Rows of one run are cumulative: the last one is its total."""
    runs = {row.get("run_id") or f"line {line}": (line, row) for line, row in rows}
    if not runs:
        raise UsageError(f"{path} has no runs", "Give a file with at least one line of figures.")
    return list(runs.values())


def _number(row: Mapping[str, str], key: str, path: Path, missing: float | None = None) -> float:
    """A cell as a number; a column that older versions lack, or leave empty, has a default."""
    cell = row.get(key) or ""
    if not cell and missing is not None:
        return missing
    try:
        number = float(cell)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or number < 0:
        run = row.get("run_id") or row.get("timestamp") or "a run"
        raise UsageError(
            f"{path}, {run}, {key}: {cell!r} is no energy or emission", "Mend that cell."
        )
    return number


# --- carbontracker ---


def _read_carbontracker(path: Path) -> Logged:
    text = _text(path)
    output, standard = text, text
    for end, other in ((OUTPUT, STANDARD), (STANDARD, OUTPUT)):
        beside = path.with_name(path.name.removesuffix(end) + other)
        if path.name.endswith(end) and beside.is_file():
            output, standard = (text, _text(beside)) if end == OUTPUT else (_text(beside), text)
    version = _VERSION.search(standard)
    source = f"carbontracker {version[1]}" if version else "carbontracker"
    blocks = [_block(match) for match in _BLOCK.finditer(output)]
    if blocks:
        return _from_blocks(blocks, standard, source)
    return _from_epochs(standard, source, path)


@dataclass(frozen=True)
class Block:
    """A summary that carbontracker prints: cumulative energy with its PUE, and emissions."""

    actual: bool
    epochs: int | None
    energy_kwh: float
    carbon_kgco2e: float | None


def _block(match: re.Match[str]) -> Block:
    grams = float(match[7])
    return Block(
        actual=match[1] == "Actual",
        epochs=int(match[2]) if match[2] else None,
        energy_kwh=float(match[6]),
        carbon_kgco2e=grams * PER_KILO if isfinite(grams) else None,
    )


def _from_blocks(blocks: list[Block], standard: str, source: str) -> Logged:
    """The last actual consumption; the prediction where only that covers the whole training."""
    actual = [block for block in blocks if block.actual]
    predicted = [block for block in blocks if not block.actual]
    taken = actual[-1] if actual else predicted[-1]
    notes = []
    whole = predicted[-1].epochs if predicted else None
    if actual and whole and taken.epochs and whole > taken.epochs:
        if "Training was interrupted" in standard:
            notes.append(f"The training was interrupted after {taken.epochs} of {whole} epochs.")
        else:
            notes.append(
                f"{taken.epochs} of {whole} epochs were measured, {taken.energy_kwh:.4g} kWh; the "
                "figure is carbontracker's prediction for all of them."
            )
            taken = predicted[-1]
    elif not actual:
        notes.append("The log has only carbontracker's prediction.")
    pue = _PUE.search(standard)
    if not pue:
        notes.append("The energy includes carbontracker's PUE, which this log does not name.")
    return Logged(
        energy_kwh=taken.energy_kwh,
        carbon_kgco2e=taken.carbon_kgco2e,
        pue=float(pue[1]) if pue else None,
        kind="measured" if taken.actual else "estimated",
        source=source,
        grid=f"{source}, average while it ran",
        notes=tuple(notes),
    )


def _from_epochs(standard: str, source: str, path: Path) -> Logged:
    """Energy as the sum over epochs of duration and power, without any PUE."""
    durations = [_seconds(*match) for match in _DURATION.findall(standard)]
    powers: dict[str, list[float]] = {}
    unknown = 0
    for component, figure in _POWER.findall(standard):
        watts = sum(map(float, figure.strip("[]").split())) if figure != "None" else 0.0
        unknown += figure == "None"
        powers.setdefault(component, []).append(watts)
    if not durations or not powers:
        raise UsageError(
            f"{path} has no consumption",
            f"Give a log of carbontracker that ends in {OUTPUT} or {STANDARD}.",
        )
    if any(len(watts) != len(durations) for watts in powers.values()):
        raise UsageError(
            f"{path} has {len(durations)} durations of epochs, and other numbers of powers",
            f"Give the log beside it that ends in {OUTPUT}.",
        )
    joules = sum(s * w for watts in powers.values() for s, w in zip(durations, watts, strict=True))
    notes = [f"Summed over {len(durations)} epochs of {', '.join(powers)}."]
    if unknown:
        notes.append(f"{unknown} epochs were too short to be measured, and are left out.")
    return Logged(
        energy_kwh=joules * WH_PER_J * PER_KILO,
        carbon_kgco2e=None,
        pue=1.0,
        kind="measured",
        source=source,
        grid="",
        notes=tuple(notes),
    )


def _seconds(hours: str, minutes: str, seconds: str) -> float:
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "Give another file.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {path}: it is not text", "Give another file.") from error
