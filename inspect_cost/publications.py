"""What publications report of models: their quality and their training, from a small TOML file.

One table ``[model.NAME]`` for each model, and one ``[[model.NAME.training]]`` for each run of its
training. The five models of the 2021 paper are in the same format.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import hypot, isfinite
from pathlib import Path
from typing import Any

from inspect_cost.carbon.estimate import CarbonEstimate, combined, estimate_training_carbon
from inspect_cost.errors import UsageError
from inspect_cost.publication_lines import Place
from inspect_cost.quantity import Quantity

#: The end of the usual opinion scale, from bad (1) to excellent (5): ITU-T P.800.
BEST_MOS = 5
WORDS = ("title", "preset", "source", "unranked")
RUN_WORDS = ("what", "gpu", "power_kind", "zone", "source")
RUN_NUMBERS = ("hours", "power_w", "intensity", "year", "pue", "cpu_power_w", "ram_power_w")
SCORES = ("mos", "mos_truth")
INTERVAL = "_ci"
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
        """%MOS = MOS / MOS of the ground truth (eq. 8 of the 2021 paper); None without both.

        The interval is to first order, for independent errors.
        """
        mos, truth = (self.values.get(name) for name in SCORES)
        if mos is None or truth is None:
            return None
        ratio = mos.value / truth.value
        spread = ratio * hypot(*(_half_width(score) / score.value for score in (mos, truth)))
        ends = (ratio - spread, ratio + spread) if spread else None
        return Quantity(ratio, "", "reported", self.source, ends)

    @property
    def mos_loss(self) -> Quantity | None:
        """1 - %MOS, which the 2021 paper minimises; None without both scores."""
        ratio = self.mos_ratio
        if ratio is None:
            return None
        ends = ratio.ci95 and (1 - ratio.ci95[1], 1 - ratio.ci95[0])
        return Quantity(1 - ratio.value, "", ratio.kind, ratio.source, ends)

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
    words = {key: _word(key, table[key], place) for key in WORDS if key in table}
    source = words.get("source", "")
    numbers = {key: table[key] for key in table if key not in {*WORDS, "training"}}
    for key, value in numbers.items():
        _check_number(key, value, place)
    _check_scores(numbers, place)
    values = {key: _reported(key, numbers, source) for key in numbers if not key.endswith(INTERVAL)}
    return Publication(
        name=name,
        title=words.get("title", name),
        preset=words.get("preset", ""),
        source=source,
        values=values,
        training=_training(table.get("training", []), place),
        unranked=words.get("unranked", ""),
    )


def _word(key: str, value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise place.mistake(key, f"{value!r} is no text", f'Write {key} = "...".')
    return value


def _check_number(key: str, value: Any, place: Place) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        known = (*WORDS, *SCORES, "training", *(score + INTERVAL for score in SCORES))
        near = get_close_matches(key, known, n=1)
        hint = f"Did you mean {near[0]}? " if near and near[0] != key else ""
        raise place.mistake(
            key,
            f"{value!r} is no number",
            f"{hint}Texts are {', '.join(WORDS)}; all else is a number.",
        )


def _check_scores(numbers: Mapping[str, float], place: Place) -> None:
    for key, value in numbers.items():
        if key.endswith(INTERVAL) and key.removesuffix(INTERVAL) not in numbers:
            raise place.mistake(key, f"there is no {key.removesuffix(INTERVAL)}", "Give it too.")
        if key.endswith(INTERVAL) and value < 0:
            raise place.mistake(key, f"{value:g} is below 0", "Give half of the interval's width.")
        if key in SCORES and not 0 < value <= BEST_MOS:
            raise place.mistake(
                key, f"{value:g} is not on the scale to {BEST_MOS}", "Rescale it to that."
            )


def _reported(key: str, numbers: Mapping[str, float], source: str) -> Quantity:
    value, half = numbers[key], numbers.get(key + INTERVAL)
    ends = (value - half, value + half) if half else None
    return Quantity(value, UNITS.get(key, ""), "reported", source, ends)


def _training(runs: Any, place: Place) -> CarbonEstimate | None:
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise place.mistake(
            "training", "training is no list of runs", "Write [[model.NAME.training]] for each."
        )
    estimates = [_run(run, place.inside("training", number)) for number, run in enumerate(runs)]
    return combined(estimates) if estimates else None


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
    if "hours" not in run:
        raise place.mistake("", "the run has no hours", "Give how long it took: hours = 52.")
    options = {key: run[key] for key in run if key not in {"what", "gpu", "hours", "source"}}
    try:
        return estimate_training_carbon(run.get("gpu", ""), run["hours"], **options)
    except UsageError as error:
        key = next((k for k in run if k.removesuffix("_w") in str(error).lower()), "gpu")
        raise place.mistake(key, str(error), error.advice) from error


def _half_width(quantity: Quantity) -> float:
    low, high = quantity.ci95 or (0.0, 0.0)
    return (high - low) / 2
