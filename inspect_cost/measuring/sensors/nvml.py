"""NVIDIA GPUs, through the driver's management library (NVML).

From Volta on, a GPU counts its energy in mJ since the driver was loaded. Older ones report power
only, which `sampled_power` integrates. A GPU is numbered differently by torch (which obeys
``CUDA_VISIBLE_DEVICES`` and puts fast ones first) and by NVML (in the order of the PCI bus): the
UUID identifies it in both.

Source: the NVML API reference of NVIDIA, "Device Queries"; for the counter's period and the
windows that it asks for, arXiv 2312.02741.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pynvml  # type: ignore[import-untyped] # nvidia-ml-py has no annotations

from inspect_cost.measuring.sensors.protocol import (
    EnergySensor,
    SensorError,
    Sensors,
    Unavailable,
)
from inspect_cost.measuring.sensors.sampled_power import SampledPowerSensor
from inspect_cost.values.units import MILLI

#: The counter advances every 20 to 100 ms.
PERIOD_S = 0.1
#: Twenty periods; A100 and H100 sample their power only a quarter of the time.
WINDOW_S = 2.0

#: Bits that report slowed clocks. Idling and settings by the user are not among them.
THROTTLING = {
    0x004: "the power limit",
    0x008: "a hardware slowdown",
    0x020: "heat (by software)",
    0x040: "heat (by hardware)",
    0x080: "the power brake",
    0x200: "the board's limit",
    0x400: "reliability",
}

#: Name of an error of nvmlInit() -> (reason, fix).
FAILED_STARTS = {
    "NVMLError_LibraryNotFound": (
        "the NVIDIA driver's library libnvidia-ml was not found",
        "Install the NVIDIA driver; in a container, give it the GPU (docker run --gpus all).",
    ),
    "NVMLError_DriverNotLoaded": (
        "the NVIDIA driver is not loaded",
        "Load it with: modprobe nvidia. In a container, give it the GPU (--gpus all).",
    ),
    "NVMLError_LibRmVersionMismatch": (
        "the NVIDIA driver was updated, and the old one is still loaded",
        "Restart the machine.",
    ),
}


@dataclass
class NvmlGpu:
    """One GPU: its power, its counter, its limits, and what disturbs a window.

    Attributes:
        nvml: the module ``pynvml``, or one with the same functions.
        handle: NVML's handle.
        index: its number in NVML.
        name: as sold, "NVIDIA H100 PCIe".
    """

    nvml: Any
    handle: Any
    index: int
    name: str

    @property
    def power_limit_w(self) -> float | None:
        """The maker's default power limit; None if NVML does not report it."""
        try:
            limit = self.nvml.nvmlDeviceGetPowerManagementDefaultLimit(self.handle)
        except self.nvml.NVMLError:
            return None
        return float(limit) * MILLI

    def read_power_w(self) -> float:
        """Return the power that it draws now.

        Raises:
            SensorError: NVML does not report it.
        """
        try:
            return float(self.nvml.nvmlDeviceGetPowerUsage(self.handle)) * MILLI
        except self.nvml.NVMLError as error:
            raise SensorError(f"NVML gpu {self.index} ({self.name}): {error}") from error

    def read_energy_j(self) -> float:
        """Return its energy counter.

        Raises:
            SensorError: NVML does not report it.
        """
        try:
            return float(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)) * MILLI
        except self.nvml.NVMLError as error:
            raise SensorError(f"NVML gpu {self.index} ({self.name}): {error}") from error

    def disturbance(self) -> str | None:
        """Describe throttled clocks and foreign processes at this moment; None without any."""
        bits = self._read_clock_reasons()
        slow = [reason for bit, reason in THROTTLING.items() if bits & bit]
        foreign = find_foreign_processes(self._list_processes())
        found = []
        if slow:
            found.append(f"its clocks were throttled by {' and '.join(slow)}")
        if foreign:
            found.append(f"other processes computed on it: {', '.join(map(str, foreign))}")
        return f"gpu {self.index}: {'; '.join(found)}" if found else None

    def _read_clock_reasons(self) -> int:
        # The name since driver 535, and the one before.
        for name in ("ClocksEventReasons", "ClocksThrottleReasons"):
            try:
                return int(getattr(self.nvml, f"nvmlDeviceGetCurrent{name}")(self.handle))
            except (self.nvml.NVMLError, AttributeError):
                continue
        return 0

    def _list_processes(self) -> list[int]:
        try:
            running = self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle)
        except self.nvml.NVMLError:
            return []
        return sorted({process.pid for process in running})


def find_foreign_processes(running: Sequence[int]) -> list[int]:
    """Return the processes other than this one.

    NVML reports process numbers of the host. In a container we do not know our own number there,
    so one of those that do not exist here is taken to be this process.
    """
    foreign = [pid for pid in running if pid != os.getpid()]
    outside = [pid for pid in foreign if not Path(f"/proc/{pid}").exists()]
    if os.getpid() not in running and outside:
        foreign.remove(outside[0])
    return foreign


@dataclass
class NvmlSensor:
    """The energy counter of one GPU; see `EnergySensor` for the attributes."""

    gpu: NvmlGpu
    device: str
    domain: str
    source: str
    period_s: float = PERIOD_S
    recommended_window_s: float = WINDOW_S
    range_j: float | None = None

    def read_j(self) -> float:
        """Return joules since the driver was loaded."""
        return self.gpu.read_energy_j()

    def read_power_w(self) -> float:
        """Return the power now, which the driver does not take from the counter."""
        return self.gpu.read_power_w()

    def disturbance(self) -> str | None:
        """Describe throttled clocks and foreign processes at this moment; None without any."""
        return self.gpu.disturbance()


def list_torch_uuids() -> list[str]:
    """Return the UUIDs of the GPUs in torch's order."""
    import torch  # noqa: PLC0415 - NVML needs no torch; only its numbering does

    if not torch.cuda.is_available():
        return []
    count = torch.cuda.device_count()
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]


def find_nvml_sensors(
    device: str | None = None,
    *,
    nvml: Any = pynvml,
    uuids: Callable[[], Sequence[str]] = list_torch_uuids,
) -> Sensors:
    """Find the energy sensors of NVIDIA GPUs.

    Args:
        device: the GPU in torch's numbering, "cuda:1" ("cuda" is the first); all unless given.
        nvml: the module ``pynvml``, or one with the same functions.
        uuids: returns the GPUs' UUIDs in torch's order.
    """
    try:
        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        reason, fix = FAILED_STARTS.get(type(error).__name__, (f"NVML does not start: {error}", ""))
        return Sensors((), (Unavailable("nvml", reason, fix),))
    names = {strip_kind(uuid): f"cuda:{index}" for index, uuid in enumerate(uuids())}
    wanted = device and (device if ":" in device else f"{device}:0")
    found = [find_gpu_sensor(nvml, index, names) for index in range(count)]
    chosen = [(sensors, name) for sensors, name in found if wanted in {None, name}]
    if not chosen:
        # The UUID that torch has may be a partition's: report what was refused.
        refused = tuple(why for sensors, _ in found for why in sensors.unavailable)
        reason = f"none of the readable GPUs is torch's {wanted}"
        return Sensors((), (Unavailable("nvml", reason), *refused))
    return sum((sensors for sensors, _ in chosen), Sensors())


def strip_kind(uuid: str) -> str:
    """Return a UUID without its kind: NVML writes "GPU-...", torch does not."""
    return uuid.removeprefix("GPU-").removeprefix("MIG-").lower()


def find_gpu_sensor(nvml: Any, index: int, names: dict[str, str]) -> tuple[Sensors, str]:
    """Find the sensor of NVML's GPU of that number, and its device in torch."""
    source, device = f"nvml gpu {index}", ""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        # A GPU that torch does not see can be read nevertheless.
        device = names.get(strip_kind(nvml.nvmlDeviceGetUUID(handle)), f"gpu:{index}")
        gpu = NvmlGpu(nvml, handle, index, nvml.nvmlDeviceGetName(handle))
        sensor = choose_sensor(gpu, device)
    except (nvml.NVMLError, SensorError) as error:
        return Sensors((), (Unavailable(source, str(error), "", "refused"),)), device
    if isinstance(sensor, Unavailable):
        return Sensors((), (sensor,)), device
    return Sensors((sensor,)), device


def choose_sensor(gpu: NvmlGpu, device: str) -> EnergySensor | Unavailable:
    """Return the GPU's counter; if it has none, the integral of its power."""
    source, domain = f"NVML energy counter of gpu {gpu.index} ({gpu.name})", f"gpu-{gpu.index}"
    if is_partitioned(gpu):
        reason = "it is partitioned (MIG is on), and its counter covers all partitions together"
        fix = f"As root, without jobs on it: nvidia-smi --id={gpu.index} --multi-instance-gpu=0."
        return Unavailable(f"nvml gpu {gpu.index} ({gpu.name})", reason, fix, "refused")
    try:
        gpu.nvml.nvmlDeviceGetTotalEnergyConsumption(gpu.handle)
    except gpu.nvml.NVMLError:
        gpu.read_power_w()  # raises if there is no power either
        sampled = f"sampled power of gpu {gpu.index} ({gpu.name}), which has no energy counter"
        return SampledPowerSensor(gpu.read_power_w, gpu.disturbance, domain, sampled, device)
    return NvmlSensor(gpu, device, domain, source)


def is_partitioned(gpu: NvmlGpu) -> bool:
    """Whether MIG is on."""
    try:
        current, _ = gpu.nvml.nvmlDeviceGetMigMode(gpu.handle)
    except gpu.nvml.NVMLError:
        return False  # most GPUs do not support MIG
    return bool(current)
