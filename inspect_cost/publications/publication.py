"""What publications report of models: their quality and their training, from a small TOML file.

One table ``[model.NAME]`` for each model, and one ``[[model.NAME.training]]`` for each run of its
training. The five models of the 2021 paper are in the same format.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from inspect_cost.carbon.estimate import CarbonEstimate, combine, estimate_training_carbon
from inspect_cost.publications.places import Place
from inspect_cost.values.errors import UsageError
from inspect_cost.values.opinion import BEST_MOS, complement, mos_ratio
from inspect_cost.values.quantity import LARGEST, Kind, Quantity

WORDS = ("title", "preset", "source", "unranked", "kind")
RUN_WORDS = ("what", "gpu", "power_kind", "zone", "source")
RUN_NUMBERS = ("hours", "power_w", "intensity", "year", "pue", "cpu_power_w", "ram_power_w")
SCORES = ("mos", "mos_truth")
INTERVAL, KIND, SOURCE = "_ci", "_kind", "_source"
KINDS: tuple[str, ...] = get_args(Kind)
WITH_INTERVAL = re.compile(r"\s*(?:\+-|\+/-|\u00b1)\s*")
UNITS: Mapping[str, str] = {"co2e_kg": "kgCO2e", "energy_kwh": "kWh"}


@dataclass(frozen=True)
class Publication:
    """What is published of a model.

    Attributes:
        name: of the model.
        title: its name in print.
        preset: its name in the model zoo; "" if it is not there.
        source: who says so.
        values: objective -> reported value: mos, mos_truth, params, and any column of the user's.
        training: what its training took and emitted; None where that is not published.
        unranked: why it has no opinion score, where it has none; "" where nothing is said.
    """

    name: str
    title: str
    preset: str
    source: str
    values: Mapping[str, Quantity]
    training: CarbonEstimate | None
    unranked: str = ""

    @property
    def mos_ratio(self) -> Quantity | None:
        """%MOS = MOS / MOS of the ground truth (eq. 8 of the 2021 paper); None without both."""
        mos, truth = (self.values.get(name) for name in SCORES)
        if mos is None or truth is None:
            return None
        return replace(mos_ratio(mos, truth), source=self.source)

    @property
    def mos_loss(self) -> Quantity | None:
        """1 - %MOS, which the 2021 paper minimises; None without both scores."""
        ratio = self.mos_ratio
        return complement(ratio) if ratio else None

    def facts(self) -> dict[str, Quantity]:
        """Objective -> value, as models are ranked by: all values, and what follows from them."""
        found: dict[str, Quantity | None] = dict(self.values)
        found |= {"mos_ratio": self.mos_ratio, "mos_loss": self.mos_loss}
        if self.training:
            found |= {
                "co2e_kg": self.training.carbon_kgco2e,
                "energy_kwh": self.training.energy_kwh,
            }
        return {name: value for name, value in found.items() if value is not None}


def facts_by_model(publications: Iterable[Publication]) -> dict[str, dict[str, Quantity]]:
    """Model -> objective -> value; also under the name in the zoo, which reports have."""
    known = {}
    for publication in publications:
        for name in filter(None, (publication.preset, publication.name)):
            known[name] = publication.facts()
    return known


def load_publications(path: Path | str) -> tuple[Publication, ...]:
    """The publications in a file, in its order.

    Raises:
        UsageError: it cannot be read, or an entry is wrong; the message names file, line and key.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "Give another file.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {path}: it is not UTF-8", "Give another file.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}", "Mend that line.") from error
    models = content.get("model")
    if not isinstance(models, dict) or not models:
        raise UsageError(f"{path} has no [model.NAME]", "Give each model a table of that name.")
    return tuple(_publication(n, m, Place(path, text, ("model", n))) for n, m in models.items())


def _publication(name: str, table: Any, place: Place) -> Publication:
    if not isinstance(table, dict):
        raise place.mistake("", f"{name} is no table", "Write [model.NAME] on a line of its own.")
    words = {key: _word(key, table[key], place) for key in table if _is_word(key)}
    given = {key: table[key] for key in table if not _is_word(key) and key != "training"}
    numbers = {key: _number(key, value, place) for key, value in given.items()}
    intervals = {key: _interval(key, numbers, place) for key in numbers}
    values = {
        key: _reported(key, numbers[key][0], intervals[key], words, place)
        for key in numbers
        if not key.endswith(INTERVAL)
    }
    return Publication(
        name=name,
        title=words.get("title", name),
        preset=words.get("preset", ""),
        source=words.get("source", ""),
        values=values,
        training=_training(table.get("training", []), place),
        unranked=words.get("unranked", ""),
    )


def _is_word(key: str) -> bool:
    """Whether an entry is text; all but those and the training are numbers."""
    return key in WORDS or key.endswith((KIND, SOURCE))


def _word(key: str, value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise place.mistake(key, f"{value!r} is no text", f'Write {key} = "...".')
    return value


def _number(key: str, value: Any, place: Place) -> tuple[float, float | None]:
    """(number, half of its 95 % interval, None without one): 3.9, or "3.9 +- 0.2"."""
    numbers = [value]
    if isinstance(value, str):
        with suppress(ValueError):
            numbers = [float(part) for part in WITH_INTERVAL.split(value.strip(), maxsplit=1)]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not _usual(number):
            raise place.mistake(key, f"{value!r} is no number", _hint(key))
    return numbers[0], numbers[1] if numbers[1:] else None


def _usual(number: float) -> bool:
    """Whether it is finite, and small enough to be computed with."""
    return abs(number) < LARGEST  # NaN is not


def _hint(key: str) -> str:
    known = (*WORDS, *SCORES, "training", *(score + INTERVAL for score in SCORES))
    near = get_close_matches(key, known, n=1)
    hint = f"Did you mean {near[0]}? " if near and near[0] != key else ""
    return f"{hint}Texts are {', '.join(WORDS)}; all else is a number."


def _interval(
    key: str, numbers: Mapping[str, tuple[float, float | None]], place: Place
) -> float | None:
    """Half of a value's interval, which is beside it or in it; checked, like the value."""
    value, half = numbers[key]
    stem = key.removesuffix(INTERVAL)
    if stem != key and stem not in numbers:
        raise place.mistake(key, f"there is no {stem}", "Give it too.")
    if key in SCORES and not 0 < value <= BEST_MOS:
        advice = "Rescale it to that."
        raise place.mistake(key, f"{value:g} is not on the scale to {BEST_MOS}", advice)
    beside = numbers.get(key + INTERVAL)
    half = beside[0] if beside else half
    if half is not None and half < 0:
        where = key + INTERVAL if beside else key
        raise place.mistake(where, f"{half:g} is below 0", "Give half of the interval's width.")
    return half


def _reported(
    key: str, value: float, half: float | None, words: Mapping[str, str], place: Place
) -> Quantity:
    kind = words.get(key + KIND) or words.get("kind") or "reported"
    if kind not in KINDS:
        where = key + KIND if key + KIND in words else "kind"
        raise place.mistake(where, f"no kind is called {kind!r}", f"Write {', '.join(KINDS)}.")
    source = words.get(key + SOURCE) or words.get("source", "")
    ends = (value - half, value + half) if half else None
    return Quantity(value, UNITS.get(key, ""), kind, source, ends)  # type: ignore[arg-type]  # checked


def _training(runs: Any, place: Place) -> CarbonEstimate | None:
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise place.mistake(
            "training", "training is no list of runs", "Write [[model.NAME.training]] for each."
        )
    estimates = [_run(run, place.inside("training", number)) for number, run in enumerate(runs)]
    return combine(estimates) if estimates else None


def _run(run: Mapping[str, Any], place: Place) -> CarbonEstimate:
    for key, value in run.items():
        if key not in {*RUN_WORDS, *RUN_NUMBERS}:
            near = get_close_matches(key, (*RUN_WORDS, *RUN_NUMBERS), n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise place.mistake(
                key,
                f"a run of training has no {key}",
                f"{hint}It has {', '.join((*RUN_WORDS, *RUN_NUMBERS))}.",
            )
        if key in RUN_WORDS:
            _word(key, value, place)
        elif isinstance(value, bool) or not isinstance(value, (int, float, str, list)):
            raise place.mistake(key, f"{value!r} is no number", 'Write 52, or "52..60".')
        if key == "year" and not isinstance(value, int):
            raise place.mistake(key, f"{value!r} is no year", "Write year = 2023.")
    if "hours" not in run:
        raise place.mistake("", "the run has no hours", "Give how long it took: hours = 52.")
    options = {key: run[key] for key in run if key not in {"what", "gpu", "hours", "source"}}
    try:
        return estimate_training_carbon(run.get("gpu", ""), run["hours"], **options)
    except UsageError as error:
        # A parameter is a key here: without its backticks no command line takes it for an option.
        message, advice = (text.replace("`", "") for text in (str(error), error.advice))
        key = error.field or "gpu"
        raise place.mistake(key, message.removeprefix(f"{key} "), advice) from error
