"""Quality and training of models as publications report them, from a small TOML file.

One table ``[model.NAME]`` for each model, and one ``[[model.NAME.training]]`` for each run of its
training. The five models of the 2021 paper are in the same format.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from inspect_cost.carbon.estimate import CarbonEstimate, combine, estimate_training_carbon
from inspect_cost.publications.places import Place
from inspect_cost.values import given
from inspect_cost.values.errors import UsageError
from inspect_cost.values.opinion import BEST_MOS, complement, is_on_scale, mos_ratio
from inspect_cost.values.quantity import Quantity
from inspect_cost.values.text_files import read_text

WORDS = ("title", "preset", "source", "unranked", "kind")
RUN_WORDS = ("what", "gpu", "power_kind", "zone", "source")
RUN_NUMBERS = ("hours", "power_w", "intensity", "year", "pue", "cpu_power_w", "ram_power_w")
SCORES = ("mos", "mos_truth")
#: Entries of a model that are not read as values.
NO_VALUES = {"title", "preset", "unranked", "training"}
UNITS: Mapping[str, str] = {"co2e_kg": "kgCO2e", "energy_kwh": "kWh"}


@dataclass(frozen=True)
class Publication:
    """Published facts of a model.

    Attributes:
        name: the model's name.
        title: its name in print.
        preset: its name in the model zoo, or "" if it is not there.
        source: the publication.
        values: objective -> reported value: mos, mos_truth, params, and any column of the user's.
        training: energy and emissions of its training; None if not published.
        unranked: why it has no opinion score, or "".
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
        """`%MOS = MOS / MOS of the ground truth` (eq. 8 of the 2021 paper); None without both."""
        mos, truth = (self.values.get(name) for name in SCORES)
        if mos is None or truth is None:
            return None
        return replace(mos_ratio(mos, truth), source=self.source)

    @property
    def mos_loss(self) -> Quantity | None:
        """`1 - %MOS`, which the 2021 paper minimises; None without both scores."""
        ratio = self.mos_ratio
        return complement(ratio) if ratio else None

    def facts(self) -> dict[str, Quantity]:
        """Return objective -> value to rank by: all values, and those that follow from them."""
        found: dict[str, Quantity | None] = dict(self.values)
        found |= {"mos_ratio": self.mos_ratio, "mos_loss": self.mos_loss}
        if self.training:
            found |= {
                "co2e_kg": self.training.carbon_kgco2e,
                "energy_kwh": self.training.energy_kwh,
            }
        return {name: value for name, value in found.items() if value is not None}


def collect_facts(publications: Iterable[Publication]) -> dict[str, dict[str, Quantity]]:
    """Return model -> objective -> value, also under the name in the zoo, which reports have."""
    known = {}
    for publication in publications:
        for name in filter(None, (publication.preset, publication.name)):
            known[name] = publication.facts()
    return known


def load_publications(path: Path | str) -> tuple[Publication, ...]:
    """Load the publications in a file, in its order.

    Raises:
        UsageError: it cannot be read, or an entry is wrong; the message names file, line and key.
    """
    path = Path(path)
    text = read_text(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}", "Fix that line.") from error
    models = content.get("model")
    if not isinstance(models, dict) or not models:
        raise UsageError(f"{path} has no [model.NAME]", "Give each model a table of that name.")
    return tuple(
        _read_publication(n, m, Place(path, text, ("model", n))) for n, m in models.items()
    )


def _read_publication(name: str, table: Any, place: Place) -> Publication:
    if not isinstance(table, dict):
        raise place.error("", f"{name} is not a table", "Write [model.NAME] on a line of its own.")
    words = {key: _read_text(key, table[key], place) for key in table if key in WORDS}
    return Publication(
        name=name,
        title=words.get("title", name),
        preset=words.get("preset", ""),
        source=words.get("source", ""),
        values=_read_values(table, place),
        training=_read_training(table.get("training", []), place),
        unranked=words.get("unranked", ""),
    )


def _read_text(key: str, value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise place.error(key, f"{value!r} is not text", f'Write {key} = "...".')
    return value


def _read_values(table: Mapping[str, Any], place: Place) -> dict[str, Quantity]:
    entries = {key: table[key] for key in table if key not in NO_VALUES}
    for key, entry in entries.items():
        _check_entry(key, entry, entries, place)
    try:
        values = given.read_values(entries)
    except UsageError as error:
        raise place.error(error.field, str(error), error.advice) from None
    for score in SCORES:
        _check_score(score, values, place)
    return {key: replace(value, unit=UNITS.get(key, "")) for key, value in values.items()}


def _check_entry(key: str, entry: Any, entries: Mapping[str, Any], place: Place) -> None:
    """Refuse texts that are numbers, numbers that are texts, and intervals of nothing."""
    if given.is_text(key):
        _read_text(key, entry, place)
    elif isinstance(entry, str) and not given.is_number(entry):
        raise place.error(key, f"{entry!r} is not a number", _hint(key))
    stem = key.removesuffix(given.CI)
    if stem != key and stem not in entries:
        raise place.error(key, f"no {stem} is given", f"Give {stem} too.")


def _hint(key: str) -> str:
    known = (*WORDS, *SCORES, "training", *(score + given.CI for score in SCORES))
    near = get_close_matches(key, known, n=1)
    hint = f"Did you mean {near[0]}? " if near and near[0] != key else ""
    return f"{hint}Texts are {', '.join(WORDS)}; everything else is a number."


def _check_score(key: str, values: Mapping[str, Quantity], place: Place) -> None:
    if key in values and not is_on_scale(values[key]):
        raise place.error(
            key,
            f"{values[key].value:g} is not on the scale up to {BEST_MOS}",
            "Rescale it to that.",
        )


def _read_training(runs: Any, place: Place) -> CarbonEstimate | None:
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise place.error(
            "training", "training is not a list of runs", "Write [[model.NAME.training]] for each."
        )
    estimates = [_read_run(run, place.enter("training", number)) for number, run in enumerate(runs)]
    return combine(estimates) if estimates else None


def _read_run(run: Mapping[str, Any], place: Place) -> CarbonEstimate:
    for key, value in run.items():
        _check_run_entry(key, value, place)
    if "hours" not in run:
        raise place.error("", "the run has no hours", "Give how long it took: hours = 52.")
    options = {key: run[key] for key in run if key not in {"what", "gpu", "hours", "source"}}
    try:
        return estimate_training_carbon(run.get("gpu", ""), run["hours"], **options)
    except UsageError as error:
        key = error.field if error.field in run else ""
        # Parameters are keys here: without backticks no command line takes them for options.
        message, advice = (text.replace("`", "") for text in (str(error), error.advice))
        raise place.error(key, message.removeprefix(f"{key} "), advice) from error


def _check_run_entry(key: str, value: Any, place: Place) -> None:
    """Refuse unknown entries, and values of another type."""
    known = (*RUN_WORDS, *RUN_NUMBERS)
    if key not in known:
        near = get_close_matches(key, known, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        advice = f"{hint}A run may have {', '.join(known)}."
        raise place.error(key, f"a training run has no entry {key}", advice)
    if key in RUN_WORDS:
        _read_text(key, value, place)
    elif isinstance(value, bool) or not isinstance(value, (int, float, str, list)):
        raise place.error(key, f"{value!r} is not a number", 'Write 52, or "52..60".')
    if key == "year" and not isinstance(value, int):
        raise place.error(key, f"{value!r} is not a year", "Write year = 2023.")
