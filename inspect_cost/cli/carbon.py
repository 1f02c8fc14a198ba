"""``inspect-cost carbon``: what a training consumed and emitted."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from inspect_cost.cli.arguments import Whole
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import OK
from inspect_cost.values.errors import UsageError

if TYPE_CHECKING:
    from inspect_cost.carbon.estimate import CarbonEstimate
    from inspect_cost.reports.results import TrainingCarbon
    from inspect_cost.values.quantity import Quantity

#: A number or a range; one that is negative is refused by its meaning, not as an unknown option.
Amount = Annotated[str | None, Parameter(allow_leading_hyphen=True)]
Amounts = Annotated[list[str] | None, Parameter(negative="", allow_leading_hyphen=True)]


@Parameter(name="*")
@dataclass(frozen=True)
class HardwareOptions:
    """What a training ran on.

    Attributes:
        gpu: GPUs, such as "4 x P100"; repeat it, with --hours, for phases on different GPUs.
        hours: Duration: 12+10+30, 52..60, or "11.3 d"; repeat it for several phases.
        power: Power of one GPU in W, instead of its maker's maximum.
        power_kind: Whether --power was measured by a sensor.
        report: JSON report of inspect-cost to take a measured power from.
        cpu_power: Power of all CPUs, in W.
        ram_power: Power of all memory, in W.
    """

    gpu: Amounts = None
    hours: Amounts = None
    power: Amount = None
    power_kind: Literal["estimated", "measured"] = "estimated"
    report: Path | None = None
    cpu_power: Amount = None
    ram_power: Amount = None


@Parameter(name="*")
@dataclass(frozen=True)
class FactorOptions:
    """From energy to emissions.

    Attributes:
        intensity: Carbon intensity of the grid, in kgCO2e/kWh or as "437 g/kWh"; 0.437 unless
            given.
        zone: ISO code of the grid's country, such as FR, or WOR for the world.
        year: Year of the zone's figure; the most recent unless given.
        pue: Power usage effectiveness of the data centre; 1 unless given, 1.58 in eq. 4 of the
            2021 paper.
    """

    intensity: Amount = None
    zone: str | None = None
    year: Annotated[int | None, Whole] = None
    pue: Amount = None


def carbon(
    *,
    hardware: HardwareOptions = HardwareOptions(),
    factors: FactorOptions = FactorOptions(),
    emissions: Path | None = None,
    tracker_log: Path | None = None,
    models: Path | None = None,
    output: OutputOptions = OutputOptions(),
) -> int:
    """Estimate the energy and emissions of a training.

    From hardware and hours, CO2e = intensity x n x p_max x t; or from a tracker's
    file. Any number may be a range, 52..60.

    Parameters
    ----------
    emissions
        An emissions.csv of codecarbon, instead of hardware and hours.
    tracker_log
        Log of carbontracker, instead of hardware and hours.
    models
        TOML file of models and their publications, instead of hardware and hours: the training
        of each model.
    """
    output.check()
    files = {"--emissions": emissions, "--tracker-log": tracker_log, "--models": models}
    check_single([option for option, path in files.items() if path], list_given(hardware))
    if models:
        output.write(estimate_models(models, factors))
    elif emissions or tracker_log:
        output.write(read_tracker(emissions, tracker_log, factors))
    else:
        output.write(estimate_hardware(hardware, factors))
    return OK


def list_given(options: HardwareOptions | FactorOptions) -> list[str]:
    """Return the options that differ from their defaults, as the user spelled them."""
    names = [each.name for each in fields(options) if getattr(options, each.name) != each.default]
    return [f"--{name.replace('_', '-')}" for name in names]


def check_single(files: list[str], hardware: list[str]) -> None:
    """Refuse a file beside another, or beside hardware.

    Raises:
        UsageError: names the options.
    """
    given = files + hardware
    if files and len(given) > 1:
        raise UsageError(
            f"{given[0]} cannot be given with {' and '.join(given[1:])}",
            "Both say what was consumed: give one of them.",
        )


def estimate_models(path: Path, factors: FactorOptions) -> "TrainingCarbon":
    """Estimate the training of each model of a file.

    Raises:
        UsageError: factors are given beside the file, or it is not such a file.
    """
    if given := list_given(factors):
        raise UsageError(
            f"{' and '.join(given)} cannot be given with --models", f"Write it into {path} instead."
        )
    from inspect_cost.publications.publication import load_publications
    from inspect_cost.reports.results import TrainingCarbon

    return TrainingCarbon({entry.title: entry.training for entry in load_publications(path)})


def read_tracker(
    emissions: Path | None, tracker_log: Path | None, factors: FactorOptions
) -> "CarbonEstimate":
    """Read the file of codecarbon or of carbontracker, whichever is given."""
    from inspect_cost.carbon.trackers import carbon_from_carbontracker, carbon_from_codecarbon

    read = carbon_from_codecarbon if emissions else carbon_from_carbontracker
    return read(
        emissions or tracker_log or Path(),
        intensity=factors.intensity,
        zone=factors.zone,
        year=factors.year,
        pue=factors.pue,
    )


def estimate_hardware(hardware: HardwareOptions, factors: FactorOptions) -> "CarbonEstimate":
    """Estimate from GPUs, hours and power.

    Raises:
        UsageError: the power is given twice, or a value is impossible.
    """
    from inspect_cost.carbon.estimate import estimate_training_carbon

    if hardware.power and hardware.report:
        raise UsageError("--power and --report both give the power", "Give one of them.")
    measured = read_power(hardware.report) if hardware.report else None
    return estimate_training_carbon(
        hardware.gpu or "",
        hardware.hours or (),
        power_w=(measured.ci95 or measured.value) if measured else hardware.power,
        power_kind=measured.kind if measured else hardware.power_kind,
        power_source=measured.source if measured else "given",
        intensity=factors.intensity,
        zone=factors.zone,
        year=factors.year,
        pue=factors.pue,
        cpu_power_w=hardware.cpu_power,
        ram_power_w=hardware.ram_power,
    )


def read_power(report: Path) -> "Quantity":
    """Return the measured power of a report, in W."""
    from inspect_cost.reports.measured_facts import read_measured_power

    return read_measured_power(report)
