"""The options of measuring, which several commands share, and what becomes of them."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import Flag, Whole
from inspect_cost.measuring.backends import BACKENDS
from inspect_cost.values.errors import UsageError
from inspect_cost.values.units import parse_share

if TYPE_CHECKING:
    from inspect_cost.measuring.session import MeasureRequest
    from inspect_cost.subjects import Conditions

TIMES_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@Parameter(name="*")
@dataclass(frozen=True)
class Measuring:
    """How to measure.

    Attributes:
        no_measure: Only count; never run the model to measure it.
        measure_time: Time for measuring, for each backend: 30s, 5m; 30s (60s on a GPU) unless
            given.
        until_ci: Go on until the 95 % confidence interval of the energy (without a sensor, of the
            latency) is this narrow to each side: 2%.
        device: Where to run it: cpu, cuda, cuda:1.
        dtype: Data type of the parameters and of float32 inputs: float32, float16, bfloat16.
        threads: CPU threads.
        batch: Inferences in one call.
        backend: What runs it, the first being what the others are compared with: eager, compile,
            onnxruntime, with commas between.
        no_memory: Leave out memory, which takes a fresh process and some seconds.
        estimate_energy: Add an estimate of the energy: maximum power x utilisation x time.
        max_power: Maximum power of the CPU or GPU for the estimate, in W, instead of the table's.
        battery: What a battery holds: 15Wh. Adds how long it lasts.
        grid_intensity: Of the electricity, in kgCO2e/kWh; 0.437, the world's of 2018, unless given.
        require_energy: Exit with 3 if no energy can be measured; the report is written all the
            same.
        seed: Of random weights, and of a preset's inputs.
    """

    no_measure: Annotated[bool, Flag] = False
    measure_time: str | None = None
    until_ci: str | None = None
    device: str = "cpu"
    dtype: str | None = None
    threads: Annotated[int | None, Whole] = None
    batch: Annotated[int, Whole] = 1
    backend: str = "eager"
    no_memory: Annotated[bool, Flag] = False
    estimate_energy: Annotated[bool, Flag] = False
    max_power: float | None = None
    battery: str | None = None
    grid_intensity: float | None = None
    require_energy: Annotated[bool, Flag] = False
    seed: Annotated[int, Whole] = 0

    def check(self) -> None:
        """Refuse what is impossible before anything is computed.

        Raises:
            UsageError: an option's value is none, or two contradict each other.
        """
        parsed_time(self.measure_time)
        parsed_battery(self.battery)
        parsed_backends(self.backend)
        parsed_precision(self.until_ci)
        for option in ("threads", "batch", "max_power"):
            value = getattr(self, option)
            if value is not None and value <= 0:
                name = option.replace("_", "-")
                raise UsageError(f"--{name} {value} is not above 0", "Give more.")
        if self.grid_intensity is not None and self.grid_intensity < 0:
            raise UsageError("--grid-intensity is below 0", "Give kgCO2e/kWh, such as 0.05.")
        if self.no_measure and self.require_energy:
            raise UsageError(
                "--require-energy needs a measurement, and --no-measure forbids it",
                "Leave one of them out.",
            )

    def check_device(self) -> None:
        """Refuse a device or a type that is not there; unlike `check`, this takes torch.

        A type is counted even where nothing is measured.

        Raises:
            UsageError: there is no such device, or no such floating type.
        """
        if self.no_measure and self.dtype is None:
            return
        from inspect_cost.calls.devices import usable_device, usable_dtype

        usable_dtype(self.dtype)
        if not self.no_measure:
            usable_device(self.device)

    @property
    def conditions(self) -> "Conditions":
        """Under which the model runs."""
        from inspect_cost.subjects import Conditions

        return Conditions(self.device, self.dtype, self.threads, self.seed)

    @property
    def request(self) -> "MeasureRequest":
        """What is asked of the measurement."""
        from inspect_cost.measuring.session import MeasureRequest

        return MeasureRequest(
            budget_s=parsed_time(self.measure_time),
            until=parsed_precision(self.until_ci),
            threads=self.threads,
            backends=parsed_backends(self.backend),
            memory=not self.no_memory,
            estimate=self.estimate_energy,
            max_power_w=self.max_power,
            intensity=self.grid_intensity,
            battery_wh=parsed_battery(self.battery),
        )


def parsed_time(text: str | None) -> float | None:
    """Seconds, from 30s, 5m, 1.5h or a plain number of seconds.

    Raises:
        UsageError: it is no time above 0.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?", text.strip())
    seconds = float(found[1]) * TIMES_S[found[2] or ""] if found else 0.0
    if not seconds:
        raise UsageError(f"--measure-time {text!r} is no time", "Write 30s or 5m.")
    return seconds


def parsed_precision(text: str | None) -> float | None:
    """Half a confidence interval as a share of the value.

    Raises:
        UsageError: it is no share between 0 and 1.
    """
    try:
        return None if text is None else parse_share(text)
    except ValueError as error:
        raise UsageError(f"--until-ci: {error}", "Write 2%, or 0.02.") from None


def parsed_battery(text: str | None) -> float | None:
    """Watt-hours, from 15Wh, or kWh.

    Raises:
        UsageError: it is no amount above 0.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(k?)Wh", text.strip(), re.IGNORECASE)
    watt_hours = float(found[1]) * (1000.0 if found[2] else 1.0) if found else 0.0
    if not watt_hours:
        raise UsageError(f"--battery {text!r} is no amount of energy", "Write 15Wh.")
    return watt_hours


def parsed_backends(text: str) -> tuple[str, ...]:
    """Backends with commas between, each once.

    Raises:
        UsageError: there is no such backend.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in BACKENDS:
            raise UsageError(f"there is no backend {name!r}", f"Choose from {', '.join(BACKENDS)}.")
    return names
