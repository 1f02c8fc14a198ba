"""Exact costs of published architectures, which the caller counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from inspect_cost.values.quantity import Quantity

#: Fact of a report -> the paper's objective.
EXACT: Mapping[str, str] = {"params": "params_exact", "macs_per_s": "macs_per_s"}


@dataclass(frozen=True)
class Counted:
    """A preset's exact costs.

    Attributes:
        preset: its name in the zoo.
        title: its name in print.
        params: parameters of the published architecture.
        params_generating: those of them that generation uses.
        macs_per_s: MACs per second of generated audio, for one second or the least beyond.
    """

    preset: str
    title: str
    params: int
    params_generating: int
    macs_per_s: float

    def facts(self) -> dict[str, Quantity]:
        """Return objective -> value, under the names that reports use."""
        source = f"inspect-cost {self.preset}"
        return {
            "params": Quantity(self.params, "", "counted", source),
            "macs_per_s": Quantity(self.macs_per_s, "MAC/s", "counted", source),
        }


class PresetCounter(Protocol):
    """A zoo's presets, each counted when it is asked for."""

    def __contains__(self, preset: object, /) -> bool:
        """Return whether the zoo has a preset of that name."""

    def count(self, preset: str, settings: Mapping[str, Any], /) -> Counted:
        """Count a preset.

        Args:
            preset: its name.
            settings: those of the published architecture, if parts of it do not generate.
        """


def rename_costs(facts: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Return a model's counted facts as objectives of the paper's fronts."""
    return {objective: facts[name] for name, objective in EXACT.items() if name in facts}
