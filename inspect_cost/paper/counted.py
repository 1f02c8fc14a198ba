"""What the published architectures cost, counted when asked for, and measured if reports say so."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import model_zoo
from inspect_cost.reports.data import read_report, whole_report
from inspect_cost.reports.inspection import Report
from inspect_cost.subjects.inspection import inspected_preset
from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Quantity

ENERGY = "energy_per_audio_second_j"


@dataclass(frozen=True)
class Counted:
    """A preset's exact costs.

    Attributes:
        preset: its name in the zoo.
        title: its name in print.
        params: of the published architecture.
        params_generating: of them, those that generation uses.
        macs_per_s: MACs per second of generated audio, for one second or the least beyond.
    """

    preset: str
    title: str
    params: int
    params_generating: int
    macs_per_s: float

    @classmethod
    def of(cls, generating: Report, whole: Report | None = None) -> "Counted":
        """From the report of a preset, and that of its whole architecture if that is another.

        Raises:
            UsageError: it makes no audio.
        """
        subject, audio = generating.subject, generating.audio
        if audio is None:
            raise UsageError(f"{subject.name} makes no audio", "Name a preset that does.")
        return cls(
            preset=subject.name,
            title=subject.title,
            params=(whole or generating).count.params,
            params_generating=generating.count.params,
            macs_per_s=audio.per_second(generating.count.macs),
        )


def counted(preset: str, settings: Mapping[str, Any] = MappingProxyType({})) -> Counted:
    """The costs of a preset of the zoo.

    Args:
        preset: its name.
        settings: of the architecture as published, where parts of it do not generate.
    """
    return _counted(preset, tuple(settings.items()))


@cache
def _counted(preset: str, settings: tuple[tuple[str, Any], ...]) -> Counted:
    published = model_zoo.preset(preset)
    whole = inspected_preset(published, settings=dict(settings)) if settings else None
    return Counted.of(inspected_preset(published), whole)


def measured_energy(reports: Iterable[Path]) -> dict[str, Quantity]:
    """Preset -> energy per second of audio in J, of those reports that have measured it.

    Raises:
        UsageError: a file is no report of this tool, or two measured the same model.
    """
    found: dict[str, Quantity] = {}
    for path in reports:
        name, energy = _energy(path)
        if name in found:
            raise UsageError(f"two reports measured {name}", "Give one of them.")
        if energy is not None:
            found[name] = energy
    return found


def _energy(path: Path) -> tuple[str, Quantity | None]:
    report = read_report(path)
    with whole_report(path):
        name = str(report["model"]["name"])
        written = (report["measurement"] or {}).get(ENERGY)
        if written is None:
            return name, None
        energy = Quantity.from_dict(written)
    return name, replace(energy, source=f"{energy.source}, in {path}")
