"""An estimate of the energy where there is no sensor: maximum power x CPU time / threads."""

import os

from inspect_cost.hardware.cpus import find_cpu
from inspect_cost.hardware.device import Device
from inspect_cost.measuring.doctor.machine import read_cpu_model
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.values.numbers import check_positive
from inspect_cost.values.quantity import Quantity

GIVEN = "given as max_power_w"


def estimate_energy(
    measurement: Measurement, max_power_w: float | None = None
) -> tuple[Quantity | None, str]:
    """Estimate the energy of one call; where that is impossible, return None and the reason.

    A call takes its share of the chip's maximum power as long as it keeps hardware threads busy:
    the CPU time of the windows, that of child processes included, over their calls. Waiting, and
    what other processes do, is not in it. A GPU is taken to be busy all the time.

    Args:
        measurement: whose windows' CPU time is used.
        max_power_w: of the CPU or GPU that runs it, instead of a table's figure.

    Raises:
        UsageError: the power is not a number above 0.
    """
    check_positive("max_power_w", max_power_w, "95")
    if not measurement.kept_windows:
        return None, "No estimate of the energy: no window was measured."
    device = _find_device(measurement.device, max_power_w)
    if device is None:
        return None, (
            f"No estimate of the energy: {_name_chip(measurement.device)} is not in the table of "
            "maximum powers; look up its TDP at its maker's, and give it as `max_power_w`."
        )
    busy_s, what = _compute_busy_s(measurement, device)
    source = (
        f"maximum power x utilisation x time = {device.max_power_w:g} W ({device.name}; "
        f"{device.source}) x {what}"
    )
    # No interval, as the power's error is unknown.
    return Quantity(device.max_power_w * busy_s, "J", "estimated", source), ""


def _compute_busy_s(measurement: Measurement, device: Device) -> tuple[float, str]:
    """Return for how long one call keeps the whole chip busy, and that in words."""
    windows = measurement.kept_windows
    calls = sum(window.calls for window in windows)
    if measurement.device.startswith("cuda"):
        mean_s = sum(window.duration_s for window in windows) / calls
        return mean_s, f"{mean_s:.4g} s, busy all the time"
    cpu_s, threads = sum(window.cpu_s for window in windows) / calls, device.threads or 1
    return cpu_s / threads, f"{cpu_s:.4g} s of CPU time / {threads} threads"


def _find_device(device: str, max_power_w: float | None) -> Device | None:
    return _find_gpu(device, max_power_w) if device.startswith("cuda") else _find_cpu(max_power_w)


def _find_cpu(max_power_w: float | None) -> Device | None:
    if max_power_w is None:
        return find_cpu(read_cpu_model())
    return Device(
        name=read_cpu_model() or "CPU",
        kind="cpu",
        max_power_w=max_power_w,
        threads=os.cpu_count() or 1,
        source=GIVEN,
    )


def _find_gpu(device: str, max_power_w: float | None) -> Device | None:
    """Describe a GPU of this machine: its own power limit is a better figure than any table's."""
    import torch  # noqa: PLC0415 - only a GPU needs it

    name = torch.cuda.get_device_name(device)
    if max_power_w is not None:
        return Device(name=name, kind="gpu", max_power_w=max_power_w, threads=1, source=GIVEN)
    limit_w = _read_power_limit_w(f"GPU-{torch.cuda.get_device_properties(device).uuid}", name)
    if limit_w is None:
        return None
    source = "NVML's default power limit"
    return Device(name=name, kind="gpu", max_power_w=limit_w, threads=1, source=source)


def _read_power_limit_w(uuid: str, name: str) -> float | None:
    import pynvml  # type: ignore[import-untyped]  # noqa: PLC0415 - only a GPU needs it

    from inspect_cost.measuring.sensors.nvml import NvmlGpu  # noqa: PLC0415

    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    except pynvml.NVMLError:
        return None
    return NvmlGpu(pynvml, handle, 0, name).power_limit_w


def _name_chip(device: str) -> str:
    return device if device.startswith("cuda") else (read_cpu_model() or "this CPU")
