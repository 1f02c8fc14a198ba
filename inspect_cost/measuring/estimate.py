"""An estimate of the energy where there is no sensor: maximum power x utilisation x time."""

import os

from inspect_cost.hardware.cpus import find_cpu
from inspect_cost.hardware.device import Device
from inspect_cost.measuring.doctor.machine import count_sockets, read_cpu_model
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.values.quantity import Quantity

GIVEN = "given as max_power_w"


def estimate_energy(
    measurement: Measurement, max_power_w: float | None = None
) -> tuple[Quantity | None, str]:
    """Estimate the energy of one call; where that is impossible, return None and the reason.

    Args:
        measurement: whose latency and CPU time are used.
        max_power_w: of the CPU or GPU that runs it, instead of a table's figure.
    """
    latency = measurement.latency_s
    if latency is None or not measurement.kept_windows:
        return None, "No estimate of the energy: there is no latency."
    device = _find_device(measurement.device, max_power_w)
    if device is None:
        return None, (
            f"No estimate of the energy: {_name_chip(measurement.device)} is not in the table of "
            "maximum powers; look up its TDP at its maker's, and give it as `max_power_w`."
        )
    utilisation = _compute_utilisation(measurement, device)
    source = (
        f"maximum power x utilisation x time = {device.max_power_w:g} W ({device.name}; "
        f"{device.source}) x {utilisation:.1%} of its {device.threads} threads "
        f"x {latency.value:.4g} s"
    )
    return scale_latency(latency, device.max_power_w * utilisation, source), ""


def scale_latency(latency: Quantity, power_w: float, source: str) -> Quantity:
    """Return the energy at a constant power; no interval, as the power's error is unknown."""
    return Quantity(latency.value * power_w, "J", "estimated", source)


def _compute_utilisation(measurement: Measurement, device: Device) -> float:
    """Return the share of a chip's threads that were busy; more than 1 on several sockets."""
    if measurement.device.startswith("cuda"):
        return 1.0  # a GPU is taken to be busy all the time
    windows = measurement.kept_windows
    busy_threads = sum(w.cpu_s for w in windows) / sum(w.duration_s for w in windows)
    return min(float(count_sockets()), busy_threads / (device.threads or 1))


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
