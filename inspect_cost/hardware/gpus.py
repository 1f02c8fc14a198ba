"""GPUs by name: from what people and drivers call them to the maximum power that makers publish."""

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from inspect_cost.values.errors import UsageError

TABLE = Path(__file__).with_name("data") / "gpus.toml"
#: Words that tell no GPU from another, besides sizes of memory.
NOISE = frozenset("nvidia tesla geforce quadro gtx rtx gpu hbm2 hbm2e hbm3 hbm3e".split())
_MEMORY = re.compile(r"\d+gb")


@dataclass(frozen=True)
class Gpu:
    """A row of the table.

    Attributes:
        name: of model and variant.
        max_power_w: of one board.
        source: who says so.
        model: the words that a name must have.
        variant: words that tell it from others of the same model.
        default: whether it is meant where no variant is named.
        note: what to know of the figure; "" for nothing.
    """

    name: str
    max_power_w: float
    source: str
    model: frozenset[str]
    variant: frozenset[str] = frozenset()
    default: bool = False
    note: str = ""


@cache
def gpus() -> tuple[Gpu, ...]:
    """The rows of ``data/gpus.toml``."""
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["gpu"]
    return tuple(
        Gpu(
            **{
                **row,
                "model": frozenset(row["model"]),
                "variant": frozenset(row.get("variant", ())),
            }
        )
        for row in rows
    )


def counted_gpus(text: str) -> tuple[int, str]:
    """(how many, which) of "4 x P100", "4xP100" or "P100".

    Raises:
        UsageError: there are none of them.
    """
    match = re.fullmatch(r"\s*(-?\d+)\s*(?:x|\*|\u00d7)\s*(.+)", text, re.IGNORECASE)
    count, name = (int(match[1]), match[2].strip()) if match else (1, text.strip())
    if count < 1 or not name:
        raise UsageError(f"{text!r} is no GPU", 'Write a name, or "4 x P100".')
    return count, name


def find_gpu(name: str) -> Gpu:
    """The GPU of that name.

    Raises:
        UsageError: none matches (near matches are shown), or several of different power do.
    """
    words = _words(name)
    family = [row for row in gpus() if _is_of_family(row, words)]
    if not family:
        raise UsageError(f"no GPU is called {name!r} in the table", _hint(name))
    named = words & frozenset().union(*(row.variant for row in family))
    rows = [row for row in family if named <= row.variant] if named else family
    rows = (not named and [row for row in family if row.default]) or rows
    if len({row.max_power_w for row in rows}) != 1:
        which = " or ".join(f"{row.name} ({row.max_power_w:g} W)" for row in rows or family)
        raise UsageError(f"{name!r} may be {which}", "Name one, or give its power with --power.")
    return rows[0]


def _is_of_family(row: Gpu, words: frozenset[str]) -> bool:
    """Whether the words name the row's model and nothing that is not known of it."""
    if not row.model <= words:
        return False
    variants = frozenset().union(*(other.variant for other in gpus() if other.model == row.model))
    unknown = words - row.model - variants - NOISE
    return not [word for word in unknown if not _MEMORY.fullmatch(word)]


def _words(name: str) -> frozenset[str]:
    """Lower-case words: "Tesla V100-SXM2-16 GB" has tesla, v100, sxm2 and 16gb."""
    joined = re.sub(r"(\d)\s*gib\b|(\d)\s+gb\b", r"\1\2gb", name.lower())
    split = re.sub(r"([gr]tx)(\d)", r"\1 \2", re.sub(r"(\d)ti\b", r"\1 ti", joined))
    return frozenset(re.findall(r"[a-z0-9]+", split))


def _hint(name: str) -> str:
    """The rows that share a word of the model, else those spelled alike, else all."""
    near = [row.name for row in gpus() if row.model & _words(name)]
    if not near:
        spelled = {"".join(word for word in row.name.lower().split()[:2]): row for row in gpus()}
        spelled |= {next(iter(row.model)): row for row in gpus() if len(row.model) == 1}
        wanted = "".join(sorted(_words(name) - NOISE, key=name.lower().find))
        models = [spelled[key].model for key in get_close_matches(wanted, spelled, cutoff=0.6)]
        near = [row.name for row in gpus() if row.model in models]
    hint = f"Did you mean {' or '.join(near)}?" if near else ""
    listed = hint or f"There are {', '.join(row.name for row in gpus())}."
    return f"{listed} Or give its power with --power W."
