"""Models to rank: each a name and what is known of it, from reports and publications."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from inspect_cost.values.errors import UsageError
from inspect_cost.values.opinion import BEST_MOS, complement, mos_ratio
from inspect_cost.values.quantity import Quantity, plain_number

QUALITY = ("mos", "mos_truth", "mos_ratio", "mos_loss")
#: Objective -> its place in a report, and its kind.
COUNTED: Mapping[str, tuple[str, str]] = {
    "params": ("count", "params"),
    "param_bytes": ("count", "param_bytes"),
    "macs": ("count", "macs"),
    "macs_per_s": ("audio", "macs_per_second"),
    "flops": ("count", "flops"),
    "flops_per_s": ("audio", "flops_per_second"),
    "bytes_moved": ("count", "bytes_moved"),
}
#: Objective -> its name in a report's measurement, if it differs.
MEASURED: Mapping[str, str] = {
    "latency_s": "latency_s",
    "real_time_factor": "real_time_factor",
    "energy_j": "energy_j",
    "energy_net_j": "energy_net_j",
    "energy_j_per_s": "energy_per_audio_second_j",
    "estimated_energy_j": "estimated_energy_j",
    "power_w": "power_w",
}
#: Memory in a report's measurement, the most telling first.
MEMORY = ("cuda_peak_b", "peak_rss_b")


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


def from_report(report: Mapping[str, Any], origin: str) -> Candidate:
    """A candidate from a report as data, schema inspect-cost/report/1.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is no whole report.
    """
    values: dict[str, Quantity] = {}
    whole = not report["count"].get("uncounted")
    for name, (part, key) in COUNTED.items():
        number = (report.get(part) or {}).get(key)
        # Where operators have no known cost, their sums are lower bounds: no value to rank by.
        if number is not None and (whole or name.startswith("param")):
            values[name] = Quantity(plain_number(number), "", "counted", origin)
    measurement = report.get("measurement") or {}
    memory = measurement.get("memory") or {}
    found = {name: measurement.get(key) for name, key in MEASURED.items()}
    found["memory"] = next((memory[key] for key in MEMORY if memory.get(key)), None)
    values |= {
        name: Quantity.from_dict(given) for name, given in found.items() if given is not None
    }
    return Candidate(str(report["model"]["name"]), values, origin)


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
