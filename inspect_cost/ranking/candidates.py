"""Models to rank: each has a name and the values that are known of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from inspect_cost.values.errors import UsageError
from inspect_cost.values.opinion import BEST_MOS, complement, is_on_scale, mos_ratio
from inspect_cost.values.quantity import Quantity

QUALITY = ("mos", "mos_truth", "mos_ratio", "mos_loss")


@dataclass(frozen=True)
class Candidate:
    """A model and its known values.

    Attributes:
        name: its name in the ranking.
        values: objective -> value; unknown ones are absent.
        origin: the file that it comes from, or another origin.
        words: column of text -> the text and its place, for the message if somebody ranks by it.
    """

    name: str
    values: Mapping[str, Quantity]
    origin: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


def merge_candidates(candidates: Iterable[Candidate], asked: Collection[str]) -> list[Candidate]:
    """Merge candidates of one name; each value is that of the first that has it.

    Args:
        candidates: several may have one name.
        asked: the objectives to rank by.

    Raises:
        UsageError: two have different values of an objective, or of a score that it follows from.
    """
    known: dict[str, Candidate] = {}
    for candidate in candidates:
        before = known.get(candidate.name)
        known[candidate.name] = candidate if before is None else _merge(before, candidate, asked)
    return list(known.values())


def _merge(first: Candidate, second: Candidate, asked: Collection[str]) -> Candidate:
    for name in first.values.keys() & second.values.keys() & {*asked, *QUALITY}:
        one, other = first.values[name], second.values[name]
        if one.value != other.value:
            raise UsageError(
                f"{first.name} has two values of {name}: {one.value:g} in {first.origin} and "
                f"{other.value:g} in {second.origin}",
                "Give only one of them, or rename a model.",
                field=name,
            )
    return Candidate(
        first.name,
        {**second.values, **first.values},
        f"{first.origin}, {second.origin}",
        {**second.words, **first.words},
    )


def complete_with_publications(
    candidate: Candidate, facts: Mapping[str, Quantity] | None = None
) -> Candidate:
    """Return a candidate with published facts that it lacks, and with what follows from all.

    `mos_ratio = mos / mos_truth`, and `mos_loss = 1 - mos_ratio`. Published scores are not mixed
    with the candidate's own.

    Args:
        candidate: its own values stay.
        facts: objective -> published value.

    Raises:
        UsageError: a mean opinion score is off the scale.
    """
    own = candidate.values
    scored = not own.keys().isdisjoint(QUALITY)
    published = {n: q for n, q in (facts or {}).items() if not (scored and n in QUALITY)}
    values = {**published, **own}
    _check_scores(values, candidate)
    if "mos_ratio" not in values and {"mos", "mos_truth"} <= values.keys():
        values["mos_ratio"] = mos_ratio(values["mos"], values["mos_truth"])
    for name, other in (("mos_loss", "mos_ratio"), ("mos_ratio", "mos_loss")):
        if name not in values and other in values:
            values[name] = complement(values[other])
    return replace(candidate, values=values)


def _check_scores(values: Mapping[str, Quantity], candidate: Candidate) -> None:
    for name in ("mos", "mos_truth"):
        if name in values and not is_on_scale(values[name]):
            raise UsageError(
                f"{candidate.origin}: {candidate.name} has {name} = {values[name].value:g}, off "
                f"the scale up to {BEST_MOS}",
                "Rescale it, or give mos_ratio itself.",
                field=name,
            )


def list_objectives(candidates: Sequence[Candidate]) -> list[str]:
    """Return the objectives that any candidate has."""
    return list(dict.fromkeys(name for candidate in candidates for name in candidate.values))
