"""An estimate of the energy where there is no sensor: maximum power x utilisation x time."""

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from inspect_cost.measuring.doctor.machine import cpu_model, sockets
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.values.quantity import Quantity

TABLE = Path(__file__).parents[1] / "hardware" / "data" / "cpus.toml"


@dataclass(frozen=True)
class MaximumPower:
    """What a chip draws at most.

    Attributes:
        name: as its maker calls it.
        power_w: of the whole chip.
        threads: hardware threads that share it.
        source: where the figure is published, and what it is called there.
    """

    name: str
    power_w: float
    threads: int
    source: str


@cache
def cpu_table() -> tuple[MaximumPower, ...]:
    """The rows of ``hardware/data/cpus.toml``."""
    content = tomllib.loads(TABLE.read_text())
    return tuple(
        MaximumPower(row["name"], row["power_w"], row["threads"], f"{row['figure']}, {maker}")
        for maker, rows in content.items()
        for row in rows
    )


def cpu_maximum(
    model: str | None, rows: Sequence[MaximumPower] | None = None
) -> MaximumPower | None:
    """The row whose name is, word by word, in what the CPU calls itself; None where none is."""
    words = re.sub(r"\((R|TM)\)|®|™", "", model or "", flags=re.IGNORECASE)
    for row in cpu_table() if rows is None else rows:
        if re.search(rf"(?<![\w-]){re.escape(row.name)}(?![\w+-])", words, re.IGNORECASE):
            return row
    return None


def with_estimate(
    measurement: Measurement, max_power_w: float | None = None
) -> tuple[Quantity | None, str]:
    """The estimated energy of one call, or None and why.

    Args:
        measurement: whose latency and CPU time are used.
        max_power_w: of the CPU or GPU that runs it, instead of a table's figure.
    """
    windows, latency = measurement.kept_windows, measurement.latency_s
    if latency is None or not windows:
        return None, "No estimate of the energy: there is no latency."
    if measurement.device.startswith("cuda"):
        maximum = _gpu(measurement.device, max_power_w)
        busy_threads = 1.0  # a GPU is taken to be busy all the time
    else:
        maximum = _cpu(max_power_w)
        busy_threads = sum(w.cpu_s for w in windows) / sum(w.duration_s for w in windows)
    if maximum is None:
        return None, (
            f"No estimate of the energy: {_chip(measurement.device)} is not in the table of "
            "maximum powers; look up its TDP at its maker's, and give it with --max-power W."
        )
    utilisation = min(float(sockets()), busy_threads / maximum.threads)
    source = (
        f"maximum power x utilisation x time = {maximum.power_w:g} W ({maximum.name}; "
        f"{maximum.source}) x {utilisation:.1%} of its {maximum.threads} threads "
        f"x {latency.value:.4g} s"
    )
    return latency_scaled(latency, maximum.power_w * utilisation, source), ""


def latency_scaled(latency: Quantity, power_w: float, source: str) -> Quantity:
    """Energy at a constant power; no interval, as the power's error is not known."""
    return Quantity(latency.value * power_w, "J", "estimated", source)


def _cpu(max_power_w: float | None) -> MaximumPower | None:
    if max_power_w is None:
        return cpu_maximum(cpu_model())
    return MaximumPower(cpu_model() or "CPU", max_power_w, os.cpu_count() or 1, "--max-power")


def _gpu(device: str, max_power_w: float | None) -> MaximumPower | None:
    """A live GPU's own limit is a better figure than any table's."""
    import torch  # noqa: PLC0415 - only a GPU needs it

    name = torch.cuda.get_device_name(device)
    if max_power_w is not None:
        return MaximumPower(name, max_power_w, 1, "--max-power")
    import pynvml  # type: ignore[import-untyped]  # noqa: PLC0415 - only a GPU needs it

    from inspect_cost.measuring.sensors.nvml import NvmlGpu  # noqa: PLC0415

    try:
        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    except pynvml.NVMLError:
        return None
    limit_w = NvmlGpu(pynvml, handle, 0, name).power_limit_w
    if limit_w is None:
        return None
    return MaximumPower(name, limit_w, 1, "NVML's default power limit")


def _chip(device: str) -> str:
    return device if device.startswith("cuda") else (cpu_model() or "this CPU")
