"""``inspect-cost carbon``: what a training emitted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from inspect_cost.cli.arguments import Whole
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import OK
from inspect_cost.values.errors import UsageError

if TYPE_CHECKING:
    from inspect_cost.carbon.estimate import CarbonEstimate
    from inspect_cost.reports.results import TrainingCarbon


def carbon(
    *,
    gpu: Annotated[list[str] | None, Parameter(negative="", allow_leading_hyphen=True)] = None,
    hours: Annotated[list[str] | None, Parameter(negative="", allow_leading_hyphen=True)] = None,
    power: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    power_kind: Annotated[Literal["estimated", "measured"], Parameter(name="--power-kind")] = (
        "estimated"
    ),
    report: Path | None = None,
    intensity: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    zone: str | None = None,
    year: Annotated[int | None, Whole] = None,
    pue: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    cpu_power: Annotated[
        str | None, Parameter(name="--cpu-power", allow_leading_hyphen=True)
    ] = None,
    ram_power: Annotated[
        str | None, Parameter(name="--ram-power", allow_leading_hyphen=True)
    ] = None,
    emissions: Path | None = None,
    tracker_log: Annotated[Path | None, Parameter(name="--tracker-log")] = None,
    models: Path | None = None,
    writing: Annotated[OutputOptions | None, Parameter(name="*")] = None,
) -> int:
    """Estimate what training a model took and emitted.

    From hardware and hours, CO2e = intensity x n x p_max x t; or from a tracker's
    file. Any number may be a range, 52..60.

    Parameters
    ----------
    gpu
        "4 x P100"; repeat it, with --hours, for phases on different GPUs.
    hours
        12+10+30, 52..60, or "11.3 d"; repeat it for several phases.
    power
        Watts of one GPU, in place of its maker's maximum.
    power_kind
        Whether a sensor gave --power.
    report
        JSON report of this tool, whose measured power is taken.
    intensity
        Of the grid, in kgCO2e/kWh or as "437 g/kWh"; 0.437 unless given.
    zone
        ISO code of the grid's country, such as FR; WOR for the world.
    year
        Of the zone's figure; the most recent unless given.
    pue
        Power usage effectiveness of the data centre; 1 unless given, 1.58 in the paper's eq. 4.
    cpu_power
        Watts of all CPUs.
    ram_power
        Watts of all memory.
    emissions
        emissions.csv of codecarbon, instead of hardware and hours.
    tracker_log
        Log of carbontracker, instead of hardware and hours.
    models
        TOML file of models and their publications, instead: the training of each.
    """
    wanted = writing or OutputOptions()
    wanted.check()
    devices = {"gpu": gpu, "hours": hours, "power": power, "report": report}
    devices |= {"cpu-power": cpu_power, "ram-power": ram_power}
    factors = {"intensity": intensity, "zone": zone, "year": year, "pue": pue}
    files: dict[str, Any] = {
        "emissions": emissions,
        "tracker-log": tracker_log,
        "models": models,
    }
    tracker = only_one(files, devices)
    if models:
        wanted.write(of_models(models, factors))
        return OK
    if tracker:
        estimate = from_tracker(tracker, files[tracker], factors)
    else:
        estimate = from_hardware(devices, power_kind, factors)
    wanted.write(estimate)
    return OK


def only_one(files: dict[str, Any], devices: dict[str, Any]) -> str | None:
    """The option of the tracker's file, if one is given; it stands alone."""
    given = [name for name, value in files.items() if value is not None]
    hardware = [name for name, value in devices.items() if value is not None]
    if given and len(given + hardware) > 1:
        several = " and ".join(f"--{name}" for name in given + hardware)
        raise UsageError(f"{several} say what was consumed twice", "Give one of them.")
    return given[0] if given else None


def of_models(path: Path, factors: dict[str, Any]) -> "TrainingCarbon":
    """What training each model of a file emitted."""
    given = [f"--{name}" for name, value in factors.items() if value is not None]
    if given:
        raise UsageError(
            f"{' and '.join(given)} and --models both say it", f"Write it into {path} instead."
        )
    from inspect_cost.publications.publication import load_publications
    from inspect_cost.reports.results import TrainingCarbon

    return TrainingCarbon({entry.title: entry.training for entry in load_publications(path)})


def from_tracker(option: str, path: Path, factors: dict[str, Any]) -> "CarbonEstimate":
    """From a file of codecarbon or carbontracker."""
    from inspect_cost.carbon import trackers

    readers = {
        "emissions": trackers.carbon_from_codecarbon,
        "tracker-log": trackers.carbon_from_carbontracker,
    }
    return readers[option](path, **factors)


def from_hardware(
    devices: dict[str, Any], power_kind: Literal["estimated", "measured"], factors: dict[str, Any]
) -> "CarbonEstimate":
    """From GPUs, hours and power."""
    from inspect_cost.carbon.estimate import estimate_training_carbon
    from inspect_cost.reports.measured_facts import read_measured_power

    power: dict[str, Any] = {"power_w": devices["power"], "power_kind": power_kind}
    if devices["power"] and devices["report"]:
        raise UsageError("--power and --report both give the power", "Give one of them.")
    if devices["report"]:
        measured = read_measured_power(devices["report"])
        power = {
            "power_w": measured.ci95 or measured.value,
            "power_kind": measured.kind,
            "power_source": measured.source,
        }
    return estimate_training_carbon(
        devices["gpu"] or "",
        devices["hours"] or (),
        **power,
        **factors,
        cpu_power_w=devices["cpu-power"],
        ram_power_w=devices["ram-power"],
    )
