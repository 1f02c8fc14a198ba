"""Objectives that models can be ranked by: names, units, and which way is better."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from inspect_cost.values.errors import UsageError

LEAST_OBJECTIVES = 2


@dataclass(frozen=True)
class Objective:
    """One axis of a ranking.

    Attributes:
        name: as users ask for it, with its unit.
        title: as an axis shows it, without its unit.
        unit: "J", "s" ...; "" for a plain number.
        maximise: whether more is better.
    """

    name: str
    title: str
    unit: str = ""
    maximise: bool = False

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


_KNOWN = (
    Objective("params", "Parameters"),
    Objective("param_bytes", "Size of the parameters", "B"),
    Objective("macs", "MACs per call"),
    Objective("macs_per_s", "MACs per second of audio"),
    Objective("flops", "FLOPs per call"),
    Objective("flops_per_s", "FLOPs per second of audio"),
    Objective("bytes_moved", "Bytes moved per call", "B"),
    Objective("latency_s", "Latency", "s"),
    Objective("real_time_factor", "Computing per second of audio", "s"),
    Objective("energy_j", "Energy per call", "J"),
    Objective("energy_net_j", "Energy per call, net of idle", "J"),
    Objective("energy_j_per_s", "Energy per second of audio", "J"),
    Objective("estimated_energy_j", "Estimated energy per call", "J"),
    Objective("power_w", "Power", "W"),
    Objective("memory", "Peak memory", "B"),
    Objective("co2e_kg", "Training CO2e", "kg"),
    Objective("energy_kwh", "Training energy", "kWh"),
    Objective("mos", "Mean opinion score", maximise=True),
    Objective("mos_truth", "Mean opinion score of the ground truth", maximise=True),
    Objective("mos_ratio", "%MOS", maximise=True),
    Objective("mos_loss", "1 - %MOS"),
)
#: Name -> objective.
KNOWN: Mapping[str, Objective] = {objective.name: objective for objective in _KNOWN}


def get_objective(name: str, *, maximise: bool = False) -> Objective:
    """Return a known objective, or a user's own column.

    Args:
        name: the objective or column.
        maximise: whether more of the user's own column is better.
    """
    return KNOWN.get(name) or Objective(name, name, maximise=maximise)


def choose_objectives(
    cost: Sequence[str] = (),
    quality: Sequence[str] = (),
    maximise: Iterable[str] = (),
    minimise: Iterable[str] = (),
) -> tuple[Objective, ...]:
    """Return the objectives that were asked for: costs first, each once.

    A known name has its own direction; a user's own is minimised as a cost and maximised as a
    quality. ``maximise`` and ``minimise`` overrule both, and may name further objectives.

    Raises:
        UsageError: there are fewer than two, or one is to be maximised and minimised.
    """
    up, down = dict.fromkeys(maximise), dict.fromkeys(minimise)
    both = [name for name in up if name in down]
    if both:
        raise UsageError(
            f"{both[0]} is to be both maximised and minimised",
            "Choose one.",
            field="maximise",
        )
    found = {name: get_objective(name) for name in cost}
    for name in quality:
        found.setdefault(name, get_objective(name, maximise=True))
    for name in (*down, *up):
        found[name] = replace(found.get(name) or get_objective(name), maximise=name in up)
    if len(found) < LEAST_OBJECTIVES:
        raise UsageError(
            f"a ranking takes two objectives, and there is {', '.join(found) or 'none'}",
            "Name a cost and a quality, such as params and mos_ratio.",
            field="quality" if cost else "cost",
        )
    return tuple(found.values())
