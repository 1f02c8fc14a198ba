"""Models to rank: each has a name and the values that are known of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from inspect_cost.values.errors import UsageError
from inspect_cost.values.opinion import BEST_MOS, complement, mos_ratio
from inspect_cost.values.quantity import Quantity

QUALITY = ("mos", "mos_truth", "mos_ratio", "mos_loss")


@dataclass(frozen=True)
class Candidate:
    """A model and what is known of it.

    Attributes:
        name: what it is told by.
        values: objective -> value; an unknown one is not there.
        origin: the file, or where else it comes from.
        words: column without any number -> what it says, and where, for whoever ranks by it.
    """

    name: str
    values: Mapping[str, Quantity]
    origin: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


def merged(candidates: Iterable[Candidate], asked: Collection[str]) -> list[Candidate]:
    """One candidate of each name, with what all of them know, of the first that knows it.

    Raises:
        UsageError: two know different values of what is asked for, or of a score behind it.
    """
    known: dict[str, Candidate] = {}
    for candidate in candidates:
        before = known.get(candidate.name)
        known[candidate.name] = candidate if before is None else _joined(before, candidate, asked)
    return list(known.values())


def _joined(first: Candidate, second: Candidate, asked: Collection[str]) -> Candidate:
    for name in first.values.keys() & second.values.keys() & {*asked, *QUALITY}:
        one, other = first.values[name], second.values[name]
        if one.value != other.value:
            raise UsageError(
                f"{first.name} has two values of {name}: {one.value:g} in {first.origin} and "
                f"{other.value:g} in {second.origin}",
                "Give one of them, or different names.",
            )
    return Candidate(
        first.name,
        {**second.values, **first.values},
        f"{first.origin}, {second.origin}",
        {**second.words, **first.words},
    )


def completed(candidate: Candidate, facts: Mapping[str, Quantity] | None = None) -> Candidate:
    """With published facts where it has none of its own, and what follows from all.

    mos_ratio = MOS / MOS of the ground truth, and mos_loss = 1 - mos_ratio. Published scores are
    not mixed with the candidate's own.

    Raises:
        UsageError: a mean opinion score is not on the scale.
    """
    own = candidate.values
    scored = not own.keys().isdisjoint(QUALITY)
    published = {n: q for n, q in (facts or {}).items() if not (scored and n in QUALITY)}
    values = {**published, **own}
    for name in ("mos", "mos_truth"):
        score = values[name].value if name in values else BEST_MOS
        if not 0 < score <= BEST_MOS:
            raise UsageError(
                f"{candidate.origin}: {candidate.name} has {name} = {score:g}, beyond the scale "
                f"to {BEST_MOS}",
                "Rescale it, or give mos_ratio itself.",
            )
    if "mos_ratio" not in values and {"mos", "mos_truth"} <= values.keys():
        values["mos_ratio"] = mos_ratio(values["mos"], values["mos_truth"])
    for name, other in (("mos_loss", "mos_ratio"), ("mos_ratio", "mos_loss")):
        if name not in values and other in values:
            values[name] = complement(values[other])
    return replace(candidate, values=values)


def available(candidates: Sequence[Candidate]) -> list[str]:
    """The objectives that any candidate has."""
    return list(dict.fromkeys(name for candidate in candidates for name in candidate.values))
