"""The options that say how to measure."""

import re
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import Flag, FromOne, Seed
from inspect_cost.measuring.backends import BACKENDS
from inspect_cost.values.errors import UsageError
from inspect_cost.values.units import parse_share

if TYPE_CHECKING:
    from inspect_cost.measuring.session import MeasureRequest
    from inspect_cost.subjects import Conditions

TIMES_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@Parameter(name="*")
@dataclass(frozen=True)
class MeasuringOptions:
    """How to measure.

    Attributes:
        no_measure: Count only, and never run the model.
        measure_time: Time for measuring each backend, such as 30s or 5m; 30s (60s on a GPU) unless
            given.
        until_ci: Stop once the half-width of the 95 % confidence interval of the energy (of the
            latency, if there is no sensor) is below this share: 2%.
        device: Device to measure on: cpu, cuda, cuda:1.
        dtype: Data type of parameters and float32 inputs: float32, float16, bfloat16.
        threads: Number of CPU threads; torch's choice unless given.
        batch: Number of inferences in one call.
        backend: Backends to measure, separated by commas: eager, compile, onnxruntime. The others
            are compared with the first.
        no_memory: Do not measure memory, which takes a fresh process and some seconds.
        estimate_energy: Also estimate the energy: maximum power x utilisation x time.
        max_power: Maximum power of the CPU or GPU for the estimate, in W; from a table unless
            given.
        battery: Capacity of a battery, such as 15Wh, to report how long it lasts.
        grid_intensity: Carbon intensity of the electricity, in kgCO2e/kWh; 0.437 (world, 2018)
            unless given.
        require_energy: Exit with 3 if no energy can be measured; the report is still written.
        seed: Seed of random weights and of a preset's inputs.
    """

    no_measure: Annotated[bool, Flag] = False
    measure_time: str | None = None
    until_ci: str | None = None
    device: str = "cpu"
    dtype: str | None = None
    threads: Annotated[int | None, FromOne] = None
    batch: Annotated[int, FromOne] = 1
    backend: str = "eager"
    no_memory: Annotated[bool, Flag] = False
    estimate_energy: Annotated[bool, Flag] = False
    max_power: float | None = None
    battery: str | None = None
    grid_intensity: float | None = None
    require_energy: Annotated[bool, Flag] = False
    seed: Annotated[int, Seed] = 0

    def check(self) -> None:
        """Refuse what is impossible before anything is computed.

        Raises:
            UsageError: an option has an invalid value, or two contradict each other.
        """
        parse_time(self.measure_time)
        parse_battery(self.battery)
        parse_backends(self.backend)
        parse_precision(self.until_ci)
        if self.max_power is not None and not 0 < self.max_power < inf:
            raise UsageError(f"--max-power {self.max_power:g} is not a power", "Give W above 0.")
        if self.grid_intensity is not None and not 0 < self.grid_intensity < inf:
            raise UsageError(
                f"--grid-intensity {self.grid_intensity:g} is not an intensity",
                "Give kgCO2e/kWh, such as 0.05.",
            )
        if self.no_measure and self.require_energy:
            raise UsageError(
                "--require-energy needs a measurement, and --no-measure forbids it",
                "Leave one of them out.",
            )

    def check_device(self) -> None:
        """Refuse a device or a type that this machine does not have; unlike `check`, import torch.

        A type is counted even where nothing is measured.

        Raises:
            UsageError: there is no such device, or no such floating-point type.
        """
        if self.no_measure and self.dtype is None:
            return
        from inspect_cost.calls.devices import find_device, find_dtype

        find_dtype(self.dtype)
        if not self.no_measure:
            find_device(self.device)

    @property
    def conditions(self) -> "Conditions":
        """Device, precision, threads and seed of the runs."""
        from inspect_cost.subjects import Conditions

        return Conditions(self.device, self.dtype, self.threads, self.seed)

    @property
    def request(self) -> "MeasureRequest":
        """What to measure, and for how long."""
        from inspect_cost.measuring.session import MeasureRequest

        return MeasureRequest(
            budget_s=parse_time(self.measure_time),
            until=parse_precision(self.until_ci),
            threads=self.threads,
            backends=parse_backends(self.backend),
            memory=not self.no_memory,
            estimate=self.estimate_energy,
            max_power_w=self.max_power,
            intensity=self.grid_intensity,
            battery_wh=parse_battery(self.battery),
        )


def parse_time(text: str | None) -> float | None:
    """Parse seconds: 30s, 5m, 1.5h, or a plain number of seconds; None stays None.

    Raises:
        UsageError: it is not a time above 0.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?", text.strip())
    seconds = float(found[1]) * TIMES_S[found[2] or ""] if found else 0.0
    if not 0 < seconds < inf:
        raise UsageError(f"--measure-time {text!r} is not a time above 0", "Write 30s or 5m.")
    return seconds


def parse_precision(text: str | None) -> float | None:
    """Parse the half-width of a confidence interval, as a share of the value; None stays None.

    Raises:
        UsageError: it is not a share between 0 and 1.
    """
    try:
        return None if text is None else parse_share(text)
    except ValueError as error:
        raise UsageError(f"--until-ci: {error}", "Write 2%, or 0.02.") from None


def parse_battery(text: str | None) -> float | None:
    """Parse watt-hours: 15Wh, 1.2kWh; None stays None.

    Raises:
        UsageError: it is not an amount above 0.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(k?)Wh", text.strip(), re.IGNORECASE)
    watt_hours = float(found[1]) * (1000.0 if found[2] else 1.0) if found else 0.0
    if not 0 < watt_hours < inf:
        raise UsageError(f"--battery {text!r} is not an amount of energy above 0", "Write 15Wh.")
    return watt_hours


def parse_backends(text: str) -> tuple[str, ...]:
    """Parse names of backends, separated by commas; drop repetitions.

    Raises:
        UsageError: there is no such backend.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in BACKENDS:
            raise UsageError(f"there is no backend {name!r}", f"Choose from {', '.join(BACKENDS)}.")
    return names
