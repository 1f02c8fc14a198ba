"""carbontracker's logs: the summaries of one, and the epochs of the other beside it."""

import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from inspect_cost.carbon.logged import Logged
from inspect_cost.values.errors import UsageError
from inspect_cost.values.notes import Note
from inspect_cost.values.text_files import read_text
from inspect_cost.values.units import MILLI, S_PER_H, S_PER_MIN, WH_PER_J

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


def read_carbontracker(path: Path) -> Logged:
    """Read the consumption in a log.

    Raises:
        UsageError: the file cannot be read, or has no consumption.
    """
    text = read_text(path)
    output, standard = text, text
    for end, other in ((OUTPUT, STANDARD), (STANDARD, OUTPUT)):
        beside = path.with_name(path.name.removesuffix(end) + other)
        if path.name.endswith(end) and beside.is_file():
            other_text = read_text(beside)
            output, standard = (text, other_text) if end == OUTPUT else (other_text, text)
    version = _VERSION.search(standard)
    source = f"carbontracker {version[1]}" if version else "carbontracker"
    blocks = [_parse_block(match) for match in _BLOCK.finditer(output)]
    if blocks:
        return _select_block(blocks, standard, source)
    return _sum_epochs(standard, source, path)


@dataclass(frozen=True)
class Block:
    """A summary that carbontracker prints: cumulative energy with its PUE, and emissions.

    Attributes:
        actual: whether it was measured; otherwise it is predicted.
        epochs: that it covers; None where it does not say.
        energy_kwh: with the PUE.
        carbon_kgco2e: None where carbontracker wrote "nan".
    """

    actual: bool
    epochs: int | None
    energy_kwh: float
    carbon_kgco2e: float | None


def _parse_block(match: re.Match[str]) -> Block:
    grams = float(match[7])
    return Block(
        actual=match[1] == "Actual",
        epochs=int(match[2]) if match[2] else None,
        energy_kwh=float(match[6]),
        carbon_kgco2e=grams * MILLI if isfinite(grams) else None,
    )


def _select_block(blocks: list[Block], standard: str, source: str) -> Logged:
    """Take the last actual consumption, or the prediction if only that covers all epochs."""
    actual = [block for block in blocks if block.actual]
    predicted = [block for block in blocks if not block.actual]
    taken = actual[-1] if actual else predicted[-1]
    notes: list[Note] = []
    whole = predicted[-1].epochs if predicted else None
    if actual and whole and taken.epochs and whole > taken.epochs:
        if "Training was interrupted" in standard:
            text = f"The training was interrupted after {taken.epochs} of {whole} epochs."
            notes.append(Note("interrupted", text))
        else:
            text = (
                f"{taken.epochs} of {whole} epochs were measured, {taken.energy_kwh:.4g} kWh; the "
                "figure is carbontracker's prediction for all of them."
            )
            notes.append(Note("predicted", text, "warning"))
            taken = predicted[-1]
    elif not actual:
        notes.append(Note("predicted", "The log has only carbontracker's prediction.", "warning"))
    pue = _PUE.search(standard)
    if not pue:
        text = "The energy includes carbontracker's PUE, which this log does not name."
        notes.append(Note("unknown-pue", text))
    return Logged(
        energy_kwh=taken.energy_kwh,
        carbon_kgco2e=taken.carbon_kgco2e,
        pue=float(pue[1]) if pue else None,
        kind="measured" if taken.actual else "estimated",
        source=source,
        grid=f"{source}, average while it ran",
        notes=tuple(notes),
    )


def _sum_epochs(standard: str, source: str, path: Path) -> Logged:
    """Sum duration times power over the epochs; no PUE is in that."""
    durations = [_to_seconds(*match) for match in _DURATION.findall(standard)]
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
    notes = [Note("summed", f"Summed over {len(durations)} epochs of {', '.join(powers)}.")]
    if unknown:
        text = f"{unknown} epochs were too short to be measured, and are left out."
        notes.append(Note("left-out", text, "warning"))
    return Logged(
        energy_kwh=joules * WH_PER_J * MILLI,
        carbon_kgco2e=None,
        pue=1.0,
        kind="measured",
        source=source,
        grid="",
        notes=tuple(notes),
    )


def _to_seconds(hours: str, minutes: str, seconds: str) -> float:
    return S_PER_H * int(hours) + S_PER_MIN * int(minutes) + float(seconds)
