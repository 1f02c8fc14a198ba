"""GPUs by name: from what people and drivers call them to the row of their maker's figures."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from inspect_cost.hardware.device import Device
from inspect_cost.values.errors import UsageError

TABLE = Path(__file__).with_name("data") / "gpus.toml"
#: Words that do not distinguish GPUs from each other; sizes of memory do not either.
NOISE = frozenset("nvidia tesla geforce quadro gtx rtx gpu hbm2 hbm2e hbm3 hbm3e".split())
_MEMORY = re.compile(r"\d+gb")
FIELD = "gpu"


@dataclass(frozen=True)
class _Row:
    """A GPU and the words by which it is found.

    Attributes:
        device: the GPU.
        model: the words that a name must have.
        variant: words that distinguish it from others of the same model.
        default: whether it is meant where no variant is named.
    """

    device: Device
    model: frozenset[str]
    variant: frozenset[str]
    default: bool


def read_gpus() -> tuple[Device, ...]:
    """Return the GPUs of ``data/gpus.toml``."""
    return tuple(row.device for row in _read_rows())


@cache
def _read_rows() -> tuple[_Row, ...]:
    return tuple(map(_parse_row, tomllib.loads(TABLE.read_text(encoding="utf-8"))["gpu"]))


def _parse_row(row: Mapping[str, Any]) -> _Row:
    device = Device(
        name=row["name"],
        kind="gpu",
        max_power_w=row["max_power_w"],
        peak_flops=row.get("peak_flops"),
        bandwidth_b_per_s=row.get("bandwidth_b_per_s"),
        source=row["source"],
        note=row.get("note", ""),
    )
    return _Row(
        device=device,
        model=frozenset(row["model"]),
        variant=frozenset(row.get("variant", ())),
        default=row.get("default", False),
    )


def parse_gpu_count(text: str) -> tuple[int, str]:
    """Return (count, name) of "4 x P100", "4xP100" or "P100".

    Raises:
        UsageError: the count is not positive, or there is no name.
    """
    match = re.fullmatch(r"\s*(-?\d+)\s*(?:x|\*|\u00d7)\s*(.+)", text, re.IGNORECASE)
    count, name = (int(match[1]), match[2].strip()) if match else (1, text.strip())
    if count < 1 or not name:
        raise UsageError(f"{text!r} is not a GPU", 'Write a name, or "4 x P100".', field=FIELD)
    return count, name


def find_gpu(name: str) -> Device:
    """Return the GPU of that name.

    Raises:
        UsageError: none matches (near matches are shown), or several of different power do.
    """
    words = _split_words(name)
    family = [row for row in _read_rows() if _is_in_family(row, words)]
    if not family:
        raise UsageError(
            f"no GPU is called {name!r} in the table", _suggest_gpus(name), field=FIELD
        )
    named = words & frozenset().union(*(row.variant for row in family))
    rows = [row for row in family if named <= row.variant] if named else family
    # Without a variant in the name, the row marked as default is meant, if the model has one.
    rows = (not named and [row for row in family if row.default]) or rows
    if len({row.device.max_power_w for row in rows}) != 1:
        raise UsageError(
            f"{name!r} may be {_list_with_power(rows or family)}",
            "Name one of them, or give its power with `power_w`.",
            field=FIELD,
        )
    return rows[0].device


def _is_in_family(row: _Row, words: frozenset[str]) -> bool:
    """Whether the words name the row's model, and nothing that is unknown of that model."""
    if not row.model <= words:
        return False
    variants = frozenset().union(
        *(other.variant for other in _read_rows() if other.model == row.model)
    )
    unknown = words - row.model - variants - NOISE
    return not [word for word in unknown if not _MEMORY.fullmatch(word)]


def _split_words(name: str) -> frozenset[str]:
    """Return lower-case words: "Tesla V100-SXM2-16 GB" has tesla, v100, sxm2 and 16gb."""
    joined = re.sub(r"(\d)\s*gib\b|(\d)\s+gb\b", r"\1\2gb", name.lower())
    split = re.sub(r"([gr]tx)(\d)", r"\1 \2", re.sub(r"(\d)ti\b", r"\1 ti", joined))
    return frozenset(re.findall(r"[a-z0-9]+", split))


def _list_with_power(rows: list[_Row]) -> str:
    devices = [row.device for row in rows]
    return " or ".join(f"{device.name} ({device.max_power_w:g} W)" for device in devices)


def _suggest_gpus(name: str) -> str:
    """Name the rows that share a word of the model, else those spelled alike, else all."""
    near = [row for row in _read_rows() if row.model & _split_words(name)] or _find_spelled_alike(
        name
    )
    names = [row.device.name for row in near or _read_rows()]
    listed = f"Did you mean {' or '.join(names)}?" if near else f"There are {', '.join(names)}."
    return f"{listed} Or give its power with `power_w`."


def _find_spelled_alike(name: str) -> list[_Row]:
    """Find rows whose model, or whose name's first two words, are spelled almost like a name."""
    spelled = {"".join(row.device.name.lower().split()[:2]): row for row in _read_rows()}
    spelled |= {next(iter(row.model)): row for row in _read_rows() if len(row.model) == 1}
    wanted = "".join(sorted(_split_words(name) - NOISE, key=name.lower().find))
    models = [spelled[key].model for key in get_close_matches(wanted, spelled, cutoff=0.6)]
    return [row for row in _read_rows() if row.model in models]
